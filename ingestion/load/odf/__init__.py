"""OpenDocument files (ISO/IEC 26300) to blocks: texts, spreadsheets, presentations."""

from collections.abc import Iterator

from ingestion.corpus import Block, Reading
from ingestion.errors import SourceError
from ingestion.load.limits import LEFT_OUT
from ingestion.load.odf.deck import deck_blocks
from ingestion.load.odf.file import OpenFile
from ingestion.load.odf.sheet import read_table
from ingestion.load.odf.text import TextBody, running_lines
from ingestion.load.package import Element, children
from ingestion.load.running import with_running
from ingestion.load.sheets import sheet_blocks

MAX_ROWS = 200_000
MAX_CHARS = 100_000_000


def read_odt(data: bytes, name: str) -> Reading:
    """A text in reading order. Raises `SourceError` when the file is none."""
    file = OpenFile.open(data, "OpenDocument text (.odt)")
    text = TextBody(file)
    body = list(text.blocks(file.body("text")))
    blocks = tuple(with_running(body, running_lines(file, "header"), running_lines(file, "footer")))
    first = next((block.text for block in body if block.kind == "heading"), name)
    return Reading(title=file.title or first, blocks=blocks, hidden=tuple(text.hidden))


def read_ods(data: bytes, name: str) -> Reading:
    """A spreadsheet, as `read_xlsx` reads one. Raises `SourceError`."""
    file = OpenFile.open(data, "OpenDocument spreadsheet (.ods)")
    blocks: list[Block] = []
    aside: list[str] = []
    longer: list[str] = []
    chars = 0
    for table in children(file.body("spreadsheet"), "table"):
        title = file.attribute(table, "name")
        sheet = read_table(file, table, most_rows=MAX_ROWS)
        chars += sheet.chars
        if chars > MAX_CHARS:
            raise SourceError(f"The spreadsheet holds more than {MAX_CHARS} characters of text. Split it.")
        longer += [title] if sheet.has_more else []
        seen = [*sheet_blocks(sheet), *_charts(file, table)]
        if file.is_displayed(table):
            blocks += [Block("heading", title, level=2), *seen]
            aside += sheet.hidden
        else:
            aside += [*(block.text for block in seen), *sheet.hidden]
    has_text = any(block.kind != "heading" for block in blocks)
    left_out = f"Rows after the first {MAX_ROWS} of {', '.join(map(repr, longer))} were not read. Split it."
    return Reading(
        title=file.title or name,
        blocks=tuple(blocks if has_text else ()),
        aside=tuple(aside),
        metadata={LEFT_OUT: left_out} if longer else {},
    )


def _charts(file: OpenFile, table: Element) -> Iterator[Block]:
    """Charts and texts that lie on a sheet."""
    for shapes in children(table, "shapes"):
        yield from TextBody(file).blocks(shapes)


def read_odp(data: bytes, name: str) -> Reading:
    """A presentation, as `read_pptx` reads one. Raises `SourceError`."""
    file = OpenFile.open(data, "OpenDocument presentation (.odp)")
    blocks, aside = deck_blocks(file)
    title = file.title or next((block.text for block in blocks if block.kind == "heading"), name)
    return Reading(title=title, blocks=tuple(blocks), aside=tuple(aside))
