"""What a long message asks, in any place and in several languages."""

import pytest

from ingestion.embed import Embedder
from ingestion.search.asking import asked_part
from ingestion.search.retrieve import RetrievalSettings, SearchRequest, Tools, retrieve
from tests.ingestion.corpora import Page, release_of

STORY = " ".join(
    f"Last {day} I {did} the {place}."
    for day in ("Monday", "Friday")
    for did in ("painted", "sold")
    for place in ("kitchen", "garden", "stairs", "cellar")
)


@pytest.mark.parametrize("text", ["How do I reset it?", "reset hub", "x" * 400])
def test_short_messages_are_searched_for_as_they_are(text: str) -> None:
    assert asked_part(text) == text


@pytest.mark.parametrize(
    ("text", "asked"),
    [
        (f"{STORY} How many recovery codes do I get?", "How many recovery codes do I get?"),
        (f"How many recovery codes do I get? {STORY}", "How many recovery codes do I get?"),
        (f"{STORY} Please tell me how many codes there are.", "Please tell me how many codes there are."),
        (f"{STORY} Wie viele Codes bekomme ich? {STORY}", "Wie viele Codes bekomme ich?"),
    ],
)
def test_the_sentences_that_ask_are_chosen(text: str, asked: str) -> None:
    assert asked_part(text) == asked


def test_a_question_that_points_to_another_sentence_brings_it() -> None:
    text = f"{STORY} My lamp blinks red. What does that mean?"
    assert asked_part(text) == "My lamp blinks red. What does that mean?"


def test_without_a_question_the_first_and_the_last_sentence_count() -> None:
    text = f"Lamp E-07 blinks. {STORY} Reset without success."
    assert asked_part(text) == "Lamp E-07 blinks. Reset without success."


def test_of_a_sentence_without_an_end_the_end_is_read() -> None:
    text = " and then ".join(["i painted the kitchen"] * 40) + " how many recovery codes do i get"
    assert asked_part(text).endswith("how many recovery codes do i get")
    assert len(asked_part(text)) <= 400


def test_a_long_message_finds_what_its_end_asks(tmp_path, embedder: Embedder) -> None:  # type: ignore[no-untyped-def]
    pages = [
        Page("codes", ("You get ten recovery codes when you switch on two-step sign-in.",)),
        Page("paint", ("The kitchen, the garden and the stairs are painted on Monday.",)),
    ]
    release = release_of(tmp_path, pages, embedder=embedder)
    text = f"{STORY} {STORY} How many recovery codes do I get?"
    question = embedder.encode_questions([asked_part(text)])[0]
    for mode in ("hybrid", "lexical", "dense"):
        request = SearchRequest(text, question, settings=RetrievalSettings(mode=mode))  # type: ignore[arg-type]
        hits = retrieve(release, request, Tools(embedder.languages, embedder.late))
        assert hits[0].chunk.document_id == "codes", mode
