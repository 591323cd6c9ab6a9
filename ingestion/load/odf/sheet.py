"""A sheet of an OpenDocument spreadsheet. Rows and cells that say how often they are repeated cost nothing."""

from collections.abc import Iterator

from ingestion.load.odf.file import OpenFile
from ingestion.load.odf.text import TextBody
from ingestion.load.package import Element, children, local
from ingestion.load.sheets import Sheet

_MAX_COLUMNS = 16_384
_MOST_REPEATED = 100
_ROW_GROUPS = ("table-header-rows", "table-rows", "table-row-group")
_COLUMN_GROUPS = ("table-columns", "table-header-columns", "table-column-group")
_HIDDEN = ("collapse", "filter")


def read_table(file: OpenFile, table: Element, *, most_rows: int) -> Sheet:
    """The sheet of a `table:table`; of rows that are repeated the first."""
    sheet = Sheet()
    hidden_columns = _hidden_columns(file, table)
    number = 1
    for row in _below(table, "table-row", _ROW_GROUPS):
        seen: dict[int, str] = {}
        hidden: list[str] = []
        is_hidden = file.attribute(row, "visibility") in _HIDDEN
        for column, text, area in _cells(file, row):
            if is_hidden or hidden_columns[column]:
                hidden.append(text)
            else:
                seen[column] = text
            if area != (1, 1):
                sheet.merged.append((number, column, number + area[0] - 1, column + area[1] - 1))
        sheet.add(number, seen, hidden, most_rows)
        number += _count(file, row, "number-rows-repeated")
    return sheet


def _cells(file: OpenFile, row: Element) -> Iterator[tuple[int, str, tuple[int, int]]]:
    """Columns from 1, what they show, and how many rows and columns they cover."""
    column = 1
    for cell in row:
        again = _count(file, cell, "number-columns-repeated")
        text = TextBody(file).cell(cell) if local(cell) == "table-cell" else ""
        if text.strip():
            area = (_count(file, cell, "number-rows-spanned"), _count(file, cell, "number-columns-spanned"))
            for place in range(column, min(column + min(again, _MOST_REPEATED), _MAX_COLUMNS + 1)):
                yield place, text, area
        column += again
        if column > _MAX_COLUMNS:
            return


def _hidden_columns(file: OpenFile, table: Element) -> bytearray:
    columns = bytearray(_MAX_COLUMNS + 1)
    number = 1
    for column in _below(table, "table-column", _COLUMN_GROUPS):
        again = _count(file, column, "number-columns-repeated")
        if file.attribute(column, "visibility") in _HIDDEN:
            end = min(number + again, _MAX_COLUMNS + 1)
            columns[number:end] = b"\1" * max(0, end - number)
        number = min(number + again, _MAX_COLUMNS + 1)
    return columns


def _below(table: Element, name: str, groups: tuple[str, ...]) -> Iterator[Element]:
    for one in children(table, name, *groups):
        if local(one) == name:
            yield one
        else:
            yield from _below(one, name, groups)


def _count(file: OpenFile, element: Element, name: str) -> int:
    value = file.attribute(element, name)
    return max(1, int(value)) if value.isdecimal() and len(value) < 9 else 1
