"""What the sheets of a workbook share: their names and order, texts, and number formats."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ingestion.load.number_format import BUILTIN
from ingestion.load.opc import OfficeFile
from ingestion.load.package import Element, child, children, local
from ingestion.load.pieces import Piece, height_of, joined


@dataclass(frozen=True, slots=True)
class SheetPart:
    """A sheet of cells: what people call it, its part of the package, and whether they see it."""

    title: str
    name: str
    is_visible: bool


@dataclass(frozen=True, slots=True)
class Book:
    """Sheets in order, the texts that cells name by number, and the format of each style."""

    sheets: Sequence[SheetPart]
    texts: Sequence[str]
    formats: Sequence[str]
    is_1904: bool

    @classmethod
    def of(cls, file: OfficeFile) -> "Book":
        """The workbook of a file. Raises `SourceError` when it is none."""
        root = file.root(file.main)
        properties = child(root, "workbookPr")
        is_1904 = properties is not None and properties.get("date1904") in ("1", "true")
        texts = [one for part in file.related(file.main, "sharedStrings") for one in _texts(file, part)]
        styles = file.related_root(file.main, "styles")
        return cls(list(_sheets(file, root)), texts, list(_formats(styles)), is_1904)

    def format_of(self, style: str | None) -> str:
        """The number format of a cell's style."""
        index = int(style) if style and style.isdecimal() else 0
        return self.formats[index] if index < len(self.formats) else "General"


def _sheets(file: OfficeFile, root: Element) -> Iterator[SheetPart]:
    for sheet in children(child(root, "sheets"), "sheet"):
        found = file.follow(file.main, sheet)
        if found and found.kind == "worksheet" and found.target in file.package:
            is_visible = sheet.get("state", "visible") == "visible"
            yield SheetPart(sheet.get("name", ""), found.target, is_visible)


def _texts(file: OfficeFile, part: str) -> Iterator[str]:
    for item in file.package.stream(part, "si"):
        yield text_of(item)
        release(item)


def text_of(item: Element) -> str:
    """A text with its runs; how it is pronounced (`rPh`) is left out."""
    return joined(_pieces(item))


def _pieces(item: Element) -> Iterator[Piece]:
    for one in item:
        if local(one) == "t":
            yield one.text or "", ""
        elif local(one) == "r":
            align = child(one, "rPr", "vertAlign")
            yield (
                "".join(t.text or "" for t in children(one, "t")),
                height_of(align.get("val") if align is not None else None),
            )


def release(element: Element) -> None:
    """Free an element that was read, and those before it."""
    element.clear()
    parent = element.getparent()
    if parent is not None:
        while element.getprevious() is not None:
            del parent[0]


def _formats(styles: Element | None) -> Iterator[str]:
    """The number format of each cell style, by its place."""
    own = {
        one.get("numFmtId"): one.get("formatCode", "") for one in children(child(styles, "numFmts"), "numFmt")
    }
    for style in children(child(styles, "cellXfs"), "xf"):
        number = style.get("numFmtId", "0")
        builtin = BUILTIN.get(int(number), "General") if number.isdecimal() else "General"
        yield own.get(number) or builtin
