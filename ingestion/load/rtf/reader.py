"""Reads RTF token by token. A group inherits how its text looks and where it goes."""

import codecs
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from ingestion.errors import SourceError
from ingestion.load.opc import web_address
from ingestion.load.pieces import Height
from ingestion.load.rtf.flow import Flow
from ingestion.load.rtf.tokens import Token, tokens

Destination = Literal["text", "skip", "title", "fonts", "styles", "code", "number"]
_DEEPEST = 1_000
_LONGEST_NAME = 2_000
_MAX_LEVEL = 6
_LINK = re.compile(r'\s*HYPERLINK\s+"([^"]+)"', re.IGNORECASE)
_PAGE = re.compile(r"\s*(PAGE|NUMPAGES|DATE|TIME|FILENAME)\b", re.IGNORECASE)
_CHARACTERS: Mapping[str, str] = {
    "tab": "\t", "line": "\n", "emdash": "—", "endash": "–", "lquote": "‘", "rquote": "’", "ldblquote": "“",
    "rdblquote": "”", "bullet": "•", "emspace": " ", "enspace": " ", "qmspace": " ", "~": "\u00a0", "_": "-",
    "{": "{", "}": "}", "\\": "\\", "nestcell": "; ", "nestrow": "\n",
}  # fmt: skip
_SKIPPED = frozenset(
    "colortbl pict object listtable listoverridetable revtbl rsidtbl generator xmlnstbl themedata colorschememapping datastore"
    " latentstyles annotation atnid atnauthor atrfstart atrfend nonshppict sp filetbl private bkmkstart bkmkend author operator"
    " company subject keywords comment doccomm manager category hlinkbase creatim revtim printim buptim userprops pntxta pntxtb"
    " xe tc do txfieldtext datafield formfield pnseclvl mmathPr wgrffmtfilter template fontemb shprslt nonesttables".split()
)
_INTO: Mapping[str, Destination] = {
    "fonttbl": "fonts", "stylesheet": "styles", "title": "title", "fldinst": "code", "listtext": "number", "pntext": "number",
}  # fmt: skip
# Groups that a reader may pass over (`\*`), and that hold text all the same.
_KNOWN_OPTIONAL = frozenset("fldinst shpinst shptxt footnote ftnsep pn".split()) | _SKIPPED
_RUNNING = {
    **dict.fromkeys(("header", "headerl", "headerr", "headerf"), "header"),
    **dict.fromkeys(("footer", "footerl", "footerr", "footerf"), "footer"),
}
_SYMBOLS, _UTF8 = 2, 65_001
_CHARSETS = {
    77: "mac_roman", 128: "cp932", 129: "cp949", 134: "gbk", 136: "cp950", 161: "cp1253", 162: "cp1254", 163: "cp1258",
    177: "cp1255", 178: "cp1256", 186: "cp1257", 204: "cp1251", 222: "cp874", 238: "cp1250",
}  # fmt: skip


@dataclass(slots=True)
class Field:
    """A field: its code, and where its result begins."""

    code: str = ""
    start: int = 0


@dataclass(slots=True)
class Group:
    """How the text of a group looks and where it goes. `ends` is done when the group ends."""

    destination: Destination = "text"
    is_hidden: bool = False
    is_deleted: bool = False
    height: Height = ""
    codec: str = ""
    replaced: int = 1
    is_optional: bool = False
    field: Field | None = None
    ends: Callable[[], None] | None = None

    def inner(self) -> "Group":
        """A group within it, before it says anything of its own."""
        return Group(
            self.destination,
            self.is_hidden,
            self.is_deleted,
            self.height,
            self.codec,
            self.replaced,
            False,
            self.field,
        )


@dataclass(slots=True)
class RtfReader:
    """What was read: the body's flow, those of the pages' heads and feet, the title, what is hidden."""

    flow: Flow = field(default_factory=Flow)
    running: Mapping[str, Flow] = field(
        default_factory=lambda: {"header": Flow(skips_pages=True), "footer": Flow(skips_pages=True)}
    )
    title: str = ""
    hidden: list[str] = field(default_factory=list)
    _group: Group = field(default_factory=Group)
    _stack: list[Group] = field(default_factory=list)
    _codec: str = "cp1252"
    _fonts: dict[int, str] = field(default_factory=dict)
    _font: int = 0
    _levels: dict[int, int] = field(default_factory=dict)
    _style: tuple[int, int] = (0, 0)
    _name: list[str] = field(default_factory=list)
    _bytes: bytearray = field(default_factory=bytearray)
    _to_skip: int = 0
    _unseen: list[str] = field(default_factory=list)

    def read(self, data: bytes) -> None:
        """All of a document. Raises `SourceError` when it is nested too deeply."""
        for token in tokens(data):
            if token.kind == "text":
                self._text(token.data)
                continue
            self._flush()
            if token.kind == "word":
                self._word(token)
            elif token.word == "{":
                self._begin()
            elif self._stack:
                self._end()
        self._flush()
        while self._stack:
            self._end()
        self.flow.end()
        self._keep_hidden()

    def _begin(self) -> None:
        if len(self._stack) >= _DEEPEST:
            raise SourceError(f"Its groups are nested more than {_DEEPEST} deep.")
        self._to_skip = 0
        self._stack.append(self._group)
        self._group = self._group.inner()

    def _end(self) -> None:
        self._to_skip = 0
        if self._group.destination == "styles":
            self._add_style()
        if self._group.ends:
            self._group.ends()
        self._group = self._stack.pop()

    def _text(self, data: bytes) -> None:
        if self._to_skip:
            skipped = min(self._to_skip, len(data))
            self._to_skip -= skipped
            data = data[skipped:]
        if self._group.destination != "skip":
            self._bytes += data

    def _flush(self) -> None:
        """Bytes that follow each other are decoded together: a character may have two."""
        if self._bytes:
            data, self._bytes = bytes(self._bytes), bytearray()
            codec = self._group.codec or self._codec
            self._add("•" * data.count(b"\xb7") if codec == "symbol" else data.decode(codec, "replace"))

    def _add(self, text: str) -> None:
        group = self._group
        if group.destination == "text":
            if group.is_hidden and not group.is_deleted:
                self._unseen.append(text)
            elif not group.is_deleted:
                self.flow.pieces.append((text, group.height))
        elif group.destination == "title":
            self.title = (self.title + text)[:_LONGEST_NAME]
        elif group.destination == "number":
            self.flow.number = ((self.flow.number or "") + text.replace("•", "").strip())[:_DEEPEST]
        elif group.destination == "code" and group.field:
            group.field.code = (group.field.code + text)[:_LONGEST_NAME]
        elif group.destination == "styles":
            self._name.append(text[:_LONGEST_NAME])

    def _word(self, token: Token) -> None:
        word, number = token.word, token.number
        self._to_skip = 0
        if word in _CHARACTERS:
            self._add(_CHARACTERS[word])
        elif word == "u" and number is not None:
            self._add(chr(number % 65_536))
            self._to_skip = self._group.replaced
        elif word == "*":
            self._group.is_optional = True
        elif word in _SKIPPED or (self._group.is_optional and word not in _KNOWN_OPTIONAL):
            self._group.destination, self._group.is_optional = "skip", False
        elif self._group.destination != "skip":
            self._group.is_optional = False
            self._known(word, number)

    def _known(self, word: str, number: int | None) -> None:
        if word in _INTO:
            self._group.destination = _INTO[word]
            if word in ("listtext", "pntext"):
                self.flow.number = self.flow.number or ""
        elif word in _LOOKS:
            _LOOKS[word](self, self._group, number)
        elif word in _PARAGRAPHS and self._group.destination == "text":
            _PARAGRAPHS[word](self.flow)
        elif word in _RUNNING:
            self._aside(self.running[_RUNNING[word]])
        elif word in ("footnote", "shptxt"):
            self._aside(Flow())
        elif word == "field":
            self._group.field = Field(start=len(self.flow.pieces))
        elif word == "fldrslt" and self._group.field:
            self._result(self._group.field)

    def _result(self, one: Field) -> None:
        one.start = len(self.flow.pieces)
        self.flow.has_page_field |= bool(_PAGE.match(one.code))
        found = _LINK.match(one.code)
        address, flow = web_address(found[1]) if found else "", self.flow
        # What stands within a link is no link, so that words are not joined again and again.
        self._group.field = None
        if address:
            self._group.ends = lambda: flow.add_address(one.start, address)

    def _aside(self, flow: Flow) -> None:
        """The group's text goes into a flow of its own."""
        before = self.flow
        self.flow = flow
        self._group.destination = "text"

        def back() -> None:
            flow.end()
            self.flow = before
            if flow not in self.running.values():
                before.notes.append(" ".join(block.text for block in flow.blocks))

        self._group.ends = back

    def _add_style(self) -> None:
        name, self._name = "".join(self._name).strip(" ;").casefold(), []
        style, level = self._style
        if name == "title":
            level = 1
        if level:
            self._levels[style] = level
        self._style = (0, 0)

    def _keep_hidden(self) -> None:
        hidden = "".join(self._unseen)
        self.hidden += [hidden] if hidden.strip() else []


Look = Callable[[RtfReader, Group, int | None], None]


def _is_on(number: int | None) -> bool:
    return number != 0


def _plain(reader: RtfReader, group: Group, _: int | None) -> None:
    group.is_hidden = group.is_deleted = False
    group.height = ""


def _hide(reader: RtfReader, group: Group, number: int | None) -> None:
    group.is_hidden = _is_on(number)


def _delete(reader: RtfReader, group: Group, number: int | None) -> None:
    group.is_deleted = _is_on(number)


def _raise(reader: RtfReader, group: Group, number: int | None) -> None:
    group.height = "raised" if _is_on(number) else ""


def _lower(reader: RtfReader, group: Group, number: int | None) -> None:
    group.height = "lowered" if _is_on(number) else ""


def _level(reader: RtfReader, group: Group, _: int | None) -> None:
    group.height = ""


def _font(reader: RtfReader, group: Group, number: int | None) -> None:
    reader._font = number or 0
    group.codec = reader._fonts.get(reader._font, "")


def _charset(reader: RtfReader, group: Group, number: int | None) -> None:
    if group.destination == "fonts":
        reader._fonts[reader._font] = "symbol" if number == _SYMBOLS else _CHARSETS.get(number or 0, "")


def _code_page(reader: RtfReader, group: Group, number: int | None) -> None:
    try:
        reader._codec = codecs.lookup("utf-8" if number == _UTF8 else f"cp{number}").name
    except LookupError:
        reader._codec = "cp1252"


def _macintosh(reader: RtfReader, group: Group, _: int | None) -> None:
    reader._codec = "mac_roman"


def _replaced(reader: RtfReader, group: Group, number: int | None) -> None:
    group.replaced = min(max(number or 0, 0), 10)


def _style(reader: RtfReader, group: Group, number: int | None) -> None:
    if group.destination == "styles":
        reader._style = (number or 0, reader._style[1])
    else:
        reader.flow.level = reader._levels.get(number or 0, 0)


def _outline(reader: RtfReader, group: Group, number: int | None) -> None:
    level = min((number or 0) + 1, _MAX_LEVEL) if (number or 0) < 9 else 0
    if group.destination == "styles":
        reader._style = (reader._style[0], level)
    else:
        reader.flow.level = level


_LOOKS: Mapping[str, Look] = {
    "plain": _plain, "v": _hide, "deleted": _delete, "super": _raise, "nosupersub": _level, "sub": _lower, "f": _font,
    "fcharset": _charset, "ansicpg": _code_page, "mac": _macintosh, "uc": _replaced, "s": _style, "outlinelevel": _outline,
}  # fmt: skip


def _in_table(flow: Flow) -> None:
    flow.is_in_table = True


def _page_field(flow: Flow) -> None:
    flow.has_page_field = True


def _header_row(flow: Flow) -> None:
    flow.is_header_row = True


def _joins_left(flow: Flow) -> None:
    flow.form.joins_left = True


def _joins_above(flow: Flow) -> None:
    flow.form.joins_above = True


_PARAGRAPHS: Mapping[str, Callable[[Flow], None]] = {
    **dict.fromkeys(("par", "sect", "page", "\n", "\r"), Flow.end_paragraph), "pard": Flow.start_paragraph,
    "cell": Flow.end_cell, "row": Flow.end_row, "trowd": Flow.start_row, "cellx": Flow.end_form, "trhdr": _header_row,
    "intbl": _in_table, "clmrg": _joins_left, "clvmrg": _joins_above, "chpgn": _page_field,
}  # fmt: skip
