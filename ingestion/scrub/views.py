"""Texts as identifiers are looked for in them: one spelling for one look, and where each character was written."""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

from ingestion.text.clean import INVISIBLE

_COMBINING = "\u0300-\u036f\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f"
_MARK = re.compile(f"[{_COMBINING}]")
# Wide, narrow and mathematical forms of letters and digits, and presentation forms of Latin letters.
_FORMS = "\ufb00-\ufb06\uff01-\uff5e\U0001d400-\U0001d7ff"
_ODD = re.compile(rf"{INVISIBLE.pattern}|[{_COMBINING}{_FORMS}]")
# One character for one, so that offsets stay: spaces, dashes, dots, slashes, colons and at signs of all kinds.
_ALIKE = str.maketrans(
    "\u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u202f\u205f\u3000\u2028\u2029"
    "\u2010\u2011\u2012\u2013\u2014\u2015\u2043\u2212\ufe58\ufe63\uff0d\u2024\u3002\ufe52\uff0e\uff61"
    "\u2044\u2215\uff0f\ua789\ufe55\uff1a\ufe6b\uff20",
    " " * 16 + "\n" * 2 + "-" * 11 + "." * 5 + "/" * 3 + ":" * 3 + "@" * 2,
)


@dataclass(frozen=True, slots=True)
class View:
    """A reading of a text. `origin[i]` is the offset of character `i` in the text as written; None where all are the same."""

    text: str
    origin: Sequence[int] | None = None

    def span(self, start: int, end: int) -> tuple[int, int]:
        """Where `text[start:end]` stands in the text as written."""
        if self.origin is None or start >= end:
            return start, end
        return self.origin[start], self.origin[end - 1] + 1


def plain(text: str) -> View:
    """The text without invisible characters and with plain forms of letters and digits; accents stay."""
    if text.isascii() or _ODD.search(text) is None:
        return View(text)
    characters: list[str] = []
    origin: list[int] = []
    for place, character in enumerate(text):
        if INVISIBLE.match(character):
            continue
        if _MARK.match(character):
            if characters:
                characters[-1] = _composed(characters[-1], character)
            continue
        folded = unicodedata.normalize("NFKC", character) if _ODD.match(character) else character
        characters += folded
        origin += [place] * len(folded)
    return View("".join(characters), origin)


def _composed(letter: str, mark: str) -> str:
    """A letter with its accent; the letter alone where no such letter exists."""
    both = unicodedata.normalize("NFC", letter + mark)
    return both if len(both) == 1 else letter


def alike(text: str) -> str:
    """The text with one kind of space, dash, dot, slash, colon and at sign. Offsets stay."""
    return text if text.isascii() else text.translate(_ALIKE)


def bare(text: str) -> View:
    """A plain text of `alike` separators, without accents: what is left of a key in disguise."""
    if text.isascii():
        return View(text)
    view = plain(text)
    return View(alike(view.text).translate(_BARE), view.origin)


class _WithoutAccent(dict[int, int]):
    """A letter's code without its accent, by the letter's; filled as letters are met, of which there are not many."""

    def __missing__(self, code: int) -> int:
        bare_code = self[code] = ord(unicodedata.normalize("NFD", chr(code))[0])
        return bare_code


_BARE = _WithoutAccent()


def without(text: str, spans: Sequence[tuple[int, int]], filler: str) -> str:
    """The text with a filler where the spans were: same offsets, nothing to find there."""
    parts: list[str] = []
    position = 0
    for start, end in sorted(spans):
        start = max(start, position)
        if end > start:
            parts += [text[position:start], filler * (end - start)]
            position = end
    return "".join([*parts, text[position:]])
