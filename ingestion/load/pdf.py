"""PDF to blocks: pages, headings by font size, tables as rows, running headers and footers removed."""

import io
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from statistics import median
from typing import Any

import pdfplumber
import pdfplumber.pdf
from pdfminer.pdfdocument import PDFDocument, PDFPasswordIncorrect
from pdfminer.pdftypes import PDFObjectNotFound, PDFObjRef
from pdfplumber.page import Page
from pdfplumber.utils.exceptions import PdfminerException

from ingestion.corpus import Block, Reading
from ingestion.errors import SourceError
from ingestion.load.rows import table_blocks

Line = dict[str, Any]  # text, top, bottom, x0, size, as pdfplumber gives it


class _Document(PDFDocument):  # type: ignore[misc]  # untyped
    """A document in which references that lead back to themselves lead nowhere; pdfminer follows them without end."""

    def getobj(self, objid: int) -> object:
        seen = {objid}
        found = super().getobj(objid)
        while isinstance(found, PDFObjRef):
            if found.objid in seen:
                raise PDFObjectNotFound(objid)
            seen.add(found.objid)
            found = super().getobj(found.objid)
        return found


# pdfplumber has no other place where its kind of document can be told.
vars(pdfplumber.pdf)["PDFDocument"] = _Document


def read_pdf(data: bytes, name: str) -> Reading:
    """Blocks page by page. Raises `SourceError` for damaged, locked and scanned files."""
    try:
        with pdfplumber.open(io.BytesIO(data)) as pdf:
            pages, tables, hidden = _pages(pdf)
            title = str((pdf.metadata or {}).get("Title") or "").strip()
    except PdfminerException as exc:
        locked = any(isinstance(arg, PDFPasswordIncorrect) for arg in exc.args)
        reason = "is protected by a password" if locked else "is damaged or no PDF"
        raise SourceError(f"The file {reason}.") from exc
    if not any(pages) and not any(tables):
        raise SourceError(f"None of its {len(pages)} pages has text: it is a scan and needs OCR.")
    scanned = [number for number, lines in enumerate(pages, start=1) if not lines and not tables[number - 1]]
    running = _running_lines(pages)
    body = median([line["size"] for lines in pages for line in lines] or [10.0])
    blocks: list[Block] = []
    for number, (lines, grids) in enumerate(zip(pages, tables, strict=True), start=1):
        kept = [line for line in lines if _shape(line) not in running]
        blocks.extend(_page_blocks(kept, grids, body, number))
    first = next((b.text for b in blocks if b.kind == "heading"), name)
    facts = {"pages_without_text": ", ".join(map(str, scanned))} if scanned else {}
    return Reading(title=title or first, blocks=tuple(blocks), hidden=tuple(hidden), metadata=facts)


def _pages(
    pdf: pdfplumber.PDF,
) -> tuple[list[list[Line]], list[list[tuple[float, list[list[str]]]]], list[str]]:
    """Lines and tables of every page, and text that can't be seen. A page lets go of its memory when it is done."""
    lines, tables, hidden = [], [], []
    for page in pdf.pages:
        unseen = "".join(char["text"] for char in page.chars if not _is_visible(char))
        if unseen.strip():
            hidden.append(unseen)
            page = page.filter(_is_visible)
        lines.append(_page_lines(page))
        tables.append(_tables(page))
        page.close()
    return lines, tables, hidden


def _is_visible(item: Line) -> bool:
    """White letters and those smaller than two points are not."""
    if item.get("object_type") != "char":
        return True
    colour = item.get("non_stroking_color")
    values = list(colour) if isinstance(colour, (tuple, list)) else [colour]
    is_number = bool(values) and all(isinstance(value, (int, float)) for value in values)
    white = is_number and (
        values == [0, 0, 0, 0] if len(values) == 4 else all(float(str(value)) >= 0.99 for value in values)
    )
    return item["size"] >= 2 and not white


def _page_lines(page: Page) -> list[Line]:
    outside = page
    for table in page.find_tables():
        outside = outside.outside_bbox(table.bbox)
    lines: list[Line] = outside.extract_text_lines(return_chars=True)
    for line in lines:
        line["size"] = median([char["size"] for char in line["chars"]])
        line["height"] = float(page.height)
    return lines


def _tables(page: Page) -> list[tuple[float, list[list[str]]]]:
    return [
        (table.bbox[1], [[cell or "" for cell in row] for row in table.extract()])
        for table in page.find_tables()
    ]


def _shape(line: Line) -> str:
    """A line without its digits, for lines in the top or bottom tenth of the page; else empty."""
    edge = line["top"] < 0.1 * line["height"] or line["bottom"] > 0.9 * line["height"]
    return re.sub(r"\d+", "#", line["text"]).strip() if edge else ""


def _running_lines(pages: Sequence[Sequence[Line]]) -> set[str]:
    """Shapes at the edges of more than half of the pages (two at least)."""
    seen = Counter(shape for lines in pages for shape in {_shape(line) for line in lines} if shape)
    return {shape for shape, count in seen.items() if count >= 2 and count > len(pages) / 2}


def _page_blocks(
    lines: Sequence[Line], grids: Sequence[tuple[float, list[list[str]]]], body: float, page: int
) -> Iterator[Block]:
    waiting = sorted(grids)
    paragraph: list[Line] = []
    for line in lines:
        while waiting and waiting[0][0] < line["top"]:
            yield from _flush(paragraph, page)
            paragraph = []
            yield from table_blocks(waiting.pop(0)[1], page)
        is_heading = line["size"] > 1.15 * body and len(line["text"]) < 120
        if is_heading or (paragraph and _starts_paragraph(paragraph[-1], line)):
            yield from _flush(paragraph, page)
            paragraph = []
        if is_heading:
            level = 1 if line["size"] > 1.6 * body else 2
            yield Block("heading", line["text"], level=level, page=page)
        else:
            paragraph.append(line)
    yield from _flush(paragraph, page)
    for _, grid in waiting:
        yield from table_blocks(grid, page)


def _starts_paragraph(previous: Line, line: Line) -> bool:
    return bool(line["top"] - previous["bottom"] > 0.6 * line["size"])


def _flush(lines: Sequence[Line], page: int) -> Iterator[Block]:
    if not lines:
        return
    text = lines[0]["text"].strip()
    for line in lines[1:]:
        part = line["text"].strip()
        # A hyphen at a line's end before a small letter is hyphenation, not a compound.
        if text.endswith("-") and part[:1].islower():
            text = text[:-1] + part
        else:
            text = f"{text} {part}"
    yield Block("paragraph", text, page=page)
