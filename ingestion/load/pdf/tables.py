"""Ruled tables: a grid of lines that touch, and the text in its cells. Every step is linear in the lines or bounded."""

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from ingestion.corpus import Block
from ingestion.load.pdf.cells import Table
from ingestion.load.pdf.lines import Row, Segment, rows_of
from ingestion.load.pdf.painting import Glyph, Rule
from ingestion.load.pdf.together import together
from ingestion.load.rows import table_blocks

# Points within which lines meet.
_TOUCH = 3.0
# More lines than that, or pairs of them, are a drawing.
_MOST_RULES, _MOST_PAIRS, _MOST_CELLS, _MOST_GRIDS = 5_000, 250_000, 20_000, 60
# A cell with more text than that is a box that frames a page.
_LONGEST_CELL = 3_000


@dataclass(frozen=True, slots=True)
class _Grid:
    xs: tuple[float, ...]
    ys: tuple[float, ...]
    across: tuple[Rule, ...]
    down: tuple[Rule, ...]

    def cell_at(self, x: float, y: float) -> int | None:
        """The number of the cell in which a point lies, counted row by row."""
        column, row = bisect_right(self.xs, x) - 1, bisect_right(self.ys, y) - 1
        is_within = 0 <= column < len(self.xs) - 1 and 0 <= row < len(self.ys) - 1
        return row * (len(self.xs) - 1) + column if is_within else None


def tables_of(glyphs: Sequence[Glyph], rules: Sequence[Rule], page: int) -> tuple[list[Table], list[Glyph]]:
    """The tables of a page, and the letters that stand in none."""
    grids = _grids(rules) if glyphs else []
    if not grids:
        return [], list(glyphs)
    within: list[dict[int, list[Glyph]]] = [{} for _ in grids]
    owners: list[int | None] = []
    for glyph in glyphs:
        owner, cell = _place(grids, (glyph.x0 + glyph.x1) / 2, glyph.y - glyph.size / 4)
        owners.append(owner)
        if owner is not None:
            within[owner].setdefault(cell, []).append(glyph)
    found = [_table(grid, cells, page) for grid, cells in zip(grids, within, strict=True)]
    outside = [
        glyph for glyph, owner in zip(glyphs, owners, strict=True) if owner is None or found[owner] is None
    ]
    return [table for table in found if table is not None], outside


def row_of(table: Table) -> Row:
    """A row that takes a table's place on its page."""
    place = Segment("", table.left, table.right, table.top, 0, 0, False, False, 1)
    return Row(table.top, 0, (place,), table)


def blocks_of(table: Table, before: Table | None) -> Iterator[Block]:
    """Its rows as blocks; those of a table that goes on have the header from the page before."""
    rows, header = table.rows, table.header_rows
    if before is not None:
        count = before.header_rows or 1
        names = before.rows[:count]
        rows = rows[count:] if rows[:count] == names else rows
        rows, header = (*names, *rows), count
    yield from table_blocks(rows, table.page, header_rows=header)


def with_header_of(table: Table, before: Table) -> Table:
    """What stands for both parts when a third one follows."""
    count = before.header_rows or 1
    return replace(table, rows=(*before.rows[:count], *table.rows), header_rows=count)


def _place(grids: Sequence[_Grid], x: float, y: float) -> tuple[int | None, int]:
    for number, grid in enumerate(grids):
        cell = grid.cell_at(x, y)
        if cell is not None:
            return number, cell
    return None, 0


def _table(grid: _Grid, cells: dict[int, list[Glyph]], page: int) -> Table | None:
    """The cells' text, a merged cell's in every place that it covers. None where fewer than two rows and columns have any."""
    width, height = len(grid.xs) - 1, len(grid.ys) - 1
    owner = _merged_cells(grid)
    letters: dict[int, list[Glyph]] = {}
    for cell, glyphs in cells.items():
        letters.setdefault(owner[cell], []).extend(glyphs)
    texts = {cell: _cell_text(glyphs) for cell, glyphs in letters.items()}
    if any(len(text) > _LONGEST_CELL for text in texts.values()):
        return None
    numbers = [[owner[row * width + column] for column in range(width)] for row in range(height)]
    kept = [row for row in numbers if any(texts.get(cell) for cell in row)]
    columns = [c for c in range(width) if any(texts.get(row[c]) for row in kept)]
    if len(kept) < 2 or len({tuple(row[c] for row in kept) for c in columns}) < 2:
        return None
    rows = tuple(tuple(texts.get(row[c], "") for c in columns) for row in kept)
    bold = [_is_bold(letters, row) for row in kept]
    header = next((count for count, one in enumerate(bold) if not one), 0)
    edges = tuple(grid.xs[c] for c in columns)
    return Table(page, grid.ys[0], grid.xs[0], grid.xs[-1], edges, rows, header or None)


def _is_bold(letters: dict[int, list[Glyph]], row: Sequence[int]) -> bool:
    faces = [glyph.face for cell in set(row) for glyph in letters.get(cell, ()) if not glyph.text.isspace()]
    return bool(faces) and all(face.is_bold for face in faces)


def _cell_text(glyphs: Iterable[Glyph]) -> str:
    return together(row.text for row in rows_of(glyphs))


def _merged_cells(grid: _Grid) -> list[int]:
    """For each cell the first one of those with which it is one, as no line parts them."""
    width, height = len(grid.xs) - 1, len(grid.ys) - 1
    down = [_covered(grid.down, x) for x in grid.xs]
    across = [_covered(grid.across, y) for y in grid.ys]
    sets = _Sets(width * height)
    for row in range(height):
        y = (grid.ys[row] + grid.ys[row + 1]) / 2
        for column in range(width):
            x, cell = (grid.xs[column] + grid.xs[column + 1]) / 2, row * width + column
            if column + 1 < width and not _is_covered(down[column + 1], y):
                sets.join(cell, cell + 1)
            if row + 1 < height and not _is_covered(across[row + 1], x):
                sets.join(cell, cell + width)
    return [sets.first(cell) for cell in range(width * height)]


def _covered(rules: Iterable[Rule], at: float) -> list[tuple[float, float]]:
    return sorted((rule.start, rule.end) for rule in rules if abs(rule.at - at) <= _TOUCH)


def _is_covered(spans: Sequence[tuple[float, float]], at: float) -> bool:
    """Whether one of spans that do not overlap, in order, covers a point."""
    number = bisect_right(spans, (at, float("inf"))) - 1
    return number >= 0 and spans[number][1] >= at


class _Sets:
    """Numbers in sets that are joined one by one; the least of a set stands for it."""

    def __init__(self, count: int) -> None:
        self._above = list(range(count))

    def first(self, number: int) -> int:
        while self._above[number] != number:
            self._above[number] = self._above[self._above[number]]
            number = self._above[number]
        return number

    def join(self, one: int, other: int) -> None:
        low, high = sorted((self.first(one), self.first(other)))
        self._above[high] = low


def _grids(rules: Sequence[Rule]) -> list[_Grid]:
    """The groups of touching lines that part two rows and two columns at least."""
    if len(rules) > _MOST_RULES:
        return []
    across = _joined_rules([rule for rule in rules if rule.is_horizontal])
    down = _joined_rules([rule for rule in rules if not rule.is_horizontal])
    if len(across) * len(down) > _MOST_PAIRS:
        return []
    sets = _Sets(len(across) + len(down))
    for i, flat in enumerate(across):
        for j, steep in enumerate(down, start=len(across)):
            if _meet(flat, steep):
                sets.join(i, j)
    groups: dict[int, tuple[list[Rule], list[Rule]]] = {}
    for number, rule in enumerate((*across, *down)):
        groups.setdefault(sets.first(number), ([], []))[number >= len(across)].append(rule)
    grids = [_grid(flat, steep) for flat, steep in groups.values() if len(flat) >= 2 and steep]
    if len(grids) > _MOST_GRIDS:
        return []
    return [
        one
        for one in grids
        if len(one.xs) > 2 and len(one.ys) > 2 and len(one.xs) * len(one.ys) <= _MOST_CELLS
    ]


def _meet(flat: Rule, steep: Rule) -> bool:
    return (
        flat.start - _TOUCH <= steep.at <= flat.end + _TOUCH
        and steep.start - _TOUCH <= flat.at <= steep.end + _TOUCH
    )


def _joined_rules(rules: Iterable[Rule]) -> list[Rule]:
    """Lines at the same place as one, those that continue each other too."""
    out: list[Rule] = []
    at = float("-inf")
    groups: list[list[Rule]] = []
    for rule in sorted(rules, key=lambda one: one.at):
        if rule.at - at > _TOUCH * 2 / 3:
            groups.append([])
            at = rule.at
        groups[-1].append(rule)
    for group in groups:
        place = group[0].at
        end = float("-inf")
        for rule in sorted(group, key=lambda one: one.start):
            if rule.start > end + _TOUCH:
                out.append(replace(rule, at=place))
            else:
                out[-1] = replace(out[-1], end=max(end, rule.end))
            end = max(end, rule.end) if rule.start <= end + _TOUCH else rule.end
    return out


def _grid(across: Sequence[Rule], down: Sequence[Rule]) -> _Grid:
    """Lines of a table; where it is open at a side, its lines' ends stand for the border."""
    xs = [rule.at for rule in down] + [
        min(rule.start for rule in across),
        max(rule.end for rule in across),
    ]
    ys = [rule.at for rule in across] + [min(rule.start for rule in down), max(rule.end for rule in down)]
    return _Grid(_apart(xs), _apart(ys), tuple(across), tuple(down))


def _apart(values: Iterable[float]) -> tuple[float, ...]:
    kept: list[float] = []
    for value in sorted(values):
        if not kept or value - kept[-1] > _TOUCH:
            kept.append(value)
    return tuple(kept)
