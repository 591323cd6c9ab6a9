"""Workbooks to blocks: a heading a sheet, every row with its header. Formulas count as their last value."""

import io
import zipfile
from collections.abc import Iterator
from itertools import islice
from typing import Any

from openpyxl import load_workbook
from openpyxl.utils.exceptions import InvalidFileException

from ingestion.corpus import Block, Reading
from ingestion.errors import SourceError
from ingestion.load.rows import table_blocks

_MAX_ROWS = 200_000


def read_xlsx(data: bytes, name: str) -> Reading:
    """Visible sheets in order. Raises `SourceError` when the file is no workbook."""
    try:
        book = load_workbook(io.BytesIO(data), read_only=True, data_only=True)
    except (InvalidFileException, zipfile.BadZipFile, KeyError, ValueError, OSError) as exc:
        raise SourceError("The file is damaged or no Excel workbook (.xlsx).") from exc
    blocks: list[Block] = []
    hidden: list[str] = []
    for sheet in book.worksheets:
        rows = [row for row in islice(_rows(sheet), _MAX_ROWS) if any(row)]
        if sheet.sheet_state == "visible":
            blocks.append(Block("heading", sheet.title, level=2))
            blocks.extend(table_blocks(rows))
        else:
            hidden += [block.text for block in table_blocks(rows)]
    has_text = any(block.kind != "heading" for block in blocks)
    return Reading(
        title=book.properties.title or name, blocks=tuple(blocks if has_text else ()), hidden=tuple(hidden)
    )


def _rows(sheet: Any) -> Iterator[list[str]]:
    for row in sheet.iter_rows(values_only=True):
        yield ["" if cell is None else str(cell) for cell in row]
