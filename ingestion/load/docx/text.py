"""The text of a Word paragraph: insertions but no deletions, results of fields but not their codes, nothing hidden."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from ingestion.load.docx.story import Story
from ingestion.load.docx.styles import Style
from ingestion.load.drawing import alternatives
from ingestion.load.opc import web_address, with_address
from ingestion.load.package import Element, attribute, child, local
from ingestion.load.pieces import Piece, height_of, joined

# Elements that only wrap what is shown.
_WRAPPERS = frozenset(
    "ins moveTo smartTag customXml dir bdo sdtContent rubyBase ruby oMath oMathPara".split()
)
_SKIPPED = frozenset("del moveFrom pPr rPr sdtPr sdtEndPr rubyPr delText instrText delInstrText rt".split())
_CHARACTERS = {"tab": "\t", "br": "\n", "cr": "\n", "noBreakHyphen": "-", "ptab": "\t"}
_LINK_FIELD = re.compile(r'\s*HYPERLINK\s+(?:\\[a-z]\s+)?"([^"]+)"', re.IGNORECASE)
_PAGE_FIELD = re.compile(
    r"\s*(PAGE|NUMPAGES|SECTIONPAGES|DATE|TIME|FILENAME|SAVEDATE|PRINTDATE)\b", re.IGNORECASE
)
_MOST_FIELDS = 8  # within each other, of which links are told
_PRIVATE = range(0xF000, 0xF100)  # symbols of a font of its own: what they show can't be told


@dataclass(slots=True)
class Paragraph:
    """What a paragraph says. `floating` are drawings and text boxes of it, `notes` the notes that it refers to.

    `has_page_field` is true when it shows a page's number, or the day on which it was opened.
    """

    text: str = ""
    floating: list[Element] = field(default_factory=list)
    notes: list[tuple[str, str]] = field(default_factory=list)
    has_page_field: bool = False


@dataclass(slots=True)
class _Field:
    """A field that is open: its code, and where among the pieces its result begins; None while the code is read."""

    code: str = ""
    result: int | None = None


class TextReader:
    """Reads one paragraph of a part."""

    def __init__(self, story: Story, part: str, style: Style) -> None:
        self._story, self._part, self._style = story, part, style
        self._pieces: list[Piece] = []
        self._fields: list[_Field] = []
        self._codes_open = 0
        self._hidden: list[str] = []
        self._paragraph = Paragraph()

    def read(self, element: Element) -> Paragraph:
        """The paragraph; what is hidden of it goes to the story."""
        self._children(element)
        hidden = "".join(self._hidden)
        if hidden.strip():
            self._story.hidden.append(hidden)
        self._paragraph.text = joined(self._pieces)
        return self._paragraph

    def _children(self, element: Element) -> None:
        for one in element:
            name = local(one)
            if name == "r":
                self._run(one)
            elif name in ("hyperlink", "fldSimple"):
                self._link(one)
            elif name == "sdt":
                if not _is_placeholder(one):
                    self._children(one)
            elif name == "AlternateContent":
                for choice in alternatives(one):
                    self._children(choice)
            elif name in _WRAPPERS:
                self._children(one)
            elif name not in _SKIPPED:
                self._mathematics(one)

    def _link(self, element: Element) -> None:
        """A link, or a field that was written in one element: its words, and where it leads."""
        start = len(self._pieces)
        code = attribute(element, "instr") or ""
        self._paragraph.has_page_field |= bool(_PAGE_FIELD.match(code))
        self._children(element)
        self._add_address(start, self._story.file.address(self._part, element) or _address(code))

    def _add_address(self, start: int, address: str) -> None:
        if not address or len(self._fields) > _MOST_FIELDS:
            return
        words = joined(self._pieces[start:])
        if words.strip():
            self._pieces[start:] = [(with_address(words, address), "")]

    def _run(self, run: Element) -> None:
        properties = child(run, "rPr")
        is_hidden = self._story.styles.is_hidden(properties, self._style)
        align = child(properties, "vertAlign")
        height = height_of(attribute(align) if align is not None else None)
        if self._codes_open:
            self._codes(run)
            return
        for text in self._run_texts(run):
            if is_hidden:
                self._hidden.append(text)
            else:
                self._pieces.append((text, height))

    def _run_texts(self, run: Element) -> Iterator[str]:
        for one in run:
            name = local(one)
            if name == "t":
                yield one.text or ""
            elif name in _CHARACTERS:
                yield _CHARACTERS[name]
            elif name == "sym":
                yield _symbol(attribute(one, "char") or "")
            elif name == "AlternateContent":
                for choice in alternatives(one):
                    yield from self._run_texts(choice)
            else:
                self._mark(one, name)

    def _mark(self, element: Element, name: str) -> None:
        """What is no text of a run: ends of fields, notes, drawings."""
        if name == "fldChar":
            self._field(attribute(element, "fldCharType"))
        elif name in ("footnoteReference", "endnoteReference"):
            note = name.removesuffix("Reference"), attribute(element, "id") or ""
            self._paragraph.notes.append(note)
        elif name in ("drawing", "pict", "object"):
            self._paragraph.floating.append(element)
        elif name == "ruby":
            self._children(element)

    def _codes(self, run: Element) -> None:
        """A run within a field's code."""
        for one in run:
            if local(one) == "instrText":
                self._fields[-1].code += (one.text or "")[:1_000]
            elif local(one) == "fldChar":
                self._field(attribute(one, "fldCharType"))

    def _field(self, step: str | None) -> None:
        if step == "begin":
            self._fields.append(_Field())
            self._codes_open += 1
        elif step == "separate" and self._fields and self._fields[-1].result is None:
            self._fields[-1].result = len(self._pieces)
            self._codes_open -= 1
        elif step == "end" and self._fields:
            ended = self._fields.pop()
            self._codes_open -= ended.result is None
            self._paragraph.has_page_field |= bool(_PAGE_FIELD.match(ended.code))
            if ended.result is not None:
                self._add_address(ended.result, _address(ended.code))

    def _mathematics(self, element: Element) -> None:
        """Formulas: powers as they are told, other parts one behind the other."""
        name = local(element)
        if name == "t":
            self._pieces.append((element.text or "", ""))
        elif name == "sup":
            raised = "".join(one.text or "" for one in element.iter() if local(one) == "t")
            self._pieces.append((f"^{raised}" if raised else "", ""))
        elif name == "den":
            self._pieces.append(("/", ""))
            self._children(element)
        else:
            self._children(element)


def _is_placeholder(control: Element) -> bool:
    """Whether a content control still shows what asks to fill it in."""
    return child(control, "sdtPr", "showingPlcHdr") is not None


def _address(code: str) -> str:
    found = _LINK_FIELD.match(code)
    return web_address(found[1]) if found else ""


def _symbol(code: str) -> str:
    try:
        number = int(code, 16)
        return "" if number in _PRIVATE else chr(number)
    except (ValueError, OverflowError):
        return ""
