"""Tables as text: every row is a line that repeats the header, so it can be found and quoted alone."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import takewhile

from ingestion.corpus import Block
from ingestion.load.table_form import column_names, guess_header_rows, is_name, is_number, title_rows

# What is longer names no column: repeated in every row it would be most of the text.
_LONGEST_NAME_CHARS = 200
_LONGEST_SECTION_CHARS = 120


def row_text(header: Sequence[str], cells: Sequence[str]) -> str:
    """`Method: Standard; Time: 3 to 5 days`. Cells without a header stand alone; empty ones go, and so does what a merged cell
    says again under the same name."""
    parts: dict[tuple[str, int], str] = {}
    for index, cell in enumerate(cells):
        cell = " ".join(cell.split())
        name = " ".join(header[index].split()) if index < len(header) else ""
        if cell:
            part = f"{name.rstrip(':')}: {cell}" if name else cell
            parts.setdefault((part, 0 if name else index), part)
    return "; ".join(parts.values())


def table_blocks(
    rows: Sequence[Sequence[str]],
    page: int | None = None,
    *,
    header_rows: int | None = None,
    is_keyed: bool | None = None,
    caption: str = "",
    sections: Collection[int] | None = None,
) -> Iterator[Block]:
    """The rows of a table, each with its header; a merged cell stands in every place that it covers.

    `header_rows` of them are the header, `is_keyed` says whether the first column names what the second one says, and
    `sections` are the rows over the whole width that name those below them; where the format doesn't tell (None), they are
    guessed. `caption` is what the table says of itself; rows at the top that hold one text alone are captions too.
    """
    if caption.strip():
        yield Block("paragraph", caption, page=page)
    lines = _lines(rows, sections)
    width = max((len(line.cells) for line in lines), default=0)
    titles = title_rows([line.cells for line in lines], width)
    for line in lines[:titles]:
        yield Block("paragraph", next(filter(None, line.cells)), page=page)
    lines = lines[titles:]
    cells = [line.cells for line in lines]
    declared = None if header_rows is None else sum(any(map(str.strip, row)) for row in rows[:header_rows])
    count = _header_rows(cells, width, declared, titles, is_keyed)
    table = _Table(column_names(cells[:count]), frozenset(map(tuple, cells[:count])), is_keyed, width, page)
    found = list(table.blocks(lines[count:]))
    # Rows that are all alike are no repeated header.
    yield from found or [Block("row", row_text((), row), page=page) for row in cells[:count]]


def _header_rows(
    cells: Sequence[Sequence[str]], width: int, declared: int | None, titles: int, is_keyed: bool | None
) -> int:
    """How many rows are the header: as declared, but for titles among them. The last row is never one."""
    count = None if declared is None or 0 < declared <= titles else max(declared - titles, 0)
    if count is None:
        count = 0 if is_keyed and not declared else guess_header_rows(cells, width)
    return min(count, max(len(cells) - 1, 0))


@dataclass(frozen=True, slots=True)
class _Line:
    cells: list[str]
    is_section: bool


def _lines(rows: Sequence[Sequence[str]], sections: Collection[int] | None) -> list[_Line]:
    """The rows in which something stands, without columns in which nothing does."""
    clean = [[" ".join(cell.split()) for cell in row] for row in rows]
    columns = sorted({index for row in clean for index, cell in enumerate(row) if cell})
    is_dense = columns == list(range(len(columns)))
    lines = []
    for number, row in enumerate(clean):
        if any(row):
            cells = row[: len(columns)] if is_dense else _at(row, columns)
            is_section = _is_section(cells, len(columns)) if sections is None else number in sections
            lines.append(_Line(cells, is_section))
    return lines


def _at(row: Sequence[str], columns: Sequence[int]) -> list[str]:
    return [row[index] for index in takewhile(lambda one: one < len(row), columns)]


def _is_section(cells: Sequence[str], width: int) -> bool:
    """One text in all of three cells or more. Two may be alike by chance."""
    return width > 2 and len(cells) == width and len(set(cells)) == 1 and not is_number(cells[0])


@dataclass(frozen=True, slots=True)
class _Table:
    """What holds for all rows of a table."""

    names: Sequence[str]
    header: frozenset[tuple[str, ...]]
    is_keyed: bool | None
    width: int
    page: int | None

    def blocks(self, lines: Sequence[_Line]) -> Iterator[Block]:
        """Rows, those of a section below its name. A header that is printed again goes."""
        depth = 0
        for number, line in enumerate(lines):
            if line.is_section:
                text = next(filter(None, line.cells))
                is_followed = number + 1 < len(lines) and not lines[number + 1].is_section
                depth = int(is_followed and len(text) <= _LONGEST_SECTION_CHARS)
                yield Block("term" if depth else "paragraph", text, page=self.page)
            elif tuple(line.cells) not in self.header:
                yield Block("row", self._text(line.cells), page=self.page, depth=depth)

    def _text(self, cells: Sequence[str]) -> str:
        if self.names:
            return row_text([self._name(index) for index in range(len(cells))], cells)
        key, *values = cells
        has_key = bool(key) and is_name(key) and any(values)
        is_keyed = self.width == 2 and not is_number(key) if self.is_keyed is None else self.is_keyed
        if has_key and is_keyed:
            return f"{key.rstrip(':')}: {row_text((), values)}"
        return row_text((), cells)

    def _name(self, index: int) -> str:
        name = self.names[index] if index < len(self.names) else ""
        return name if len(name) <= _LONGEST_NAME_CHARS else ""
