"""Questions put otherwise keep what they ask for."""

import pytest

from evals.asked import keywords, second_turn, turns


@pytest.mark.parametrize(
    ("question", "language", "title", "words"),
    [
        ("What does express delivery cost inside the EU?", "en", "", "express delivery EU"),
        ("who wrote the gnuplot manual", "en", "Gnuplot (program)", "Gnuplot wrote manual"),
        ("When is the chat open?", "en", "", None),
        ("is it here?", "en", "The Hub", None),
        ("Wie lange hält der Filter BF-45?", "de", "", "lange Filter BF-45"),
        ("ハブはどこですか", "ja", "", None),
    ],
)
def test_keywords_are_the_words_that_carry_meaning(
    question: str, language: str, title: str, words: str | None
) -> None:
    assert keywords(question, language, title=title) == words


def test_the_second_turn_leans_on_the_first() -> None:
    text = "Lake Vale is a lake in the north of the county. It is deep."
    found = second_turn("what fish are in the lake vale and what is lake vale's depth", "Lake Vale", text)
    assert found is not None
    assert found == turns(
        "What do you know about Lake Vale?",
        "Lake Vale is a lake in the north of the county.",
        "what fish are in it and what is its depth",
    )
    assert second_turn("how deep is the lake", "Lake Vale", text) is None
    assert second_turn("how deep is the lake", "(disambiguation)", text) is None
