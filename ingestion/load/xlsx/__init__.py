"""Workbooks to blocks: a heading a sheet, every row with its header, charts as tables. Formulas count as their last value."""

from collections.abc import Iterator, Sequence

from ingestion.corpus import Block, Reading
from ingestion.errors import SourceError
from ingestion.load.drawing import drawing_blocks
from ingestion.load.limits import LEFT_OUT
from ingestion.load.opc import OfficeFile
from ingestion.load.sheets import Sheet, sheet_blocks
from ingestion.load.xlsx.book import Book, SheetPart
from ingestion.load.xlsx.sheet import read_sheet

MAX_ROWS = 200_000
MAX_CHARS = 100_000_000


def read_xlsx(data: bytes, name: str) -> Reading:
    """Visible sheets in order, of each the first rows; what is hidden of them is set aside.

    Raises `SourceError` when the file is no workbook, or one of far too much text.
    """
    file = OfficeFile.open(data, "Excel workbook (.xlsx)")
    book = Book.of(file)
    blocks: list[Block] = []
    aside: list[str] = []
    longer: list[str] = []
    chars = MAX_CHARS
    for part in book.sheets:
        sheet = read_sheet(file, part.name, book, most_rows=MAX_ROWS, most_chars=chars)
        chars -= sheet.chars
        if chars < 0:
            raise SourceError(f"The workbook holds more than {MAX_CHARS} characters of text. Split it.")
        if sheet.has_more:
            longer.append(part.title)
        seen = list(_blocks(file, part, sheet))
        if part.is_visible:
            blocks += [Block("heading", part.title, level=2), *seen]
            aside += sheet.hidden
        else:
            aside += [*(block.text for block in seen), *sheet.hidden]
    has_text = any(block.kind != "heading" for block in blocks)
    return Reading(
        title=file.title or name,
        blocks=tuple(blocks if has_text else ()),
        aside=tuple(aside),
        metadata={LEFT_OUT: _left_out(longer)} if longer else {},
    )


def _blocks(file: OfficeFile, part: SheetPart, sheet: Sheet) -> Iterator[Block]:
    yield from sheet_blocks(sheet)
    for drawing in file.related(part.name, "drawing"):
        yield from drawing_blocks(file, drawing)


def _left_out(sheets: Sequence[str]) -> str:
    names = ", ".join(map(repr, sheets))
    return f"Rows after the first {MAX_ROWS} of the sheet {names} were not read. Split the workbook."
