"""Man pages as they are shown: `NAME(1) … NAME(1)` above, sections at the left edge, all else set in."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace

from ingestion.corpus import Block, Reading
from ingestion.load.text.lines import Line, Sheet
from ingestion.load.text.outline import blocks_of, sheet_of, verbatim

_HEADER = re.compile(r"(\S{1,80}\(\w{1,10}\)) .*(?<= )\1")
_BODY_INDENT = 5  # what stands at the left of it is a heading
_HYPHENS = str.maketrans({"‐": "-", "‑": "-", "−": "-"})
_NAMED = re.compile(r"\s+[-–—]{1,2}\s+")
_LONGEST_PURPOSE = 100
_VERBATIM = ("SYNOPSIS",)


def is_manpage(lines: Sequence[Line]) -> bool:
    """Whether the first line names the page at both its ends."""
    first = next((line for line in lines if line.text), None)
    return first is not None and _HEADER.fullmatch(first.text) is not None


def read_manpage(lines: Sequence[Line], name: str) -> Reading:
    """Sections with their terms; the title is the page's name with what it is for."""
    said = [line for line in lines if line.text]
    header = _HEADER.fullmatch(said[0].text)
    title = header[1].lower() if header else name
    body = [
        _plain(line, lines, at)
        for at, line in enumerate(lines)
        if line is not said[0] and line is not said[-1]
    ]
    sheet = replace(sheet_of(body), levels={}, is_numbered=False)
    blocks = tuple(_sections(body, sheet))
    return Reading(title=title_of(title, blocks), blocks=blocks)


def title_of(page: str, blocks: Sequence[Block]) -> str:
    """`ls(1): list directory contents`, as the first section says."""
    first = next((one.text for one in blocks if one.kind != "heading"), "")
    parts = _NAMED.split(first, maxsplit=1)
    purpose = parts[1] if len(parts) == 2 else ""
    return f"{page}: {purpose}" if 0 < len(purpose) <= _LONGEST_PURPOSE else page


def _plain(line: Line, lines: Sequence[Line], at: int) -> Line:
    """With hyphens as they are typed. One at a line's end that divides a word stays, so that the word is mended."""
    is_last = line.text.endswith("‐") and at + 1 < len(lines) and lines[at + 1].text[:1].islower()
    text = line.text[:-1].translate(_HYPHENS) + "‐" if is_last else line.text.translate(_HYPHENS)
    return Line(line.indent, text)


def _sections(lines: Sequence[Line], sheet: Sheet) -> Iterator[Block]:
    """A heading at the left edge, smaller ones a little to the right of it, and what stands below each."""
    below: list[Line] = []
    section = ""
    for line in lines:
        if not line.text or line.indent >= _BODY_INDENT:
            below.append(line)
            continue
        yield from _section(section, below, sheet)
        below, section = [], line.text
        yield Block("heading", line.text, level=3 if line.indent else 2)
    yield from _section(section, below, sheet)


def _section(title: str, lines: Sequence[Line], sheet: Sheet) -> Iterator[Block]:
    if title in _VERBATIM and any(line.text for line in lines):
        yield verbatim(lines, 0)
    else:
        yield from blocks_of(lines, sheet)
