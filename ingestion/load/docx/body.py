"""The blocks of a Word document's body, of a cell, a note or a text box."""

from collections.abc import Iterator

from ingestion.corpus import Block
from ingestion.load.docx.grid import cells_of, grid_of, is_frame, rows_of, says
from ingestion.load.docx.story import Story
from ingestion.load.docx.styles import Style, numbering_of, outline_level
from ingestion.load.docx.text import Paragraph, TextReader
from ingestion.load.drawing import alternatives, graphic_blocks
from ingestion.load.merged import blocks_of
from ingestion.load.opc import OfficeFile
from ingestion.load.package import Element, attribute, child, local

_CONTENTS = "Table of Contents"


class Body:
    """Reads what stands in one part of a document; of a page's head or foot (`is_frame`) no paragraph with its number."""

    def __init__(self, story: Story, part: str, *, is_frame: bool = False) -> None:
        self._story, self._part, self._is_frame = story, part, is_frame

    @property
    def file(self) -> OfficeFile:
        """The file of which it is a part."""
        return self._story.file

    def blocks(self, container: Element | None) -> Iterator[Block]:
        """What stands in an element, in reading order; lines of code that follow each other are one block."""
        code: list[str] = []
        for block in self._blocks(container):
            if block.kind == "code":
                code.append(block.text)
                continue
            if code:
                yield Block("code", "\n".join(code))
                code = []
            yield block
        if code:
            yield Block("code", "\n".join(code))

    def _blocks(self, container: Element | None) -> Iterator[Block]:
        for one in container if container is not None else ():
            name = local(one)
            if name == "p":
                yield from self._paragraph(one)
            elif name == "tbl":
                yield from self._table(one)
            elif name == "sdt":
                if not _is_contents(one):
                    yield from self._blocks(child(one, "sdtContent"))
            elif name == "AlternateContent":
                for choice in alternatives(one):
                    yield from self._blocks(choice)
            elif name in ("customXml", "ins", "moveTo"):
                yield from self._blocks(one)

    def _paragraph(self, element: Element) -> Iterator[Block]:
        """A paragraph, what floats beside it, and its notes."""
        properties = child(element, "pPr")
        named = child(properties, "pStyle")
        style = self._story.styles.of(attribute(named) if named is not None else None)
        if style.is_contents:
            return
        paragraph = TextReader(self._story, self._part, style).read(element)
        if paragraph.text.strip() and not (self._is_frame and paragraph.has_page_field):
            yield self._block(paragraph.text, properties, style)
        for drawing in paragraph.floating:
            yield from self._floating(drawing)
        yield from self._notes(paragraph)

    def _block(self, text: str, properties: Element | None, style: Style) -> Block:
        number, is_item = self._number(properties, style)
        if number:
            text = f"{number} {text.lstrip()}"
        level = outline_level(properties)
        level = style.level if level is None else level
        if level:
            return Block("heading", text, level=level)
        if style.is_code:
            return Block("code", text)
        return Block("item" if is_item else "paragraph", text)

    def _number(self, properties: Element | None, style: Style) -> tuple[str, bool]:
        """What a paragraph's list puts before it, and whether it is an item of one."""
        list_id, depth = numbering_of([properties])
        if not list_id:
            list_id, depth = style.list_id, depth or style.list_level
        if list_id not in self._story.numbering:
            return "", style.is_list and list_id != "0"
        return self._story.numbering.next(list_id, depth), True

    def _floating(self, drawing: Element) -> Iterator[Block]:
        """Text boxes, charts and diagrams."""
        for box in _boxes(drawing):
            yield from self._blocks(box)
        yield from graphic_blocks(self.file, self._part, drawing)

    def _notes(self, paragraph: Paragraph) -> Iterator[Block]:
        for key in paragraph.notes:
            note = self._story.notes.pop(key, None)
            if note:
                text = " ".join(block.text for block in Body(self._story, note.part).blocks(note.element))
                if text.strip():
                    yield Block("paragraph", text.strip())

    def _table(self, table: Element) -> Iterator[Block]:
        """Rows of a table; one of a single column is a frame around its paragraphs."""
        if is_frame(table):
            for row in rows_of(table):
                for cell in cells_of(row):
                    yield from self._blocks(cell)
            return
        header_rows, is_keyed = says(table)
        yield from blocks_of(grid_of(table, self._cell), header_rows=header_rows, is_keyed=is_keyed)

    def _cell(self, cell: Element) -> str:
        """The text of a cell, a line a paragraph; rows of a table within it are parted by semicolons."""
        parts: list[str] = []
        before = ""
        for block in self._blocks(cell):
            parts += ["; " if before == block.kind == "row" else "\n", block.text]
            before = block.kind
        return "".join(parts[1:])


def _boxes(element: Element) -> Iterator[Element]:
    """Contents of text boxes below an element, not those within another; of what is given twice, the first."""
    for one in element:
        if local(one) == "txbxContent":
            yield one
        elif local(one) == "AlternateContent":
            for choice in alternatives(one):
                yield from _boxes(choice)
        else:
            yield from _boxes(one)


def _is_contents(control: Element) -> bool:
    """Whether a content control holds a table of contents."""
    gallery = child(control, "sdtPr", "docPartObj", "docPartGallery")
    return gallery is not None and attribute(gallery) == _CONTENTS
