"""Paragraphs to blocks: which short line names what the indented text below it explains, and what stands in columns."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import pairwise
from statistics import fmean

from ingestion.corpus import Block
from ingestion.load.pdf.cells import Table
from ingestion.load.pdf.paragraphs import Paragraph
from ingestion.load.pdf.tables import blocks_of, with_header_of
from ingestion.load.pdf.together import together
from ingestion.load.rows import row_text, table_blocks

_LONGEST_TERM, _LONGEST_PLAIN_TERM, _LONGEST_LEAD = 120, 60, 60
_MOST_LINES, _MOST_OPTIONS, _MOST_NAMES = 2, 4, 6
# In parts of the letters' size.
_DEEPER, _SAME_LEVEL, _SAME_SIZE = 0.9, 0.5, 0.12
# So many pairs with the same two indents show a list of terms where nothing else does.
_PAIRS = 3
_PROSE_WORDS = 3
_ENDS = (".", "!", "?", ",", ";", ":")


class Terms:
    """Makes blocks of paragraphs in order, and keeps under which terms the next one stands."""

    def __init__(self, paragraphs: Sequence[Paragraph], words: frozenset[str]) -> None:
        self._paragraphs = paragraphs
        self._words = words
        self._above: list[float] = []
        self._last: Table | None = None
        self._pairs = Counter(
            _indents(one, following)
            for one, following in pairwise(paragraphs)
            if _may_be_term(one, _LONGEST_PLAIN_TERM) and _is_deeper(one, following)
        )

    def blocks(self) -> Iterator[tuple[int, Block]]:
        """Blocks, each with the number of the paragraph of which it is made."""
        index = 0
        while index < len(self._paragraphs):
            paragraph = self._paragraphs[index]
            self._leave(paragraph)
            names = self._names(index)
            if names:
                yield (
                    index,
                    self._term(
                        paragraph, ", ".join(map(self._name, self._paragraphs[index : index + names]))
                    ),
                )
                index += names
                continue
            count = self._columns(index) if paragraph.kind == "tabular" else 0
            made = self._list(index, count) if count else self._plain(paragraph)
            yield from ((index, block) for block in made)
            index += max(count, 1)

    def _leave(self, paragraph: Paragraph) -> None:
        """Forget the terms to whose explanation a paragraph no longer belongs."""
        if paragraph.kind == "heading":
            self._above = []
        while self._above and paragraph.indent <= self._above[-1] + _SAME_LEVEL * paragraph.size:
            self._above.pop()

    def _term(self, paragraph: Paragraph, name: str) -> Block:
        self._last = None
        block = Block("term", name, page=paragraph.page, depth=len(self._above))
        self._above.append(paragraph.indent)
        return block

    def _name(self, paragraph: Paragraph) -> str:
        return ", ".join(line.text.strip().rstrip(",") for line in paragraph.lines)

    def _names(self, index: int) -> int:
        """How many paragraphs from here on are names of what the next one explains."""
        for end in range(index, min(index + _MOST_NAMES, len(self._paragraphs) - 1)):
            one, following = self._paragraphs[end], self._paragraphs[end + 1]
            if not _may_be_term(one, _LONGEST_TERM):
                return 0
            if _is_deeper(one, following):
                is_list = following.kind != "code" and self._pairs[_indents(one, following)] >= _PAIRS
                is_name = is_list and _may_be_term(one, _LONGEST_PLAIN_TERM)
                return end - index + 1 if is_name or _stands_out(one) else 0
            if not (_stands_out(one) and _is_beside(one, following)):
                return 0
        return 0

    def _plain(self, paragraph: Paragraph) -> Iterator[Block]:
        if paragraph.first.table is not None:
            yield from self._table(paragraph.first.table)
            return
        self._last = None
        text, page = paragraph.text(self._words), paragraph.page
        lead = paragraph.first.segments[0].lead
        if paragraph.kind == "heading":
            yield Block("heading", text, level=paragraph.level, page=page)
        elif lead and _hangs(paragraph) and len(lead) <= _LONGEST_LEAD and text.startswith(lead):
            yield self._term(paragraph, lead.rstrip(" :–—-"))
            yield Block("paragraph", text[len(lead) :].lstrip(" :–—-"), page=page, depth=len(self._above))
        elif paragraph.kind == "tabular":
            parts = [segment.text for segment in paragraph.first.segments]
            yield Block("row", row_text((), parts), page=page, depth=len(self._above))
        else:
            kind = {"item": "item", "code": "code"}.get(paragraph.kind, "paragraph")
            yield Block(kind, text, page=page, depth=len(self._above))  # type: ignore[arg-type]

    def _table(self, table: Table) -> Iterator[Block]:
        """A table's rows; it may go on with the last one where nothing stands between them."""
        before = self._last if self._last is not None and table.continues(self._last) else None
        for block in blocks_of(table, before):
            yield replace(block, depth=len(self._above))
        self._last = table if before is None else with_header_of(table, before)

    def _columns(self, index: int) -> int:
        """How many rows from here on stand in the same columns."""
        end = index + 1
        while end < len(self._paragraphs) and _is_aligned(self._paragraphs[index], self._paragraphs[end]):
            end += 1
        is_list = end - index > 1 or len(self._paragraphs[index].lines) > 1
        return end - index if is_list else 0

    def _list(self, index: int, count: int) -> Iterator[Block]:
        """Rows in columns: terms with their explanations, facts, or a table without rules."""
        rows = self._paragraphs[index : index + count]
        cells = [self._cells(paragraph) for paragraph in rows]
        page, depth = rows[0].page, len(self._above)
        is_pair = all(len(row) == 2 for row in cells)
        if count > 1 and rows[0].first.is_bold and not rows[1].first.is_bold:
            yield from table_blocks(cells, page, header_rows=1, is_keyed=False)
        elif is_pair and fmean(len(row[1].split()) for row in cells) >= _PROSE_WORDS:
            for paragraph, (name, explanation) in zip(rows, cells, strict=True):
                yield Block("term", name, page=paragraph.page, depth=depth)
                yield Block("paragraph", explanation, page=paragraph.page, depth=depth + 1)
        else:
            yield from table_blocks(cells, page, is_keyed=True if is_pair else None)

    def _cells(self, paragraph: Paragraph) -> list[str]:
        cells = [segment.text for segment in paragraph.first.segments]
        others = (line.text.strip() for line in paragraph.lines[1:])
        return [*cells[:-1], together((cells[-1], *others), self._words)]


def _may_be_term(paragraph: Paragraph, longest: int) -> bool:
    if paragraph.kind not in ("text", "code"):
        return False
    is_option = all(line.text.startswith("-") for line in paragraph.lines)
    if len(paragraph.lines) > (_MOST_OPTIONS if is_option else _MOST_LINES):
        return False
    if any(
        len(line.text) > longest or line.x0 - line.left > paragraph.indent + 1 for line in paragraph.lines
    ):
        return False
    end = paragraph.lines[-1].text.rstrip()[-1:]
    return end not in _ENDS or (_stands_out(paragraph) and end in (":", ",", ";"))


def _stands_out(paragraph: Paragraph) -> bool:
    """Whether a paragraph looks like a name: a monospaced or bold face, or an option's dash."""
    return all(line.is_mono or line.is_bold or line.text.startswith("-") for line in paragraph.lines)


def _is_deeper(one: Paragraph, following: Paragraph) -> bool:
    is_listing = one.kind == following.kind == "code"
    if following.kind == "heading" or is_listing or following.page - one.page > 1:
        return False
    if abs(one.size - following.size) > _SAME_SIZE * one.size:
        return False
    deepest = one.indent + _DEEPER * one.size
    return min(line.x0 - line.left for line in following.lines) > deepest


def _is_beside(one: Paragraph, following: Paragraph) -> bool:
    return one.page == following.page and abs(one.indent - following.indent) < _SAME_LEVEL * one.size


def _indents(one: Paragraph, following: Paragraph) -> tuple[int, int]:
    return round(one.indent / 3), round(following.indent / 3)


def _hangs(paragraph: Paragraph) -> bool:
    first, *others = paragraph.lines
    return bool(others) and all(line.x0 > first.x0 + _DEEPER * first.size for line in others)


def _is_aligned(one: Paragraph, other: Paragraph) -> bool:
    """Whether two rows have their parts in the same places, at their beginnings or at their ends."""
    if other.kind != "tabular" or (one.page, one.first.column) != (other.page, other.first.column):
        return False
    first, second = one.first.segments, other.first.segments
    return len(first) == len(second) and all(
        min(abs(a.x0 - b.x0), abs(a.x1 - b.x1), abs(a.x0 + a.x1 - b.x0 - b.x1) / 2) < one.size
        for a, b in zip(first, second, strict=True)
    )
