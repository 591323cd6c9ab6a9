"""Changelogs of Debian packages (deb-changelog(5)): a heading for each version, an item for each change."""

import re
from collections.abc import Iterator, Sequence

from ingestion.corpus import Block
from ingestion.load.text.lines import Line, joined, words_of

_ENTRY = re.compile(r"[\w.+-]+ \([^()\s]{1,100}\) [^;]{1,200}; *urgency=")
_SIGNED = re.compile(r"-- (.*)")
_ITEM = re.compile(r"[*+o-] +(?=\S)")
_GROUP = re.compile(r"\[ [^\]]{1,100} \]")


def is_changelog(lines: Sequence[Line]) -> bool:
    """Whether the first line that says something begins an entry."""
    first = next((line for line in lines if line.text), None)
    return first is not None and first.indent == 0 and _ENTRY.match(first.text) is not None


def changelog_blocks(lines: Sequence[Line]) -> Iterator[Block]:
    """`package (version) distribution` as a heading, its changes, and who signed it when."""
    words = words_of(lines)
    item: list[Line] = []
    for line in lines:
        is_entry = line.indent == 0 and _ENTRY.match(line.text) is not None
        mark = _ITEM.match(line.text)
        signed = _SIGNED.match(line.text) if line.indent <= 1 else None
        if not line.text or is_entry or mark or signed or _GROUP.fullmatch(line.text):
            yield from _item(item, words)
            item = []
        if is_entry:
            yield Block("heading", line.text.partition(";")[0], level=2)
        elif signed:
            yield Block("paragraph", signed[1])
        elif mark:
            item = [Line(line.indent, line.text[mark.end() :])]
        elif line.text:
            item.append(line)
    yield from _item(item, words)


def _item(lines: Sequence[Line], words: frozenset[str]) -> Iterator[Block]:
    if lines:
        yield Block("item", joined(lines, words))
