"""The cells of a sheet as they are shown. Only what is written takes time: a sheet may call itself as large as it likes."""

import math
import re
from collections.abc import Iterator

from ingestion.load.number_format import shown
from ingestion.load.opc import OfficeFile, web_address, with_address
from ingestion.load.package import Element, child, children, local
from ingestion.load.sheets import Area, Sheet
from ingestion.load.xlsx.book import Book, release, text_of

UNKNOWN = "(formula without a value)"
MAX_COLUMNS = 16_384
_LONGEST_CELL = 32_767  # what Excel takes
_MOST_TABLES = 100  # in one sheet
_REFERENCE = re.compile(r"\$?([A-Z]{1,3})\$?([0-9]{1,7})", re.IGNORECASE)
_LINK_FORMULA = re.compile(r'HYPERLINK\(\s*"([^"]{1,2000})"', re.IGNORECASE)
_TIME_OF_NOBODY = re.compile(r"T00:00:00(\.0*)?Z?$")


def read_sheet(file: OfficeFile, part: str, book: Book, *, most_rows: int, most_chars: int) -> Sheet:
    """The sheet of a part, until it has so many rows or characters. Raises `SourceError`."""
    sheet = Sheet()
    hidden_columns = bytearray(MAX_COLUMNS + 1)
    links: dict[tuple[int, int], str] = {}
    number = 0
    for element in file.package.stream(part, "cols", "row", "mergeCell", "hyperlink"):
        match local(element):
            case "row":
                number = _row_number(element, number)
                _add_row(sheet, element, number, book, hidden_columns, most_rows)
                release(element)
                if sheet.chars > most_chars:
                    break
            case "cols":
                _hide(hidden_columns, element)
            case "mergeCell":
                sheet.merged += _areas(element.get("ref", ""))
            case _:
                address = file.address(part, element) or web_address(element.get("location", ""))
                links |= {area[:2]: address for area in _areas(element.get("ref", "")) if address}
    _link(sheet, links)
    sheet.tables = list(_tables(file, part))
    return sheet


def _add_row(
    sheet: Sheet, element: Element, number: int, book: Book, hidden_columns: bytearray, most_rows: int
) -> None:
    seen: dict[int, str] = {}
    hidden: list[str] = []
    is_hidden = _is_hidden(element)
    for column, text in _cells(element, book):
        if is_hidden or hidden_columns[column]:
            hidden.append(text)
        else:
            seen[column] = text
    sheet.add(number, seen, hidden, most_rows)


def _cells(row: Element, book: Book) -> Iterator[tuple[int, str]]:
    """Columns from 1 and what they show; empty cells are left out."""
    column = 0
    for cell in children(row, "c"):
        place = _REFERENCE.match(cell.get("r", ""))
        column = _column(place[1]) if place else column + 1
        text = _text(cell, book)[:_LONGEST_CELL]
        if text.strip() and column <= MAX_COLUMNS:
            yield column, text


def _text(cell: Element, book: Book) -> str:
    """What a cell shows."""
    kind = cell.get("t", "n")
    if kind == "inlineStr":
        inline = child(cell, "is")
        return "" if inline is None else text_of(inline)
    value, formula = child(cell, "v"), child(cell, "f")
    raw = (value.text or "") if value is not None else ""
    if formula is not None and not raw and kind != "str":
        text = UNKNOWN
    else:
        text = _value(raw, kind, cell.get("s"), book)
    link = _LINK_FORMULA.search(formula.text or "") if formula is not None else None
    return with_address(text, web_address(link[1])) if link else text


def _value(raw: str, kind: str, style: str | None, book: Book) -> str:
    match kind:
        case "s":
            index = int(raw) if raw.strip().isdecimal() else len(book.texts)
            return book.texts[index] if index < len(book.texts) else ""
        case "b":
            return "TRUE" if raw.strip() in ("1", "true") else "FALSE"
        case "d":
            return _TIME_OF_NOBODY.sub("", raw)
        case "n":
            return _number(raw, style, book)
    return raw


def _number(raw: str, style: str | None, book: Book) -> str:
    try:
        number = float(raw)
    except ValueError:
        return raw
    if not math.isfinite(number):
        return raw
    return shown(number, book.format_of(style), is_1904=book.is_1904)


def _row_number(row: Element, before: int) -> int:
    said = row.get("r", "")
    return int(said) if said.isdecimal() and len(said) <= 7 else before + 1


def _column(letters: str) -> int:
    number = 0
    for letter in letters.upper():
        number = number * 26 + ord(letter) - 64
    return number


def _areas(reference: str) -> Iterator[Area]:
    """First row, first column, last row, last column of an area such as `A1:C1`."""
    first, _, last = reference.partition(":")
    ends = [_REFERENCE.fullmatch(first), _REFERENCE.fullmatch(last or first)]
    if ends[0] and ends[1]:
        yield int(ends[0][2]), _column(ends[0][1]), int(ends[1][2]), _column(ends[1][1])


def _is_hidden(element: Element) -> bool:
    return element.get("hidden") in ("1", "true") or element.get("width") == "0" or element.get("ht") == "0"


def _hide(columns: bytearray, element: Element) -> None:
    """Mark the columns that `cols` hides."""
    for one in children(element, "col"):
        first, last = one.get("min", ""), one.get("max", "")
        if _is_hidden(one) and first.isdecimal() and last.isdecimal() and len(first + last) <= 10:
            end = min(int(last), MAX_COLUMNS) + 1
            columns[int(first) : end] = b"\1" * (end - int(first))


def _link(sheet: Sheet, links: dict[tuple[int, int], str]) -> None:
    """Put the addresses of links behind the words of their cells."""
    places = {number: row for number, row in zip(sheet.numbers, sheet.rows, strict=True)}
    for (number, column), address in links.items():
        row = places.get(number, {})
        if column in row:
            row[column] = with_address(row[column], address)


def _tables(file: OfficeFile, part: str) -> Iterator[tuple[Area, int]]:
    for name in file.related(part, "table")[:_MOST_TABLES]:
        table = file.root(name)
        rows = table.get("headerRowCount", "1")
        for area in _areas(table.get("ref", "")):
            yield area, int(rows) if rows.isdecimal() and len(rows) < 4 else 1
