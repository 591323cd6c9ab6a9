"""Text of OpenDocument files: paragraphs, headings, lists, tables, notes and what floats beside them."""

from collections.abc import Iterator

from ingestion.corpus import Block
from ingestion.load.merged import Grid, blocks_of
from ingestion.load.odf.file import ListLevel, OpenFile
from ingestion.load.odf.words import Paragraph, WordReader
from ingestion.load.ordinals import letters, roman
from ingestion.load.package import Element, child, children, local

_WRAPPERS = frozenset(
    "section index-body numbered-paragraph list-header text-box g frame user-index bibliography".split()
)
_SHAPES = frozenset("custom-shape rect ellipse polygon path line connector caption circle".split())
_ROW_GROUPS = ("table-header-rows", "table-rows", "table-row-group")
_MAX_LEVEL = 6
_LEVELS = 10


class TextBody:
    """Reads what stands in a text, a cell, a text box. `hidden` gathers what readers don't see."""

    def __init__(self, file: OpenFile) -> None:
        self._file = file
        self._charts: set[str] = set()
        self.hidden: list[str] = []

    def blocks(self, container: Element, *, page: int | None = None) -> Iterator[Block]:
        """What stands in an element, in reading order."""
        for one in container:
            yield from self.block(one, page)

    def block(self, element: Element, page: int | None = None) -> Iterator[Block]:
        """What an element says."""
        name = local(element)
        if name in ("p", "h"):
            yield from self._paragraph(element, page)
        elif name == "list":
            yield from self._list(element, page, "", [0] * _LEVELS, 1)
        elif name == "table":
            yield from self._table(element, page)
        elif name == "object":
            yield from self._object(element, page)
        elif name == "section" and self._file.attribute(element, "display") in ("none", "condition"):
            self.hidden += [block.text for block in self.blocks(element)]
        elif name in _WRAPPERS or name in _SHAPES:
            yield from self.blocks(element, page=page)

    def _read(self, element: Element) -> Paragraph:
        found = WordReader(self._file).read(element)
        self.hidden += found.hidden
        return found

    def _paragraph(
        self, element: Element, page: int | None, number: str = "", *, is_item: bool = False
    ) -> Iterator[Block]:
        paragraph = self._read(element)
        text = paragraph.text
        if text.strip():
            level = self._level(element)
            text = f"{number} {text.lstrip()}" if number else text
            kind = "item" if is_item else "paragraph"
            yield Block("heading" if level else kind, text, level=level, page=page)  # type: ignore[arg-type]
        for one in paragraph.floating:
            yield from self.block(one, page)
        for note in paragraph.notes:
            text = " ".join(block.text for block in self.blocks(note))
            if text.strip():
                yield Block("paragraph", text, page=page)

    def _level(self, element: Element) -> int:
        """The level of a heading, 0 of other paragraphs."""
        if local(element) == "h":
            said = self._file.attribute(element, "outline-level")
            return min(int(said[:2]), _MAX_LEVEL) if said.isdecimal() and said != "0" else 1
        names = self._file.names(self._file.attribute(element, "style-name"), "paragraph")
        return 1 if "Title" in names else 0

    def _list(
        self, element: Element, page: int | None, style: str, counts: list[int], depth: int
    ) -> Iterator[Block]:
        """Items of a list; `counts` are how many there were at each level."""
        style = self._file.attribute(element, "style-name") or style
        level = self._file.list_level(style, depth)
        place = min(depth, _LEVELS) - 1
        counts[place] = level.start - 1
        for item in children(element, "list-item", "list-header"):
            counts[place] += local(item) == "list-item"
            number = _number(level, counts, place)
            for one in item:
                if local(one) == "list":
                    yield from self._list(one, page, style, counts, depth + 1)
                elif local(one) in ("p", "h"):
                    yield from self._paragraph(one, page, number, is_item=True)
                    number = ""
                else:
                    yield from self.block(one, page)

    def _table(self, table: Element, page: int | None) -> Iterator[Block]:
        """Rows of a table; one of a single column is a frame around its paragraphs."""
        rows = list(_rows(table))
        if all(len(list(children(row, "table-cell"))) == 1 == len(row) for row in rows):
            for row in rows:
                for cell in row:
                    yield from self.blocks(cell, page=page)
            return
        header_rows = sum(1 for group in children(table, "table-header-rows") for _ in _rows(group))
        yield from blocks_of(self._grid(rows).rows, page, header_rows=header_rows or None)

    def _grid(self, rows: list[Element]) -> Grid:
        grid = Grid()
        for row in rows:
            grid.start_row()
            for cell in children(row, "table-cell"):
                columns, high, again = (
                    self._count(cell, name)
                    for name in ("number-columns-spanned", "number-rows-spanned", "number-columns-repeated")
                )
                grid.add(self.cell(cell), columns=max(columns, again), rows=high)
        return grid

    def _count(self, cell: Element, name: str) -> int:
        value = self._file.attribute(cell, name)
        return int(value) if value.isdecimal() and len(value) < 6 else 1

    def cell(self, cell: Element) -> str:
        """The text of a cell, a line a paragraph; rows of a table within it are parted by semicolons."""
        parts: list[str] = []
        before = ""
        for block in self.blocks(cell):
            parts += ["; " if before == block.kind == "row" else "\n", block.text]
            before = block.kind
        return "".join(parts[1:])

    def _object(self, element: Element, page: int | None) -> Iterator[Block]:
        """A chart: its title, and the table that it draws."""
        path = self._file.attribute(element, "href").removeprefix("./").strip("/")
        if path in self._charts:
            return
        self._charts.add(path)
        chart = child(self._file.package.xml(f"{path}/content.xml"), "body", "chart", "chart")
        for title in children(chart, "title"):
            yield from self.blocks(title, page=page)
        for table in children(chart, "table"):
            yield from blocks_of(self._grid(list(_rows(table))).rows, page, header_rows=1, is_keyed=False)


def _rows(table: Element) -> Iterator[Element]:
    for one in table:
        if local(one) == "table-row":
            yield one
        elif local(one) in _ROW_GROUPS:
            yield from _rows(one)


def _number(level: ListLevel, counts: list[int], place: int) -> str:
    """What a list puts before its next item; empty for bullets."""
    if not level.form:
        return ""
    shown = [
        _counted(count, level.form) for count in counts[max(0, place + 1 - level.shown_levels) : place + 1]
    ]
    return f"{level.before}{'.'.join(shown)}{level.behind}".strip()


def _counted(count: int, form: str) -> str:
    text = letters(count) if form in "aA" else roman(count) if form in "iI" else str(count)
    return text.upper() if form.isupper() else text


def running_lines(file: OpenFile, kind: str) -> Iterator[str]:
    """What the pages' `header` or `footer` says, without lines that tell the page's number."""
    for page in children(child(file.common, "master-styles"), "master-page"):
        for part in children(page, kind):
            for element in part.iter():
                if local(element) in ("p", "h"):
                    found = WordReader(file).read(element)
                    if found.text.strip() and not found.has_page_field:
                        yield found.text
