"""Questions are made from what a sentence says, and read as somebody's who reads it."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from finetune.lora.paraphrase import paraphrased
from finetune.lora.questions import content_words, is_askable, questions_of


def asked(sentence: str, heading: str = "") -> set[str]:
    return {one.text for one in questions_of(sentence, heading, random.Random(3))}


@pytest.mark.parametrize(
    ("sentence", "question"),
    [
        ("The basket keeps its contents for 14 days.", "How long does the basket keep its contents?"),
        ("A Breeze filter costs €39.", "How much does a Breeze filter cost?"),
        ("You can collect up to ten vouchers in a year.", "How many vouchers can I collect in a year?"),
        ("We never ask for a password or a card number.", "Do you ask for a password or a card number?"),
        (
            "If an Express parcel comes late, we refund the fee.",
            "What happens if an Express parcel comes late?",
        ),
        ("You can cancel your order yourself.", "Can I cancel my order myself?"),
        (
            "Device: Chime; Security updates until: March 2033",
            "What is the Security updates until for Chime?",
        ),
        ("To reset the Hub, hold its button.", "How do I reset the Hub?"),
    ],
)
def test_a_statement_is_turned_to_what_its_reader_might_have_asked(sentence: str, question: str) -> None:
    assert question.lower() in {one.lower() for one in asked(sentence)}


def test_a_heading_that_asks_is_a_question_and_one_that_names_a_task_asks_how() -> None:
    assert "Do I need a Hub?" in asked("The Murmur works without one.", "FAQ › Do I need a Hub?")
    assert "How do I add a lamp?" in asked("Press the button for five seconds.", "Add a lamp")
    assert "How do I disposal?" not in asked("Put it into the household waste.", "Disposal")


@pytest.mark.parametrize(
    "sentence",
    [
        "It lasts.",
        "This takes ten days and more.",
        "no end and no capital",
        "Ask <PERSON_17> about the refund.",
        "- one, two, three, four",
    ],
)
def test_what_says_nothing_by_itself_is_not_asked_about(sentence: str) -> None:
    assert not is_askable(sentence)


def test_what_is_wanted_is_not_in_the_question() -> None:
    for one in questions_of("The basket keeps its contents for 14 days.", "", random.Random(1)):
        if one.wanted:
            assert one.wanted not in one.text


@given(st.text(max_size=300), st.text(max_size=40), st.integers(0, 50))
def test_any_text_gives_the_same_questions_twice(sentence: str, heading: str, seed: int) -> None:
    first, second = (questions_of(sentence, heading, random.Random(seed)) for _ in range(2))
    assert first == second
    assert len({one.text for one in first}) == len(first)


def test_a_question_is_said_in_other_words_and_keeps_what_it_is_about() -> None:
    question = "How long does the delivery of a parcel with the Chime take?"
    said = {paraphrased(question, random.Random(seed)) for seed in range(40)}
    assert len(said) > 5
    assert any("package" in one or "shipment" in one for one in said)
    assert all("deliver" in one.lower() or "shipping" in one.lower() for one in said)
    assert paraphrased(question, random.Random(1)) == paraphrased(question, random.Random(1))


def test_words_that_say_nothing_are_none_of_the_content() -> None:
    assert content_words("What is the price of your Hub?") == ["what", "price", "hub"]
