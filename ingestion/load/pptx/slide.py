"""One slide: its shapes from the top to the bottom, then its notes."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from ingestion.corpus import Block
from ingestion.load.drawing import alternatives, graphic_blocks, paragraph_text
from ingestion.load.merged import Grid, blocks_of
from ingestion.load.opc import OfficeFile
from ingestion.load.package import Element, child, children, local
from ingestion.load.pptx.lists import ListCounter
from ingestion.load.pptx.places import Place, Places, placeholder

_SHAPES = ("sp", "grpSp", "graphicFrame", "pic", "cxnSp")
_TITLES = ("title", "ctrTitle")
_UNSAID = ("sldNum", "dt")  # the number of the slide, the day on which somebody looked
_YES = ("1", "true")


@dataclass(frozen=True, slots=True)
class Deck:
    """What the slides of a file share: places of placeholders, and what their feet said so far, which is said once."""

    file: OfficeFile
    places: Places
    said: set[str] = field(default_factory=set)


class Slide:
    """A slide of a deck."""

    def __init__(self, deck: Deck, part: str, root: Element, page: int) -> None:
        self._deck, self._file, self._part, self._root, self._page = deck, deck.file, part, root, page
        self.hidden: list[str] = []

    def blocks(self) -> Iterator[Block]:
        """Title, shapes, notes."""
        shapes = list(self._shapes(child(self._root, "cSld", "spTree")))
        title = next((one for one in shapes if _kind(one) in _TITLES and not _is_hidden(one)), None)
        if title is not None:
            text = "\n".join(text for text, _ in self._texts(child(title, "txBody")))
            if text.strip():
                yield Block("heading", text, level=2, page=self._page)
        for shape in shapes:
            if shape is not title:
                yield from self._shape(shape)
        yield from self._notes()

    def _shapes(self, tree: Element | None) -> list[Element]:
        """The shapes of a tree in reading order, those of a group together."""
        found: list[Element] = []
        for one in tree if tree is not None else ():
            if local(one) in _SHAPES:
                found.append(one)
            elif local(one) == "AlternateContent":
                found += [
                    shape for choice in alternatives(one) for shape in choice if local(shape) in _SHAPES
                ]
        ordered = sorted(found, key=self._place)
        return [shape for one in ordered for shape in (self._shapes(one) if local(one) == "grpSp" else [one])]

    def _place(self, shape: Element) -> Place:
        return self._deck.places.of(self._part, shape)

    def _shape(self, shape: Element) -> Iterator[Block]:
        kind = _kind(shape)
        if kind in _UNSAID:
            return
        blocks = list(self._content(shape))
        if _is_hidden(shape):
            self.hidden += [block.text for block in blocks]
            return
        for block in blocks:
            if kind in ("ftr", "hdr"):
                if block.text in self._deck.said:
                    continue
                self._deck.said.add(block.text)
            yield block

    def _content(self, shape: Element) -> Iterator[Block]:
        table = child(shape, "graphic", "graphicData", "tbl")
        if table is not None:
            yield from self._table(table)
        elif local(shape) == "graphicFrame":
            yield from graphic_blocks(self._file, self._part, shape, self._page)
        for text, is_item in self._texts(child(shape, "txBody")):
            yield Block("item" if is_item else "paragraph", text, page=self._page)

    def _texts(self, body: Element | None, part: str = "") -> Iterator[tuple[str, bool]]:
        """Paragraphs with their numbers, and whether each is an item of a list."""
        counter = ListCounter()
        for paragraph in children(body, "p"):
            properties = child(paragraph, "pPr")
            text = paragraph_text(self._file, part or self._part, paragraph)
            if text.strip():
                number = counter.next(properties)
                is_item = bool(number) or (properties is not None and properties.get("lvl", "0") != "0")
                yield f"{number} {text.lstrip()}" if number else text, is_item

    def _table(self, table: Element) -> Iterator[Block]:
        grid = Grid()
        for row in children(table, "tr"):
            grid.start_row()
            for cell in children(row, "tc"):
                if not _is_covered(cell):
                    text = "\n".join(text for text, _ in self._texts(child(cell, "txBody")))
                    grid.add(text, columns=_count(cell, "gridSpan"), rows=_count(cell, "rowSpan"))
        is_keyed = _is_keyed(child(table, "tblPr"))
        yield from blocks_of(grid.rows, self._page, header_rows=0 if is_keyed else None, is_keyed=is_keyed)

    def _notes(self) -> Iterator[Block]:
        for part in filter(self._file.is_first, self._file.related(self._part, "notesSlide")[:1]):
            tree = child(self._file.package.xml(part), "cSld", "spTree")
            for shape in children(tree, "sp"):
                if _kind(shape) == "body":
                    for text, _ in self._texts(child(shape, "txBody"), part):
                        yield Block("paragraph", text, page=self._page)


def _kind(shape: Element) -> str:
    """What a shape is a placeholder of; empty when of nothing."""
    found = placeholder(shape)
    return found.get("type", "obj") if found is not None else ""


def _is_hidden(shape: Element) -> bool:
    return any((found := child(one, "cNvPr")) is not None and found.get("hidden") in _YES for one in shape)


def _is_covered(cell: Element) -> bool:
    return cell.get("hMerge") in _YES or cell.get("vMerge") in _YES


def _count(cell: Element, name: str) -> int:
    value = cell.get(name, "1")
    return int(value) if value.isdecimal() and len(value) < 5 else 1


def _is_keyed(properties: Element | None) -> bool | None:
    """Whether a table says that its first column names the others' values.

    PowerPoint marks the first row of every table, so that only its lack says something.
    """
    if properties is None:
        return None
    has_row, has_column = (properties.get(name) in _YES for name in ("firstRow", "firstCol"))
    return True if has_column and not has_row else None
