"""Stop words end an answer before themselves, however the stream divides it."""

from hypothesis import given
from hypothesis import strategies as st

from service.answer.stop import StopWords, before_stop

TEXTS = st.text("ab \n", max_size=30)
WORDS = st.lists(st.text("ab\n", min_size=1, max_size=4), max_size=4)


def fed(pieces: list[str], words: list[str]) -> str:
    stop = StopWords(words)
    return "".join(stop.feed(piece) for piece in pieces) + stop.close()


@given(st.lists(TEXTS, max_size=6), WORDS)
def test_the_borders_of_pieces_change_nothing(pieces: list[str], words: list[str]) -> None:
    whole = before_stop("".join(pieces), words)
    assert fed(pieces, words) == whole
    assert not any(word in whole for word in words)


@given(TEXTS, WORDS)
def test_what_was_sent_is_never_taken_back(text: str, words: list[str]) -> None:
    stop = StopWords(words)
    sent = "".join(map(stop.feed, text))
    assert (sent + stop.close()).startswith(sent)
    assert stop.is_reached == any(word in text for word in words)


def test_without_a_word_nothing_waits() -> None:
    assert StopWords([]).feed("All of it.") == "All of it."
