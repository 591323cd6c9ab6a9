"""Tables with merged cells: the text in every place that a cell covers, a title over the full width above the rows."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from ingestion.corpus import Block
from ingestion.load.rows import table_blocks

MAX_COLUMNS = 100
_LONGEST_REPEATED = 200
_MOST_REPEATED_CHARS = 1_000_000  # in one table


@dataclass(slots=True)
class Grid:
    """A table that is filled row by row, from the left. No row is wider than `MAX_COLUMNS`."""

    rows: list[list[str]] = field(default_factory=list)
    _open: dict[int, tuple[int, str]] = field(default_factory=dict)
    _chars: int = 0

    def start_row(self) -> None:
        """Begin a row, with what cells above reach into it at its left."""
        self.rows.append([])
        self._reach()

    def add(self, text: str, *, columns: int = 1, rows: int = 1) -> None:
        """A cell; a long text stands once, whatever it covers."""
        row = self.rows[-1]
        for number in range(max(1, min(columns, MAX_COLUMNS - len(row)))):
            if len(row) >= MAX_COLUMNS:
                break
            if rows > 1:
                self._open[len(row)] = (rows - 1, text)
            row.append(self._again(text) if number else text)
        self._reach()

    def add_covered(self) -> None:
        """A place that a cell above covers, where the format counts it as a cell."""
        above = self.rows[-2] if len(self.rows) > 1 else []
        place = len(self.rows[-1])
        text = above[place] if place < len(above) else ""
        self.add(self._again(text))

    def _reach(self) -> None:
        row = self.rows[-1]
        while len(row) in self._open:
            left, text = self._open.pop(len(row))
            if left > 1:
                self._open[len(row)] = (left - 1, text)
            row.append(self._again(text))

    def _again(self, text: str) -> str:
        """The text where it is repeated, unless that would be too much of it."""
        self._chars += len(text)
        return text if len(text) <= _LONGEST_REPEATED and self._chars <= _MOST_REPEATED_CHARS else ""


def blocks_of(
    rows: Sequence[Sequence[str]],
    page: int | None = None,
    *,
    header_rows: int | None = None,
    is_keyed: bool | None = None,
) -> Iterator[Block]:
    """The rows of a table whose merged cells are filled; titles over its full width are its caption."""
    titles = _titles(rows)
    caption = " ".join(dict.fromkeys(" ".join(row[0].split()) for row in rows[:titles]))
    if titles and header_rows is not None:
        header_rows = header_rows - titles if header_rows > titles else None
    yield from table_blocks(rows[titles:], page, header_rows=header_rows, is_keyed=is_keyed, caption=caption)


def _titles(rows: Sequence[Sequence[str]]) -> int:
    """How many rows at the top are one cell over the full width, above rows of several."""
    width = max(map(len, rows), default=0)
    for number, row in enumerate(rows):
        is_title = width > 1 and len(row) == width and row[0].strip() and len(set(row)) == 1
        if not is_title:
            return number
    return 0
