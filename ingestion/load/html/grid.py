"""Rows and cells of an HTML table as a grid in which a merged cell stands in every place that it covers. Pure."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from lxml.html import HtmlElement

from ingestion.load.html.tree import children

_MOST_COLUMNS, _MOST_ROWS = 1_000, 65_534  # the bounds of the HTML standard
_COPIES = 16
_NUMBER = re.compile(r"\s*(\d{1,7})")
_GROUPS = frozenset(("thead", "tbody", "tfoot"))
_WRAPPERS = frozenset(("form", "center"))
TABLE_PARTS = _GROUPS | _WRAPPERS | {"tr", "caption", "colgroup", "col"}


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell, and whether it is a header's; a merged one is the same object in every place."""

    text: str
    is_header: bool = False
    columns: int = 1
    rows: int = 1


@dataclass(frozen=True, slots=True)
class Line:
    """A row of the table: its elements, and the group in which it stands."""

    cells: tuple[HtmlElement, ...]
    is_head: bool
    group: int


EMPTY = Cell("")


def lines_of(table: HtmlElement) -> Iterator[Line]:
    """The table's own rows, not those of tables within it. Rows within a form count."""
    stack = [(child, False, 0) for child in reversed(list(children(table)))]
    group = 0
    while stack:
        element, is_head, inside = stack.pop()
        if element.tag == "tr":
            cells = tuple(child for child in children(element) if child.tag in ("td", "th"))
            yield Line(cells, is_head, inside)
        elif element.tag in _GROUPS or element.tag in _WRAPPERS:
            group += 1
            is_head = is_head or element.tag == "thead"
            stack += [(child, is_head, group) for child in reversed(list(children(element)))]


def span(element: HtmlElement, name: str) -> int:
    """How many columns (`colspan`) or rows (`rowspan`) a cell covers; 0 rows are all that are left."""
    found = _NUMBER.match(element.get(name) or "1")
    count = int(found[1]) if found else 1
    if name == "rowspan":
        return min(count, _MOST_ROWS) or _MOST_ROWS
    return min(max(count, 1), _MOST_COLUMNS)


def grid_of(rows: Sequence[Sequence[Cell]], groups: Sequence[int]) -> list[list[Cell]]:
    """The rows with merged cells repeated, as far as they are repeated no more than a table of that size can need."""
    left = [_COPIES * (sum(len(cell.text) + 1 for row in rows for cell in row) + len(rows)) + 1_000]
    grid: list[list[Cell]] = []
    reaching: dict[
        int, tuple[Cell, int]
    ] = {}  # by column, cells of rows above and for how many rows they go on
    for index, row in enumerate(rows):
        if index and groups[index] != groups[index - 1]:
            reaching = {}
        line, reaching = _placed(row, reaching, left)
        grid.append(line)
    return grid


def _placed(
    row: Sequence[Cell], reaching: dict[int, tuple[Cell, int]], left: list[int]
) -> tuple[list[Cell], dict[int, tuple[Cell, int]]]:
    """A row with the cells that reach into it, and those that reach into the next one."""
    line: list[Cell] = []
    goes_on: dict[int, tuple[Cell, int]] = {}

    def fill() -> None:
        while len(line) in reaching and left[0] > 0:
            cell, count = reaching[len(line)]
            place(cell, count - 1)

    def place(cell: Cell, count: int) -> None:
        left[0] -= len(cell.text) + 1
        if count > 0:
            goes_on[len(line)] = (cell, count)
        line.append(cell)

    for cell in row:
        fill()
        place(cell, cell.rows - 1)
        for _ in range(cell.columns - 1):
            if left[0] <= 0 or len(line) in reaching:
                break
            place(cell, cell.rows - 1)
    fill()
    for column in sorted(column for column in reaching if column > len(line)):
        left[0] -= max(column - len(line), 0)
        if left[0] <= 0:
            break
        line += [EMPTY] * (column - len(line))
        fill()
    return line, goes_on
