"""What an abbreviation is short for: whether a question asks for it, and whether a text spells it out.

Questions in English, German, Spanish and French; the words of any language that has capitals.
"""

import re
from collections.abc import Iterator, Sequence
from itertools import islice

_READ_CHARS = 2_000
_ABBREVIATION = r"[A-Z][A-Z0-9]{1,7}"
_ASKS_EXPANSION = re.compile(
    rf"\b[Ww]hat (?:does|do|did) (?:the )?(?:abbreviation |acronym |letters )?({_ABBREVIATION}) (?:stand for|mean)\b"
    rf"|\b[Ww]hat is ({_ABBREVIATION}) (?:short for|an? (?:abbreviation|acronym) (?:of|for))\b"
    rf"|\b[Ww]ofür steht (?:die Abkürzung )?({_ABBREVIATION})\b"
    rf"|\b[Ww]as (?:heißt|bedeutet) (?:die Abkürzung )?({_ABBREVIATION})\b"
    rf"|\b[Qq]ué significan? (?:las siglas )?({_ABBREVIATION})\b"
    rf"|\b[Qq]ue (?:signifie|veut dire) (?:le sigle )?({_ABBREVIATION})\b"
)
# Words that an abbreviation leaves out.
_LEFT_OUT = frozenset(
    "of the and for in on to a an der die das des und für de del la las los y du le les et".split()
)
_WORD = re.compile(r"[^\W_]+")
# So many words an expansion has at most, and so many stand between an abbreviation and it: "X, which stands for the …".
_MOST_WORDS, _MOST_BETWEEN = 12, 5
_AROUND_CHARS, _MOST_PLACES = 160, 4


def asked_abbreviation(question: str) -> str:
    """The abbreviation whose meaning is asked for, or nothing."""
    found = _ASKS_EXPANSION.search(question[:_READ_CHARS])
    return next(filter(None, found.groups()), "") if found else ""


def tells_expansion(sentence: str, abbreviation: str) -> bool:
    """Whether it has an abbreviation beside words with its letters: `TOAST (The Oversized-Attribute Storage Technique)`."""
    letters = abbreviation.casefold()
    places = re.finditer(rf"(?<!\w){re.escape(abbreviation)}(?!\w)", sentence[:_READ_CHARS])
    for place in islice(places, _MOST_PLACES):
        before = _words(sentence[max(0, place.start() - _AROUND_CHARS) : place.start()])[-_MOST_WORDS:]
        after = _words(sentence[place.end() : place.end() + _AROUND_CHARS])
        if any(_spell(letters, before[begin:], is_all=True) for begin in range(len(before))):
            return True
        if any(
            _spell(letters, after[begin : begin + _MOST_WORDS])
            for begin in range(min(_MOST_BETWEEN, len(after)))
        ):
            return True
    return False


def _words(text: str) -> list[str]:
    return [word.casefold() for word in _WORD.findall(text)]


def _spell(letters: str, words: Sequence[str], *, is_all: bool = False) -> bool:
    """Whether words begin with the letters in their order; a compound may have several: `Multiversion Concurrency Control`.

    At least two words must, and with `is_all` none may be left over.
    """
    # How many letters may be spelled by the words so far.
    reached = {0}
    for number, word in enumerate(words):
        if word == letters:
            return False
        spelled = {more for count in reached for more in _through(letters, count, word)}
        if len(letters) in spelled and number and not (is_all and number + 1 < len(words)):
            return True
        reached = spelled | ({count for count in reached if count} if word in _LEFT_OUT else set())
    return False


def _through(letters: str, count: int, word: str) -> Iterator[int]:
    """The numbers of letters that are spelled once a word begins with the next of them, and perhaps has others."""
    if count == len(letters) or not word.startswith(letters[count]):
        return
    place = 0
    while count < len(letters) and (place := word.find(letters[count], place)) >= 0:
        count, place = count + 1, place + 1
        yield count
