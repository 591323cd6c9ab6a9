"""Headings of plain text: underlined ones, numbered ones, and lines in capitals."""

import re
from collections.abc import Mapping, Sequence

from ingestion.corpus import Block
from ingestion.load.text.lines import Line, Sheet

_ADORNED = re.compile(r"([!-/:-@\[-`{-~])\1{2,}")
_NUMBERED = re.compile(
    r"(?:(?:Chapter|Appendix|Section|Kapitel|Anhang) )?(\d{1,3}(?:\.\d{1,3}){0,5}|[A-Z](?:\.\d{1,3}){1,5})[.:)]? +(?=[^\W_])"
)
_LONGEST = 100
_LONGEST_SHOUTED = 60
_MOST_NUMBERED_WORDS = 12


def levels_of(lines: Sequence[Line]) -> Mapping[str, int]:
    """The ranks of what headings are underlined with, in the order in which each comes first; overlined ones are apart."""
    levels: dict[str, int] = {}
    for at in range(len(lines)):
        found = _underlined(lines, at)
        if found:
            levels.setdefault(found[1], len(levels) + 1)
    return levels


def is_numbered(lines: Sequence[Line]) -> bool:
    """Whether some heading has a number of two parts, so that one part may be a chapter's."""
    return any("." in found[1] for at in range(len(lines)) if (found := _number(lines, at)))


def heading_rule(lines: Sequence[Line], at: int, sheet: Sheet, depth: int) -> tuple[list[Block], int] | None:
    """A heading at the left edge."""
    if lines[at].indent or depth:
        return None
    underlined = _underlined(lines, at)
    if underlined:
        text, style, after = underlined
        return [Block("heading", _calm(text), level=min(6, sheet.levels.get(style, 2)))], after
    if _ADORNED.fullmatch(lines[at].text):
        return [], at + 1
    numbered = _number(lines, at)
    if numbered and (sheet.is_numbered or "." in numbered[1]):
        level = 1 + numbered[1].count(".") + bool(at)
        return [Block("heading", lines[at].text, level=min(6, level))], at + 1
    if _is_alone(lines, at) and _is_shouted(lines[at].text):
        return [Block("heading", _calm(lines[at].text), level=2 if at else 1)], at + 1
    return None


def _underlined(lines: Sequence[Line], at: int) -> tuple[str, str, int] | None:
    """A title with a line of one sign below it, perhaps also above: its text, the signs, and where it ends."""
    first = _ADORNED.fullmatch(lines[at].text)
    title_at = at + 1 if first else at
    if title_at + 1 >= len(lines):
        return None
    title, under = lines[title_at], _ADORNED.fullmatch(lines[title_at + 1].text)
    if not under or not title.text or len(title.text) > _LONGEST or not any(map(str.isalnum, title.text)):
        return None
    if first and first[0] != under[0]:
        return None
    before = lines[at - 1].text if at else ""
    is_close = len(under[0]) >= min(len(title.text) - 2, 3) and not before
    return (title.text, under[1] + (first[1] if first else ""), title_at + 2) if is_close else None


def _number(lines: Sequence[Line], at: int) -> re.Match[str] | None:
    """The number of a line that stands alone and is no sentence."""
    text = lines[at].text
    if lines[at].indent or not text or len(text) > _LONGEST or text.endswith((".", ",", ";", ":", "?")):
        return None
    if (
        ". . " in text
        or "..." in text
        or len(text.split()) > _MOST_NUMBERED_WORDS
        or not _is_alone(lines, at)
    ):
        return None
    return _NUMBERED.match(text)


def _is_alone(lines: Sequence[Line], at: int) -> bool:
    before = lines[at - 1].text if at else ""
    after = lines[at + 1].text if at + 1 < len(lines) else ""
    return not before and not after


def _is_shouted(text: str) -> bool:
    return text.isupper() and 3 < len(text) <= _LONGEST_SHOUTED


def _calm(text: str) -> str:
    return text.capitalize() if text.isupper() and len(text) > 5 else text
