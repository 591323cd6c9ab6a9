"""The words of one OpenDocument paragraph: raised numbers, addresses of links, nothing hidden."""

from dataclasses import dataclass, field

from ingestion.load.odf.file import OpenFile
from ingestion.load.opc import web_address, with_address
from ingestion.load.package import Element, child, local
from ingestion.load.pieces import Height, Piece, joined

_FLOATING = frozenset("frame custom-shape rect ellipse polygon path g caption circle".split())
_PAGE_FIELDS = frozenset("page-number page-count date time file-name page-continuation".split())
_UNSAID = frozenset("annotation annotation-end note-citation ruby-text tracked-changes change".split())
_HIDDEN_FIELDS = frozenset("hidden-text hidden-paragraph".split())
_MOST_SPACES = 100


@dataclass(slots=True)
class Paragraph:
    """What a paragraph says, what floats beside it, the bodies of its notes, and what of it is hidden.

    `has_page_field` is true when it shows a page's number, or the day on which it was opened.
    """

    text: str = ""
    floating: list[Element] = field(default_factory=list)
    notes: list[Element] = field(default_factory=list)
    hidden: list[str] = field(default_factory=list)
    has_page_field: bool = False


class WordReader:
    """Reads one paragraph."""

    def __init__(self, file: OpenFile) -> None:
        self._file = file
        self._pieces: list[Piece] = []
        self._hidden: list[str] = []
        self._paragraph = Paragraph()

    def read(self, element: Element) -> Paragraph:
        """The paragraph."""
        style = self._file.attribute(element, "style-name")
        self._children(element, is_hidden=self._file.is_hidden(style, "paragraph"), height="")
        hidden = "".join(self._hidden)
        self._paragraph.hidden += [hidden] if hidden.strip() else []
        self._paragraph.text = joined(self._pieces)
        return self._paragraph

    def _add(self, text: str | None, is_hidden: bool, height: Height) -> None:
        if text and is_hidden:
            self._hidden.append(text)
        elif text:
            self._pieces.append((text, height))

    def _children(self, element: Element, *, is_hidden: bool, height: Height) -> None:
        self._add(element.text, is_hidden, height)
        for one in element:
            self._child(one, is_hidden, height)
            self._add(one.tail, is_hidden, height)

    def _child(self, one: Element, is_hidden: bool, height: Height) -> None:
        name = local(one)
        if name in ("s", "tab", "line-break"):
            self._add(self._space(one, name), is_hidden, height)
        elif name == "span":
            style = self._file.attribute(one, "style-name")
            is_hidden = is_hidden or self._file.is_hidden(style, "text")
            self._children(one, is_hidden=is_hidden, height=self._file.height(style) or height)
        elif name == "a":
            self._link(one, is_hidden, height)
        elif name == "note":
            body = child(one, "note-body")
            self._paragraph.notes += [body] if body is not None else []
        elif name in _FLOATING:
            self._paragraph.floating.append(one)
        elif name in _HIDDEN_FIELDS:
            self._children(one, is_hidden=True, height=height)
        elif name not in _UNSAID:
            self._paragraph.has_page_field |= name in _PAGE_FIELDS
            self._children(one, is_hidden=is_hidden, height=height)

    def _space(self, element: Element, name: str) -> str:
        if name == "s":
            count = self._file.attribute(element, "c")
            return " " * min(int(count), _MOST_SPACES) if count.isdecimal() and len(count) < 6 else " "
        return "\n" if name == "line-break" else "\t"

    def _link(self, element: Element, is_hidden: bool, height: Height) -> None:
        """The words of a link and where it leads. No link stands within another."""
        start = len(self._pieces)
        self._children(element, is_hidden=is_hidden, height=height)
        address = web_address(self._file.attribute(element, "href"))
        words = joined(self._pieces[start:])
        if address and words.strip():
            self._pieces[start:] = [(with_address(words, address), "")]
