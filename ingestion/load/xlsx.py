"""Workbooks to blocks: a heading a sheet, every row with its header. Formulas count as their last value."""

import io
import zipfile
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any

from openpyxl import load_workbook
from openpyxl.utils.exceptions import InvalidFileException

from ingestion.corpus import Block, Reading
from ingestion.errors import SourceError
from ingestion.load.limits import LEFT_OUT
from ingestion.load.rows import table_blocks

MAX_ROWS = 200_000


def read_xlsx(data: bytes, name: str) -> Reading:
    """Visible sheets in order, of each the first rows. Raises `SourceError` when the file is no workbook."""
    try:
        book = load_workbook(io.BytesIO(data), read_only=True, data_only=True)
    except (InvalidFileException, zipfile.BadZipFile, KeyError, ValueError, OSError) as exc:
        raise SourceError("The file is damaged or no Excel workbook (.xlsx).") from exc
    blocks: list[Block] = []
    hidden: list[str] = []
    longer: list[str] = []
    for sheet in book.worksheets:
        every = _rows(sheet)
        rows = [row for row in islice(every, MAX_ROWS) if any(row)]
        if any(map(any, every)):
            longer.append(sheet.title)
        if sheet.sheet_state == "visible":
            blocks.append(Block("heading", sheet.title, level=2))
            blocks.extend(table_blocks(rows))
        else:
            hidden += [block.text for block in table_blocks(rows)]
    has_text = any(block.kind != "heading" for block in blocks)
    return Reading(
        title=book.properties.title or name,
        blocks=tuple(blocks if has_text else ()),
        hidden=tuple(hidden),
        metadata={LEFT_OUT: _left_out(longer)} if longer else {},
    )


def _left_out(sheets: Sequence[str]) -> str:
    names = ", ".join(map(repr, sheets))
    return f"Rows after the first {MAX_ROWS} of the sheet {names} were not read. Split the workbook."


def _rows(sheet: Any) -> Iterator[list[str]]:
    for row in sheet.iter_rows(values_only=True):
        yield ["" if cell is None else str(cell) for cell in row]
