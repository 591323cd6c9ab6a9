"""The documents' own sentences: which are quoted, and how far a quotation goes."""

from ingestion.corpus import Chunk, Hit
from ingestion.text.sentences import sentence_spans
from service.answer.generate.extractive import pick
from service.answer.sentences import Sentence


def hit_of(text: str) -> Hit:
    return Hit(Chunk("c", "d", 0, text, 0, len(text), "Title", "d", "en"), 1.0, {})


def quoted(text: str, *scores: float, question: str = "") -> list[str]:
    """What is quoted of a passage whose sentences have these scores."""
    spans = sentence_spans(text)
    sentences = [
        Sentence(0, a, b, score, score, score, score) for (a, b), score in zip(spans, scores, strict=True)
    ]
    sentences.sort(key=lambda one: -one.score)
    return [text[one.start : one.end] for one in pick(sentences, [hit_of(text)], question)]


def test_a_sentence_brings_the_command_that_it_leads_to() -> None:
    text = "Run this:\n\n# dpkg -i package.deb\n# apt-get -f install\n\nThen restart."
    assert quoted(text, 1.0, 0.5, 0.4, 0.1) == ["Run this:\n\n# dpkg -i package.deb\n# apt-get -f install"]


def test_a_sentence_that_leads_nowhere_and_a_question_are_no_answers() -> None:
    text = "What does it cost?\nIt costs nine euros.\nSee also:\nFor more information, see Section 4."
    assert quoted(text, 1.0, 0.6, 0.9, 0.95) == ["It costs nine euros."]


def test_where_nothing_else_is_there_a_question_is_quoted() -> None:
    assert quoted("What does it cost?", 1.0) == ["What does it cost?"]


def test_a_long_list_is_cut_at_the_end_of_a_line() -> None:
    lines = [f"- part {number} of the list that is long" for number in range(40)]
    (found,) = quoted("The parts are:\n" + "\n".join(lines), 1.0, *([0.1] * 40))
    assert found.splitlines()[0] == "The parts are:"
    assert 100 < len(found) <= 420
    assert found.splitlines()[-1] in lines


def test_a_message_that_the_asker_pasted_is_answered_by_what_follows() -> None:
    text = "LOG: could not bind to the port.\n\nAnother server runs already.\n\nStop it."
    for asked in ("LOG: could not bind to the port", "could not bind to the port"):
        found = quoted(text, 1.0, 0.5, 0.4, question=asked)
        assert found == ["LOG: could not bind to the port.\n\nAnother server runs already."]


def test_a_sentence_that_goes_on_from_a_command_brings_it() -> None:
    text = "First read this.\n\n$ pg_ctl start -l logfile\n\nwill start the server in the background."
    assert quoted(text, 0.1, 0.2, 1.0) == [
        "$ pg_ctl start -l logfile\n\nwill start the server in the background."
    ]
