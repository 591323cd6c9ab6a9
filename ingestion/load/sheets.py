"""A sheet as tables: its titles stand above it, merged cells in every place that they cover."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from ingestion.corpus import Block
from ingestion.load.rows import table_blocks

# A longer text of a merged cell stands once; and so many places of merged cells, and of a sheet without cells, are filled.
_LONGEST_REPEATED = 200
_MOST_FILLED = 1_000_000


# First row, first column, last row, last column, from 1.
Area = tuple[int, int, int, int]


@dataclass(slots=True)
class Sheet:
    """Rows in order, each a cell's text by its column; `numbers` are their rows in the sheet, from 1.

    `tables` are the areas that the sheet declares as tables, with how many rows of header each has. `chars` counts hidden
    ones too.
    """

    rows: list[dict[int, str]] = field(default_factory=list)
    numbers: list[int] = field(default_factory=list)
    merged: list[Area] = field(default_factory=list)
    tables: list[tuple[Area, int]] = field(default_factory=list)
    hidden: list[str] = field(default_factory=list)
    chars: int = 0
    has_more: bool = False

    def add(self, number: int, seen: dict[int, str], hidden: Sequence[str], most_rows: int) -> None:
        """A row: what is seen of it, and what is hidden. Of those beyond the limit only that they are there."""
        self.chars += sum(map(len, hidden)) + sum(map(len, seen.values()))
        if hidden:
            self.hidden.append("; ".join(hidden))
        if seen and len(self.rows) < most_rows:
            self.rows.append(seen)
            self.numbers.append(number)
        elif seen:
            self.has_more = True


def sheet_blocks(sheet: Sheet) -> Iterator[Block]:
    """The rows of a sheet; what it declares as a table has the header that it declares."""
    _fill(sheet)
    rest = list(zip(sheet.numbers, sheet.rows, strict=True))
    for (top, left, bottom, right), header in sorted(sheet.tables):
        before = [row for row in rest if row[0] < top]
        within = [row for row in rest if top <= row[0] <= bottom]
        rest = [row for row in rest if row[0] > bottom]
        if before:
            yield from _area([row for _, row in before])
        beside = [{c: t for c, t in row.items() if not left <= c <= right} for _, row in within]
        yield from _area([{c: t for c, t in row.items() if left <= c <= right} for _, row in within], header)
        yield from _area(beside)
    yield from _area([row for _, row in rest])


def _area(rows: Sequence[dict[int, str]], header_rows: int | None = None) -> Iterator[Block]:
    rows = [row for row in rows if row]
    columns = sorted({column for row in rows for column in row})
    titles = 0 if header_rows is not None or len(columns) < 2 else _titles(rows)
    for row in rows[:titles]:
        yield Block("paragraph", next(iter(row.values())))
    rows = rows[titles:]
    columns = sorted({column for row in rows for column in row})
    filled = sum(map(len, rows))
    if len(columns) * len(rows) > _MOST_FILLED + 20 * filled:
        # So empty that a line of cells each would be nearly all of it.
        yield from table_blocks([list(row.values()) for row in rows], header_rows=0)
    else:
        yield from table_blocks([[row.get(c, "") for c in columns] for row in rows], header_rows=header_rows)


def _titles(rows: Sequence[dict[int, str]]) -> int:
    """How many rows at the top say one thing only, above a table of more."""
    for number, row in enumerate(rows):
        if len(set(row.values())) > 1:
            return number
    return 0


def _fill(sheet: Sheet) -> None:
    """Repeat the text of merged cells in the places that they cover."""
    left_to_fill = _MOST_FILLED
    index = {number: place for place, number in enumerate(sheet.numbers)}
    for top, left, bottom, right in sheet.merged:
        first = index.get(top)
        text = sheet.rows[first].get(left, "") if first is not None else ""
        if not text or len(text) > _LONGEST_REPEATED:
            continue
        for place in range(first or 0, len(sheet.rows)):
            if sheet.numbers[place] > bottom or left_to_fill <= 0:
                break
            row = sheet.rows[place]
            last = min(right, left + left_to_fill)
            for column in range(left, last + 1):
                row.setdefault(column, text)
            left_to_fill -= last - left + 1
