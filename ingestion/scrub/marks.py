"""Where a text may hold an identifier: a cheap look that spares most of a text the recognisers, in linear time."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from ingestion.scrub.secrets import CREDENTIAL, CREDENTIAL_BEGIN

# A necessary condition for every recogniser in use; texts without any are not analysed: an @, an address with dots
# or colons, seven digits with little between them, a long word with digits, a word of capitals and digits, a credential.
MARKS = re.compile(
    r"@|::|[0-9a-fA-F][:-][0-9a-fA-F]{1,4}[:-]|\d\.\d{1,3}\.\d{1,3}\.\d|\d(?:[\s().+/_|*·•\\-]{0,4}\d){6}"
    r"|(?<![A-Za-z0-9_-])(?=[A-Za-z_-]*+\d)[A-Za-z0-9_-]{16,}+|\b(?=(?:[A-Z]*\d){4})[A-Z0-9]{9,16}\b|\b[XYZ]\d{7}|\b\d{8}-?[A-Z]\b"
    rf"|\b[A-Z]{{2}}(?: ?\d\d){{3}} ?[A-Z]\b|\b\d{{6}}[-+A]\d{{3}}|{CREDENTIAL}"
)
_SPACE = re.compile(r"\s")
_SIGN = re.compile(rf"[@\d]|::|[a-fA-F][:-][a-fA-F]{{1,4}}[:-]|{CREDENTIAL_BEGIN}")
# Longer than the longest gaps in a mark: six of four characters between seven digits.
_AROUND_SIGN = 40
SEVEN_DIGITS = re.compile(r"(?<![A-Za-z\d])(?<!\d\.)\d(?:[\s().+/\u2010-\u2015-]{0,4}\d){6,}")
_NO_TELEPHONE = re.compile(
    r"(?:19|20)\d\d-[01]\d-[0-3]\d(?:\s[012]\d)?|(?:1[6-9]|20)\d\d\s?[\u2010-\u2015-]{1,2}\s?(?:1[6-9]|20)\d\d|10\.\d{4,}/[\d./-]+"
)
# Texts up to here are read whole; of longer ones what stands within so many characters of a mark.
_WHOLE_CHARS, _AROUND_MARK = 400, 120
# Recognisers take more than linear time, so that they read no more at once than this. What they find is shorter than a margin.
_LONGEST_CHARS, _CORE_CHARS, _MARGIN_CHARS = 1_600, 800, 200


@dataclass(frozen=True, slots=True)
class Window:
    """A part `start:end` of a text to read. What begins in `first:last` counts; the rest is context of its neighbours."""

    start: int
    end: int
    first: int
    last: int


def windows(text: str) -> Iterator[Window]:
    """The parts of a text in which an identifier may stand, none longer than `_LONGEST_CHARS`."""
    spans = [(0, len(text))] if len(text) <= _WHOLE_CHARS else _around_marks(text)
    for start, end in spans:
        if end - start <= _LONGEST_CHARS:
            yield Window(start, end, start, end)
            continue
        for first in range(start, end, _CORE_CHARS):
            last = min(first + _CORE_CHARS, end)
            begin = max(start, first - _MARGIN_CHARS)
            if begin > start:
                begin = _next_word(text, begin, first)
            yield Window(begin, min(end, last + _MARGIN_CHARS), first, last)


def _next_word(text: str, begin: int, first: int) -> int:
    """Where a whole word begins in the margin, so that half an article number isn't taken for a telephone's."""
    space = _SPACE.search(text, begin, first)
    return space.end() if space else begin


def _around_marks(text: str) -> list[tuple[int, int]]:
    """Spans of whole words around each mark of a text, wide enough for the context words that decide about it."""
    spans: list[tuple[int, int]] = []
    known = 0
    for mark in _marks(text):
        if spans and mark.end() + _AROUND_MARK <= known:
            continue
        start = max(known, mark.start() - _AROUND_MARK)
        end = min(len(text), mark.end() + _AROUND_MARK)
        while start > known and not text[start - 1].isspace():
            start -= 1
        while end < len(text) and not text[end].isspace():
            end += 1
        if spans and start <= known:
            spans[-1] = (spans[-1][0], end)
        else:
            spans.append((start, end))
        known = end
    return spans


def _marks(text: str) -> Iterator[re.Match[str]]:
    """Matches of `MARKS`, which is searched only around matches of `_SIGN`: every mark holds one."""
    position = 0
    while (sign := _SIGN.search(text, position)) is not None:
        start, last = max(position, sign.start() - _AROUND_SIGN), sign.end()
        # Signs that are close belong to one part.
        while (other := _SIGN.search(text, last, last + _AROUND_SIGN)) is not None:
            last = other.end()
        end = min(len(text), last + _AROUND_SIGN)
        while start > position and not text[start - 1].isspace():
            start -= 1
        while end < len(text) and not text[end].isspace():
            end += 1
        yield from MARKS.finditer(text, start, end)
        position = end


def has_sign(text: str) -> bool:
    """Whether a text holds a character that every identifier holds: most words of a stream hold none."""
    return _SIGN.search(text) is not None


def may_hold_identifiers(text: str) -> bool:
    """A cheap necessary condition for any finding of a pattern."""
    return next(_marks(text), None) is not None


def may_hold_telephone(text: str) -> bool:
    """The same for telephone numbers: seven digits that no letter precedes, and that are no date, years or DOI."""
    return any(not _NO_TELEPHONE.fullmatch(found[0]) for found in SEVEN_DIGITS.finditer(text))
