"""Plain text to blocks: headings, wrapped paragraphs, lists, terms with their explanation, code; changelogs and logs."""

import re

from ingestion.corpus import Block, Reading
from ingestion.load.encodings import decode
from ingestion.load.text.changelog import changelog_blocks, is_changelog
from ingestion.load.text.lines import lines_of
from ingestion.load.text.manpage import is_manpage, read_manpage
from ingestion.load.text.outline import blocks_of, sheet_of

__all__ = ["decode", "read_log", "read_text"]

_LONGEST_TITLE = 80
_SHORTEST_CONTENTS, _LONGEST_HEADING = 5, 200
_WORD = re.compile(r"[^\W\d_]+")


def read_text(data: bytes, name: str) -> Reading:
    """The blocks of a text by how it is set: blank lines, indentation, underlines, marks of lists."""
    lines = lines_of(decode(data))
    if is_manpage(lines):
        return read_manpage(lines, name)
    if is_changelog(lines):
        return Reading(title=name, blocks=tuple(changelog_blocks(lines)))
    blocks = _without_contents(list(blocks_of(lines, sheet_of(lines))))
    return Reading(title=_title(blocks, name), blocks=tuple(blocks))


def _without_contents(blocks: list[Block]) -> list[Block]:
    """Without a table of contents: items that say what headings say."""
    headings = {_words(block) for block in blocks if block.kind == "heading"}
    listed = sum(block.kind == "item" and _words(block) in headings for block in blocks)
    if listed < _SHORTEST_CONTENTS:
        return blocks
    return [block for block in blocks if block.kind != "item" or _words(block) not in headings]


def _words(block: Block) -> tuple[str, ...]:
    """The words of a short block, without its number."""
    return tuple(_WORD.findall(block.text.lower())) if len(block.text) <= _LONGEST_HEADING else ()


def _title(blocks: list[Block], name: str) -> str:
    """The first heading, unless it is one of several with numbers, such as those of versions; else a short first line."""
    first = blocks[0] if blocks else Block("paragraph", "")
    if first.kind == "heading":
        is_one_of_many = any(one.kind == "heading" and one.level == first.level for one in blocks[1:])
        return name if is_one_of_many and any(map(str.isdigit, first.text)) else first.text
    return first.text if first.kind != "code" and 0 < len(first.text) <= _LONGEST_TITLE else name


_STAMP = re.compile(r"\s*[\[<(]?(?:\d{4}-\d\d-\d\d|\d\d[:/.]\d\d|[A-Z][a-z]{2} [ \d]\d |\d{6,})")


def read_log(data: bytes, name: str) -> Reading:
    """Each line a row; what is indented, or has no time where others have one, goes with the line before."""
    text = decode(data).replace("\r\n", "\n").replace("\r", "\n")
    lines = [line.rstrip() for line in text.split("\n") if line.strip()]
    is_stamped = (
        sum(_STAMP.match(line) is not None for line in lines) > 1 and _STAMP.match(lines[0]) is not None
    )
    rows: list[list[str]] = []
    for line in lines:
        goes_on = line[:1].isspace() or (is_stamped and not _STAMP.match(line))
        if rows and goes_on:
            rows[-1].append(line.strip())
        else:
            rows.append([line.strip()])
    return Reading(title=name, blocks=tuple(Block("row", "\n".join(row)) for row in rows))
