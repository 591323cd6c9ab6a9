"""Which sentences may name somebody: most name nobody, and reading them all costs more than anything else.

A sentence is read when it holds a word with a capital that isn't an ordinary word, or a known name however
it is written. A text without any capitals, as people type in chats, is read
if it holds a word that is not an ordinary one.
"""

import re
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

WORD = re.compile(r"[^\W\d_]+(?:['’-][^\W\d_]+)*")
_CAPITAL = re.compile(r"(?:[A-ZÀ-ÖØ-ÞĀ-Ž]['’]|Mc|Mac|De|Di|La|Le)?[A-ZÀ-ÖØ-ÞĀ-ŽΑ-ΩА-Я][a-zß-öø-ÿā-žα-ωа-я]+")
# A sentence ends at a mark after a word of three letters or more, so not after "Mr." or an initial.
_END = re.compile(r"(?<=[^\W\d_]{3}[.!?])[\"'”’)]*[ \t]+(?=\S)|\n\n+")
_STREET = re.compile(
    r"\b(?:street|road|avenue|lane|drive|st|rd|ave|blvd|p\.?o\.? box|apt|suite)\b", re.IGNORECASE
)
FILE = "lexicon.txt"
_LONG_ENOUGH = 4


class Lexicon:
    """Names, words that are names as well, and ordinary words."""

    def __init__(self, folder: Path) -> None:
        names, ambiguous, ordinary = (folder / FILE).read_text("utf-8").split("\n\n")
        self._names = frozenset(names.split("\n"))
        self._ambiguous = frozenset(ambiguous.split("\n"))
        self._ordinary = frozenset(ordinary.split("\n"))
        self._weigh = lru_cache(maxsize=100_000)(self._look_up)

    def _look_up(self, word: str) -> int:
        """2: may be a name wherever it stands; 1: unless it begins the sentence; 0: no name."""
        small = word.casefold()
        if word.isupper() and (len(word) < _LONG_ENOUGH or small in self._ambiguous):
            return 0  # an abbreviation, or a keyword
        if small in self._names:
            return 2
        if small in self._ambiguous:
            return 0 if word == small else 2 if len(small) >= _LONG_ENOUGH else 1
        if small in self._ordinary:
            return 0
        parts = [part for part in re.split("[-’']", word) if len(part) > 1]
        return 2 if any(_CAPITAL.fullmatch(part) for part in parts) else 0

    def knows(self, text: str) -> bool:
        """Whether a word of a text is a name."""
        return any(word.casefold() in self._names for word in WORD.findall(text))

    def is_name(self, word: str) -> bool:
        """Whether somebody is called so, or by one of its parts; with a capital it may be another word too."""
        small = word.casefold()
        is_capital = word[:1].isupper()
        parts = (small, *re.split("[-’'.]", small))
        return any(part in self._names or (is_capital and part in self._ambiguous) for part in parts)

    def is_ordinary(self, word: str) -> bool:
        """Whether it is a word of ordinary texts, or of its parts all are."""
        small = word.casefold()
        return small in self._ordinary or all(part in self._ordinary for part in re.split("[-’'.]", small))

    def may_name(self, text: str) -> bool:
        """Whether a sentence may name somebody or a street."""
        if not any(c.isupper() for c in text):
            return any(word not in self._ordinary for word in WORD.findall(text))
        if any(c.isdigit() for c in text) and _STREET.search(text):
            return True
        words = WORD.findall(text)
        return any(self._weigh(word) > (0 if number else 1) for number, word in enumerate(words))

    def parts(self, text: str) -> Iterator[tuple[int, int]]:
        """The sentences to be read, neighbours together, as `(start, end)` in characters."""
        begin = None
        position = 0
        for end in [*(m.end() for m in _END.finditer(text)), len(text)]:
            if end > position and self.may_name(text[position:end]):
                begin = position if begin is None else begin
            elif begin is not None:
                yield begin, position
                begin = None
            position = end
        if begin is not None:
            yield begin, position
