"""Blocks as they come about: a body, a page's head, a note. Paragraphs end, cells end, rows end."""

from dataclasses import dataclass, field

from ingestion.corpus import Block
from ingestion.load.merged import Grid, blocks_of
from ingestion.load.opc import with_address
from ingestion.load.pieces import Piece, joined


@dataclass(slots=True)
class CellForm:
    """How a cell is merged: with the one before it, with the one above it."""

    joins_left: bool = False
    joins_above: bool = False


@dataclass(slots=True, eq=False)
class Flow:
    """Text that runs on its own. `skips_pages` leaves out paragraphs with a page's number."""

    skips_pages: bool = False
    blocks: list[Block] = field(default_factory=list)
    pieces: list[Piece] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    level: int = 0
    number: str | None = None  # of a list's item: empty for a bullet, None where there is no list
    is_in_table: bool = False
    has_page_field: bool = False
    forms: list[CellForm] = field(default_factory=list)
    form: CellForm = field(default_factory=CellForm)
    is_header_row: bool = False
    _cell: list[str] = field(default_factory=list)
    _cells: list[str] = field(default_factory=list)
    _grid: Grid = field(default_factory=Grid)
    _header_rows: int = 0

    def start_paragraph(self) -> None:
        """Forget what the paragraph before was."""
        self.level, self.number, self.is_in_table = 0, None, False

    def end_paragraph(self) -> None:
        """A paragraph is whole."""
        text = self._taken()
        if self.is_in_table:
            self._cell.append(text)
            return
        self.end_table()
        if text.strip() and not (self.skips_pages and self.has_page_field):
            self._add(text)
        self.has_page_field = False
        self.number = None
        self.blocks += [Block("paragraph", note) for note in self.notes if note.strip()]
        self.notes = []

    def _add(self, text: str) -> None:
        text = f"{self.number} {text.lstrip()}" if self.number else text
        kind = "item" if self.number is not None else "paragraph"
        self.blocks.append(Block("heading", text, level=self.level) if self.level else Block(kind, text))  # type: ignore[arg-type]

    def _taken(self) -> str:
        text = joined(self.pieces)
        self.pieces = []
        # Characters beyond the first plane are written as two halves.
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")

    def end_cell(self) -> None:
        """A cell is whole."""
        self._cell.append(self._taken())
        self._cells.append("\n".join(self._cell))
        self._cell = []
        self.number = None

    def start_row(self) -> None:
        """A row's cells are described anew."""
        self.forms, self.form, self.is_header_row = [], CellForm(), False

    def end_form(self) -> None:
        """One cell of the row is described."""
        self.forms.append(self.form)
        self.form = CellForm()

    def end_row(self) -> None:
        """A row is whole."""
        if not self._cells:
            return
        self._header_rows += self.is_header_row and self._header_rows == len(self._grid.rows)
        self._grid.start_row()
        for place, text in enumerate(self._cells):
            form = self.forms[place] if place < len(self.forms) else CellForm()
            if form.joins_above and not text.strip():
                self._grid.add_covered()
            elif form.joins_left and not text.strip():
                self._grid.add(next(reversed(self._grid.rows[-1]), ""))
            else:
                self._grid.add(text)
        self._cells = []

    def end_table(self) -> None:
        """The table before this paragraph is whole."""
        rows = self._grid.rows
        if rows and max(map(len, rows)) == 1:
            self.blocks += [Block("paragraph", row[0]) for row in rows if row and row[0].strip()]
        elif rows:
            self.blocks += blocks_of(rows, header_rows=self._header_rows or None)
        self._grid, self._header_rows = Grid(), 0

    def end(self) -> None:
        """Nothing more comes."""
        self.is_in_table = False
        if self._cells or self._cell:
            self.end_cell()
            self.end_row()
        self.end_paragraph()

    def add_address(self, start: int, address: str) -> None:
        """Put the address of a link behind its words, which are the pieces from `start`."""
        words = joined(self.pieces[start:])
        if address and words.strip():
            self.pieces[start:] = [(with_address(words, address), "")]
