"""What the cross-encoder learns from is labelled rightly, and is never what it is measured with."""

import random
from pathlib import Path

import pytest

from evals import sets
from finetune.guards.examples import corpus
from finetune.guards.invent import changed, invent, pool_of, sentences_of
from finetune.guards.material import honest_prompts, hostile_prompts, load
from finetune.guards.statements import other_answer, statement
from service.guard.models.cross_encoder import ANSWERS, SUPPORTS, chosen_evidence
from tests.conftest import ROOT

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


def test_no_prompt_of_our_own_is_learned(public_data: Path) -> None:
    if not (public_data / "bipia").is_dir():
        pytest.skip(f"no public sets in {public_data}")
    measured = {_folded(one.text) for kind in ("everyday", "attack") for one in sets.own_prompts(kind)}
    assert len(measured) > 200
    everything = load(public_data, ROOT)
    learned = hostile_prompts(random.Random(7)) + honest_prompts(random.Random(7), everything)
    assert len(learned) > 30_000
    assert not measured & {_folded(text) for text in learned}


def _folded(text: str) -> str:
    return " ".join("".join(c if c.isalnum() else " " for c in text.casefold()).split())


def corpus_of(examples: list[object]) -> list[str]:
    return [repr(one) for one in examples[::500]]
