"""HTML tables to rows: what their tags say of header, keys, titles and sections. Tables that only lay out a page are none."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from lxml.html import HtmlElement

from ingestion.corpus import Block
from ingestion.load.html.grid import Cell, Line, grid_of, lines_of, span
from ingestion.load.html.inline import Page
from ingestion.load.html.tree import children, tokens
from ingestion.load.rows import table_blocks
from ingestion.load.table_form import is_number

_LAYOUT_CLASSES = frozenset(("highlighttable", "layout", "simplelist"))


def table_lines(page: Page, table: HtmlElement) -> list[Line]:
    """The rows that are shown, with their shown cells."""
    lines = (
        replace(line, cells=tuple(cell for cell in line.cells if cell not in page.dropped))
        for line in lines_of(table)
        if not line.cells or line.cells[0].getparent() not in page.dropped
    )
    return [line for line in lines if line.cells]


def is_layout(page: Page, table: HtmlElement, lines: Sequence[Line]) -> bool:
    """Whether cells hold parts of a page rather than values: headings and tables, or everything in one of them."""
    if table.get("role") in ("presentation", "none") or not _LAYOUT_CLASSES.isdisjoint(tokens(table)):
        return True
    cells = [cell for line in lines for cell in line.cells]
    if any(cell.tag == "th" for cell in cells):
        return False
    holding = [page.facts[cell] for cell in cells if page.facts[cell].has_blocks]
    return any(facts.has_heading or facts.has_table for facts in holding) or (
        bool(holding) and len(lines) == 1
    )


def entries_of(page: Page, lines: Sequence[Line]) -> list[list[HtmlElement]]:
    """The paragraphs of each cell, in a table of one column whose cells explain what their first paragraph names."""
    body = [line.cells[0] for line in lines if not line.is_head]
    if any(len(line.cells) != 1 for line in lines) or len(body) < 2:
        return []
    entries = [
        [child for child in children(cell) if child not in page.dropped] for cell in body if cell.tag == "td"
    ]
    are_named = all(entry and entry[0].tag == "p" and len(entry) > 1 for entry in entries)
    return entries if entries and are_named else []


def rows_of(page: Page, table: HtmlElement, lines: Sequence[Line]) -> Iterator[Block]:
    """The rows of a table of values, its caption first."""
    caption = next((child for child in children(table) if child.tag == "caption"), None)
    if caption is not None and caption not in page.dropped:
        yield Block("paragraph", page.text(caption))
    grid = grid_of(
        [[_cell(page, element) for element in line.cells] for line in lines],
        [line.group for line in lines],
    )
    heads = _heads(grid, lines)
    is_telling = any(heads) or any(cell.is_header for row in grid for cell in row)
    if not is_telling:
        sections = {index for index, row in enumerate(grid) if _is_wide(row)}
        yield from table_blocks(_texts(grid), is_keyed=_is_untold_key(grid) or None, sections=sections)
        return
    for part in _parts(grid, heads):
        yield from part.blocks()


def _cell(page: Page, element: HtmlElement) -> Cell:
    facts = page.facts[element]
    is_bold = facts.size > 0 and facts.bold == facts.size
    is_header = element.tag == "th" or is_bold or element.get("scope") in ("row", "col")
    return Cell(page.text(element), is_header, span(element, "colspan"), span(element, "rowspan"))


def _texts(grid: Sequence[Sequence[Cell]]) -> list[list[str]]:
    return [[cell.text for cell in row] for row in grid]


def _is_wide(row: Sequence[Cell]) -> bool:
    """Whether one cell covers the whole row."""
    return len(row) > 1 and bool(row[0].text) and all(cell is row[0] for cell in row)


def _is_untold_key(grid: Sequence[Sequence[Cell]]) -> bool:
    """Whether two columns, of which no tag says what they are, are names and values: who names columns of words marks them."""
    rows = [row for row in grid if not _is_wide(row)]
    is_pair = bool(rows) and all(len(row) == 2 for row in rows)
    return is_pair and not all(is_number(row[1].text) for row in rows[1:] if row[1].text)


def _heads(grid: Sequence[Sequence[Cell]], lines: Sequence[Line]) -> list[bool]:
    """Which rows name columns: those of `<thead>`, and those that hold nothing but header cells."""
    width = max(map(len, grid), default=0)
    found = []
    for row, line in zip(grid, lines, strict=True):
        filled = {id(cell): cell for cell in row if cell.text}
        is_named = all(cell.is_header for cell in filled.values()) and (len(filled) > 1 or width == 1)
        found.append(bool(filled) and (line.is_head or is_named))
    # Where every row holds header cells alone, the first one names the columns.
    return [True, *[False] * (len(found) - 1)] if len(found) > 1 and all(found) else found


@dataclass(frozen=True, slots=True)
class _Part:
    """Rows below one header. `titles` stand above it over the whole width."""

    titles: Sequence[str]
    header: Sequence[Sequence[Cell]]
    body: Sequence[Sequence[Cell]]

    def blocks(self) -> Iterator[Block]:
        yield from (Block("paragraph", title) for title in self.titles)
        width = max(map(len, (*self.header, *self.body)), default=0)
        sections = {
            index + len(self.header)
            for index, row in enumerate(self.body)
            if _is_wide(row) and len(row) == width
        }
        values = [row for row in self.body if not _is_wide(row)]
        is_keyed = bool(values) and all(row[0].is_header or not row[0].text for row in values)
        if not self.header and values and all(map(_is_paired, values)):
            pairs = [row[at : at + 2] for row in self.body for at in range(0, len(row), 2)]
            yield from table_blocks(_texts(pairs), header_rows=0, is_keyed=True)
            return
        yield from table_blocks(
            _texts([*self.header, *self.body]),
            header_rows=None if self._is_doubtful(is_keyed) else len(self.header),
            is_keyed=is_keyed or None,
            sections=sections,
        )

    def _is_doubtful(self, is_keyed: bool) -> bool:
        """Whether a header is none after all: Markdown has no table without one, so that facts begin with a pair in it."""
        if not self.header:
            return not is_keyed
        first = self.header[0]
        return len(self.header) == 1 and len(first) == 2 and bool(first[0].text) and is_number(first[1].text)


def _is_paired(row: Sequence[Cell]) -> bool:
    """Names and values in turn, more than one pair of them."""
    return (
        len(row) > 3
        and len(row) % 2 == 0
        and all(cell.is_header == (at % 2 == 0) for at, cell in enumerate(row))
    )


def _parts(grid: Sequence[Sequence[Cell]], heads: Sequence[bool]) -> Iterator[_Part]:
    """The table cut where another header begins."""
    titles: list[str] = []
    header: list[Sequence[Cell]] = []
    body: list[Sequence[Cell]] = []
    for row, is_head in zip(grid, heads, strict=True):
        is_title = _is_wide(row) and not header and not body
        if is_head and body and not is_title:
            yield _Part(titles, header, body)
            titles, header, body = [], [], []
        if is_title:
            titles.append(row[0].text)
        elif is_head:
            header.append(row)
        else:
            body.append(row)
    if header or body or titles:
        yield _Part(titles, header, body)
