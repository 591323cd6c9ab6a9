"""Word documents to blocks: headings by style, lists, tables as rows."""

import io
import zipfile

from docx import Document as open_docx
from docx.opc.exceptions import PackageNotFoundError
from docx.table import Table
from docx.text.paragraph import Paragraph

from ingestion.corpus import Block, Reading
from ingestion.errors import SourceError
from ingestion.load.rows import table_blocks


def read_docx(data: bytes, name: str) -> Reading:
    """Body in reading order. Raises `SourceError` when the file is no Word document."""
    try:
        document = open_docx(io.BytesIO(data))
    except (PackageNotFoundError, zipfile.BadZipFile, KeyError, ValueError) as exc:
        raise SourceError("The file is damaged or no Word document (.docx).") from exc
    blocks: list[Block] = []
    for item in document.iter_inner_content():
        if isinstance(item, Table):
            blocks.extend(table_blocks([[cell.text for cell in row.cells] for row in item.rows]))
        elif item.text.strip():
            blocks.append(_block(item))
    first = next((b.text for b in blocks if b.kind == "heading"), name)
    return Reading(title=document.core_properties.title or first, blocks=tuple(blocks))


def _block(paragraph: Paragraph) -> Block:
    style = (paragraph.style.name if paragraph.style else None) or ""
    if style == "Title":
        return Block("heading", paragraph.text, level=1)
    if style.startswith("Heading "):
        level = style.removeprefix("Heading ")
        return Block("heading", paragraph.text, level=int(level) if level.isdigit() else 2)
    return Block("item" if style.startswith("List") else "paragraph", paragraph.text)
