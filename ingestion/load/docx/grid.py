"""The cells of a Word table, and what the table says of its first row and column."""

from collections.abc import Callable, Iterator

from ingestion.load.merged import Grid
from ingestion.load.package import Element, attribute, child, is_on, local

_FIRST_ROW, _FIRST_COLUMN = 0x20, 0x80


def grid_of(table: Element, read: Callable[[Element], str]) -> list[list[str]]:
    """The text of every place; `read` reads a cell. Rows that were deleted while changes were tracked are left out."""
    grid = Grid()
    for row in rows_of(table):
        properties = child(row, "trPr")
        grid.start_row()
        for _ in range(_count(child(properties, "gridBefore"), 0)):
            grid.add("")
        for cell in cells_of(row):
            _add(grid, cell, read)
    return grid.rows


def _add(grid: Grid, cell: Element, read: Callable[[Element], str]) -> None:
    properties = child(cell, "tcPr")
    columns = _count(child(properties, "gridSpan"), 1)
    merged = child(properties, "vMerge")
    if merged is not None and attribute(merged) != "restart":
        for _ in range(columns):
            grid.add_covered()
    else:
        grid.add(read(cell), columns=columns)


def rows_of(table: Element) -> Iterator[Element]:
    """Rows, those within content controls too."""
    for row in _unwrapped(table, "tr"):
        if child(row, "trPr", "del") is None:
            yield row


def cells_of(row: Element) -> Iterator[Element]:
    """Cells, those within content controls too."""
    return _unwrapped(row, "tc")


def _unwrapped(element: Element, name: str) -> Iterator[Element]:
    for one in element:
        if local(one) == name:
            yield one
        elif local(one) == "sdt":
            yield from _unwrapped(one, name)
        elif local(one) in ("sdtContent", "customXml", "ins"):
            yield from _unwrapped(one, name)


def is_frame(table: Element) -> bool:
    """Whether a table has one column: a frame around paragraphs."""
    return all(len(list(cells_of(row))) == 1 and _span(row) == 1 for row in rows_of(table))


def _span(row: Element) -> int:
    return max(_count(child(cell, "tcPr", "gridSpan"), 1) for cell in cells_of(row))


def says(table: Element) -> tuple[int | None, bool | None]:
    """How many rows are the header, and whether the first column names what the second says; None where it isn't told.

    Word marks first row and first column of nearly every table: only one that marks the column alone says something.
    """
    repeated = 0
    for row in rows_of(table):
        if not is_on(child(row, "trPr", "tblHeader")):
            break
        repeated += 1
    if repeated:
        return repeated, None
    look = child(table, "tblPr", "tblLook")
    if look is None:
        return None, None
    has_row, has_column = _marks(look, "firstRow", _FIRST_ROW), _marks(look, "firstColumn", _FIRST_COLUMN)
    return (0, True) if has_column and not has_row else (None, None)


def _marks(look: Element, name: str, bit: int) -> bool:
    said = attribute(look, name)
    if said is not None:
        return said in ("1", "true", "on")
    try:
        return bool(int(attribute(look) or "0", 16) & bit)
    except ValueError:
        return False


def _count(element: Element | None, otherwise: int) -> int:
    value = (attribute(element) or "") if element is not None else ""
    return min(int(value[:6]), 100) if value.isdecimal() else otherwise
