"""Questions are the same where their words agree, and never where a number, a name or a denial differs."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evals.same_question import load_pairs
from service.feedback.curated.phrasing import is_same, matter, normalised

PAIRS = load_pairs()
WORDS = ("hub", "lamp", "sensor", "price", "battery", "door", "light", "green", "garden", "kitchen")
RELATIONS = ("before", "after", "with", "without", "from", "to", "not", "never", "on", "off")
words = st.lists(st.sampled_from(WORDS), min_size=1, max_size=6)


def same(one: str, other: str) -> bool:
    return is_same(matter(one), matter(other))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("What does Plus cost?", "what does plus cost"),
        ("¿Dónde está mi pedido?", "donde esta mi pedido"),
        ("I don't know!", "i don’t know"),
        ("Is it 5 %?", "Is it 5%"),
        ("Wo ist  meine Bestellung ?", "Wo ist meine Bestellung"),
    ],
)
def test_spelling_makes_no_difference(one: str, other: str) -> None:
    assert normalised(one) == normalised(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Is it 5 %?", "Is it 5 €?"),
        ("Is it 1.5?", "Is it 15?"),
        ("Is it -5?", "Is it 5?"),
        ("C++", "C"),
        ("à", "b"),
    ],
)
def test_signs_that_mean_something_make_one(one: str, other: str) -> None:
    assert normalised(one) != normalised(other)


@given(st.text(max_size=200))
def test_a_spelling_is_its_own(text: str) -> None:
    assert normalised(normalised(text)) == normalised(text)


@pytest.mark.parametrize(
    "pair", [one for one in PAIRS if not one.is_same], ids=lambda one: f"{one.one} | {one.other}"
)
def test_no_near_miss_is_the_same(pair) -> None:  # type: ignore[no-untyped-def]
    assert not same(pair.one, pair.other)


@given(words, st.sampled_from(WORDS), st.integers(0, 5))
def test_another_word_is_another_question(said: list[str], other: str, place: int) -> None:
    changed = [*said]
    changed[place % len(said)] = other
    question, second = f"What about the {' '.join(said)}?", f"What about the {' '.join(changed)}?"
    assert same(question, second) == (said == changed or _is_turned(said, changed))


def _is_turned(one: list[str], other: list[str]) -> bool:
    """`about` stands in front of the words, so that no other order is a turn of them."""
    return ["about", *one] == ["about", *other]


@given(words, st.integers(0, 10_000), st.integers(0, 10_000))
def test_another_number_is_another_question(said: list[str], one: int, other: int) -> None:
    assert same(
        f"Is {one} enough for the {' '.join(said)}?", f"Is {other} enough for the {' '.join(said)}?"
    ) == (one == other)


@given(words, st.sampled_from(RELATIONS), st.sampled_from(RELATIONS))
def test_another_relation_is_another_question(said: list[str], one: str, other: str) -> None:
    assert same(
        f"Can I use it {one} the {' '.join(said)}?", f"Can I use it {other} the {' '.join(said)}?"
    ) == (one == other)


@given(words)
def test_politeness_makes_no_difference(said: list[str]) -> None:
    question = f"How do I clean the {' '.join(said)}?"
    assert same(question, f"Hello, could you please tell me how to clean the {' '.join(said)}? Thanks!")


@given(st.text(max_size=120), st.text(max_size=120))
def test_sameness_has_no_direction(one: str, other: str) -> None:
    assert same(one, other) == same(other, one)


def test_a_question_without_matter_is_no_question() -> None:
    assert not same("Can you?", "Can you?")
    assert not same("", "")


def test_the_pairs_are_of_a_file_that_says_which_rules_were_made_on() -> None:
    lines = (Path("evals") / "cases" / "same_question.jsonl").read_text("utf-8").splitlines()
    assert {json.loads(line)["part"] for line in lines} == {"tuned", "held_out"}
