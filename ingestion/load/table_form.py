"""What of a table is data and what names it, guessed from its cells where a format doesn't tell. Pure."""

import re
from collections.abc import Sequence

Row = Sequence[str]
_MOST_HEADER_ROWS = 4
_LONGEST_NAME_CHARS = 80
_SENTENCE_WORDS = 6
# A quantity, a price, a date, a telephone number; "1st quarter" and "3D view" are words.
_NUMBER = re.compile(
    r"[(+\-−±~≈<>≤≥]{0,3}(?:(?:EUR|USD|CHF|GBP|JPY|CNY|INR|SEK|NOK|DKK|PLN|CZK|AUD|CAD|[€$£¥]) ?)?"
    r"\.?\d(?!\d{0,3}(?:st|nd|rd|th|D|G)\b)",
    re.ASCII,
)
_YEAR = re.compile(r"(?:FY ?|Q[1-4][ /]?)?(?:19|20)\d\d(?: ?[/–-] ?\d{2,4})?", re.ASCII)
_DIGITS = re.compile(r"\d[\d.,]*")
_YEAR_SHAPE = "year"


def title_rows(rows: Sequence[Row], width: int) -> int:
    """How many rows at the top hold one text alone, over the whole width or in its first cell, above rows that hold more."""
    if width < 2:
        return 0
    for count, row in enumerate(rows):
        if not _is_title(row, width):
            return count
    return 0


def _is_title(row: Row, width: int) -> bool:
    filled = [cell for cell in row if cell]
    # In two columns an empty first cell is the corner of a header.
    return len(set(filled)) == 1 and (bool(row[0]) or width > 2) and not is_number(filled[0])


def guess_header_rows(rows: Sequence[Row], width: int) -> int:
    """How many rows at the top name the columns: 0 for a table of facts, and for rows without any names."""
    if len(rows) < 2 or not _are_names(rows, width):
        return 0
    count = 1
    while count < min(len(rows) - 1, _MOST_HEADER_ROWS) and _goes_on(rows[count - 1], rows[count]):
        count += 1
    return count


def is_number(cell: str) -> bool:
    """Whether a cell holds a value that begins with a number, rather than a name."""
    return _NUMBER.match(cell) is not None


def is_name(cell: str) -> bool:
    """Whether a cell is short enough to name others, and no sentence."""
    is_sentence = cell.endswith((".", "!", "。")) and len(cell.split()) >= _SENTENCE_WORDS
    return len(cell) <= _LONGEST_NAME_CHARS and not is_sentence


def _are_names(rows: Sequence[Row], width: int) -> bool:
    first = rows[0]
    filled = [cell for cell in first if cell]
    if not all(map(is_name, filled)) or (width == 2 and filled[0].endswith(":")):
        return False
    below = rows[2:] if _goes_on(first, rows[1]) else rows[1:]
    if _comes_again(first, below):
        return False
    numbers = [index for index, cell in enumerate(first) if is_number(cell)]
    if not numbers or (not first[0] and len(filled) > 1):
        return True
    return _are_named_by_numbers(first, below, numbers, width)


def _comes_again(first: Row, below: Sequence[Row]) -> bool:
    """Whether a cell of the first row stands in its column again: then it is a value. A header that is repeated isn't."""
    return any(
        cell and cell == first[index]
        for row in below
        if row != first
        for index, cell in enumerate(row[: len(first)])
    )


def _are_named_by_numbers(first: Row, below: Sequence[Row], numbers: Sequence[int], width: int) -> bool:
    """Years and sizes ("2 kg", "5 kg") as names of columns: each column is alike below, and unlike its name."""
    shapes = {_shape(first[index]) for index in numbers}
    columns = [[_shape(row[index]) for row in below if index < len(row)] for index in numbers]
    if len(shapes) > 1 or any(shapes & set(column) for column in columns):
        return False
    if shapes == {_YEAR_SHAPE} and (width > 2 or len(numbers) > 1):
        return True
    is_alike = all(len(column) > 1 and len(set(column)) == 1 for column in columns)
    return is_alike and (len(numbers) > 1 or shapes == {_YEAR_SHAPE})


def _shape(cell: str) -> str:
    return _YEAR_SHAPE if _YEAR.fullmatch(cell) else _DIGITS.sub("#", cell.casefold())


def _goes_on(upper: Row, lower: Row) -> bool:
    """Whether a row divides the names above it, as "Net" and "Gross" do below "Price"; all other cells reach over both."""
    if len(lower) > len(upper) or any(is_number(cell) and not _YEAR.fullmatch(cell) for cell in lower):
        return False
    divided = 0
    for index, cell in enumerate(lower):
        if cell and cell != upper[index]:
            if not _is_divided(upper, lower, index):
                return False
            divided += 1
    return divided > 1 and len(lower) == len(upper)


def _is_divided(upper: Row, lower: Row, index: int) -> bool:
    """Whether a cell stands below a name that covers its neighbour too, in the cell itself or by empty ones."""
    name, cell = upper[index], lower[index]
    left = index > 0 and upper[index - 1] == name and lower[index - 1] != cell
    right = index + 1 < len(lower) and upper[index + 1] == name and lower[index + 1] != cell
    is_begun = index + 1 < len(lower) and bool(name and not upper[index + 1] and lower[index + 1])
    return left or right or is_begun or (not name and index > 0)


def column_names(header: Sequence[Row]) -> list[str]:
    """The name of every column: what its cells of the header say from the top down, each once."""
    if not header:
        return []
    width = max(map(len, header))
    rows = [_filled(row, lower) for row, lower in zip(header, [*header[1:], ()], strict=True)]
    names: list[dict[str, None]] = [{} for _ in range(width)]
    for row in rows:
        for index, cell in enumerate(row):
            if cell:
                names[index][cell] = None
    return [" ".join(name) for name in names]


def _filled(row: Row, lower: Row) -> Row:
    """A row of a header whose names reach over the empty cells to their right, where the row below it goes on."""
    filled: list[str] = []
    for index, cell in enumerate(row):
        is_covered = not cell and index > 0 and index < len(lower) and bool(lower[index] and lower[index - 1])
        filled.append(filled[-1] if is_covered else cell)
    return filled
