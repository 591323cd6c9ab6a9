"""PDF to blocks: paragraphs, headings, listings, terms and tables in reading order, without running heads and page numbers."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from pdfminer.pdfpage import PDFPage

from ingestion.corpus import Block, Reading
from ingestion.errors import SourceError
from ingestion.load.limits import LEFT_OUT
from ingestion.load.pdf.cells import Table
from ingestion.load.pdf.columns import columns_of
from ingestion.load.pdf.contents import without_contents
from ingestion.load.pdf.document import declared_title, opened, outline_of, pages_of
from ingestion.load.pdf.letters import without_doubles
from ingestion.load.pdf.lines import Row, rows_of, turned
from ingestion.load.pdf.links import add_addresses, links_of
from ingestion.load.pdf.painting import Glyph, Painter
from ingestion.load.pdf.paragraphs import Paragraph, paragraphs_of, words_of
from ingestion.load.pdf.running import NONE, Running, running_rows
from ingestion.load.pdf.style import Line, body_size, line_of, style_of
from ingestion.load.pdf.tables import row_of, tables_of
from ingestion.load.pdf.terms import Terms
from ingestion.load.pdf.titles import title_of
from ingestion.load.pdf.together import joined

__all__ = ["read_pdf"]

# A page of which more letters than that have no known code is one for OCR.
_MOST_UNREADABLE = 0.25
_WITHOUT_TEXT = "pictures of text, or letters whose font doesn't say what they are, need OCR"


@dataclass(frozen=True, slots=True)
class Page:
    """A page once it is read: all that is kept of it."""

    number: int
    height: float
    rows: tuple[Row, ...]
    tables: tuple[Table, ...]
    turned: tuple[str, ...]
    hidden: str
    needs_ocr: bool

    @property
    def has_text(self) -> bool:
        """Whether there is anything on it that can be read."""
        return bool(self.rows or self.tables)


def read_pdf(data: bytes, name: str) -> Reading:
    """Blocks page by page. Raises `SourceError` for damaged and locked files and for those in which no text can be read."""
    document = opened(data)
    painter = Painter()
    pages = [_page(painter, page, number) for number, page in enumerate(pages_of(document), start=1)]
    if not any(page.has_text for page in pages):
        raise SourceError(f"None of its {len(pages)} pages has text: {_WITHOUT_TEXT}.")
    body = body_size(row for page in pages for row in page.rows)
    running = running_rows([(page.height, page.rows) for page in pages], body)
    # Where pages hold nothing else, what they repeat is their text.
    lines = list(_lines(pages, running)) or list(_lines(pages, NONE))
    style = style_of(lines, body, outline_of(document))
    words = words_of(lines)
    paragraphs = list(paragraphs_of(lines, style))
    kept = [Block("paragraph", text, page=page + 1) for page, text in running.kept]
    return Reading(
        title=title_of(declared_title(document), name, paragraphs, words),
        blocks=(*kept, *_blocks(paragraphs, words), *_turned(pages)),
        hidden=tuple(page.hidden for page in pages if page.hidden.strip()),
        metadata=_facts(pages),
    )


def _page(painter: Painter, page: PDFPage, number: int) -> Page:
    painted = painter.paint(page)
    readable = sum(not glyph.text.isspace() for glyph in painted.glyphs)
    if painted.unreadable > _MOST_UNREADABLE * readable:
        return Page(number, painted.height, (), (), (), painted.hidden, needs_ocr=True)
    upright, others, _, height = turned(painted)
    glyphs = without_doubles(upright)
    add_addresses(glyphs, links_of(page))
    is_upright = not upright or upright[0].turn == "upright"
    tables, outside = tables_of(glyphs, painted.rules if is_upright else (), number)
    rows = tuple(rows_of(outside))
    needs_ocr = painted.has_pictures and not rows and not tables
    return Page(number, height, rows, tuple(tables), _texts(others), painted.hidden, needs_ocr)


def _texts(glyphs: Sequence[Glyph]) -> tuple[str, ...]:
    """Text that stands aslant, such as a stamp in the margin: line by line where its letters have lines."""
    turns = dict.fromkeys(glyph.turn for glyph in glyphs)
    return tuple(
        text
        for turn in turns
        if (text := " ".join(row.text for row in rows_of(glyph for glyph in glyphs if glyph.turn == turn)))
    )


def _lines(pages: Sequence[Page], running: Running) -> Iterator[Line]:
    """The lines of the document in reading order, its tables among them."""
    rows = [
        [row for index, row in enumerate(page.rows) if (page.number - 1, index) not in running.rows]
        for page in pages
    ]
    for page, kept in zip(pages, without_contents(rows), strict=True):
        placed = sorted([*kept, *map(row_of, page.tables)], key=lambda row: row.y)
        for number, column in enumerate(columns_of(placed)):
            edges = (column.left, column.right)
            yield from (line_of(row, page.number, number, edges) for row in column.rows)


def _blocks(paragraphs: Sequence[Paragraph], words: frozenset[str]) -> list[Block]:
    """Blocks in order. A paragraph that the end of a page or column divides becomes whole."""
    blocks: list[Block] = []
    last = -1
    for index, block in Terms(paragraphs, words).blocks():
        if (
            last >= 0
            and index == last + 1
            and _is_divided(paragraphs[last], paragraphs[index], blocks[-1], block)
        ):
            blocks[-1] = replace(blocks[-1], text=joined(blocks[-1].text, block.text, words))
        else:
            blocks.append(block)
        last = index
    return blocks


def _is_divided(one: Paragraph, following: Paragraph, before: Block, after: Block) -> bool:
    end, begin = one.lines[-1], following.first
    return (
        (end.page, end.column) != (begin.page, begin.column)
        and before.kind in ("paragraph", "item")
        and after.kind == "paragraph"
        and abs(end.size - begin.size) < 0.5
        and before.text[-1:] not in (".", "!", "?", ":", ";")
        and after.text[:1].islower()
    )


def _turned(pages: Sequence[Page]) -> list[Block]:
    """Text that stands aslant, but for watermarks: what is on several pages."""
    seen = Counter(text for page in pages for text in set(page.turned))
    return [
        Block("paragraph", text, page=page.number)
        for page in pages
        for text in page.turned
        if seen[text] == 1
    ]


def _facts(pages: Sequence[Page]) -> dict[str, str]:
    """What a person is told of pages that are pictures, or whose letters have no codes."""
    missing = ", ".join(str(page.number) for page in pages if page.needs_ocr)
    if not missing:
        return {}
    return {
        "pages_without_text": missing,
        LEFT_OUT: f"No text can be read on page(s) {missing}: {_WITHOUT_TEXT}.",
    }
