"""The macros of man(7)."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence

from ingestion.corpus import Block
from ingestion.load.man.builder import Builder
from ingestion.load.man.escapes import plain
from ingestion.load.man.roff import Request, Strings
from ingestion.load.rows import table_blocks

_FONTS = ("B", "I", "R", "SM", "SB")
_PAIRS = ("BR", "BI", "IR", "IB", "RB", "RI")
# What changes how a page looks and not what it says.
_LOOKS = frozenset(
    "ad af aln als an an-margin ar bd bp br.s cc ce c2 ch cs cu de1 do ds1 dt ec eo ev evc em fam fc ft fp fzoom hc hcode hla"
    " hlm hpf hw hy hym hys in it kern lc length lf lg lf ll ls lt mc mk na ne nf1 nh nm nn nr ns nx os pc pi pl pm pn po ps"
    " psbb rd rm rn rnn rr rs rt schar sizes ss sty substring ta tc ti tkf tl tm tr trf uf ul vpt vs wh warn write"
    " PD DT UC AT IX HY hw BX nop lds SH1 TA".split()
)
_DELIMITER = re.compile(r"tab ?\((.)\)")
_LONGEST_NAME = 100
_DEEPEST = 20


class ManPage:
    """Takes macros and lines of text in order, and builds the page's blocks."""

    def __init__(self, strings: Strings) -> None:
        self.title = ""
        self._out = Builder()
        self._strings = strings
        self._outer: list[tuple[int, int]] = []  # around each `.RS`: depth of `.PP`, and of the text
        self._base = 0  # depth of what `.PP` begins
        self._wants_tag = False
        self._table: list[str] | None = None
        self._link = ""

    def take(self, requests: Iterable[Request]) -> list[Block]:
        """The blocks of all that a page says."""
        for request in requests:
            if self._table is not None and request.name != "TE":
                self._table.append(f".{request.name}" if request.name else request.rest)
            elif request.name:
                self._macro(request)
            else:
                self._text(request.rest)
        self._out.end()
        return self._out.blocks

    def _plain(self, text: str) -> str:
        return plain(text, self._strings.values)

    def _macro(self, request: Request) -> None:
        does = _DOES.get(request.name)
        if does is not None:
            does(self, [self._plain(word) for word in request.arguments()])
        elif request.name not in _LOOKS:
            self._text(" ".join(request.arguments()))

    def _text(self, text: str) -> None:
        said = self._plain(text)
        if self._wants_tag and said.strip():
            self._wants_tag = False
            self._tag(said)
        elif not text.strip() and not self._out.is_code:
            self._out.end()
        else:
            self._out.add(said)

    def _tag(self, text: str) -> None:
        self._out.depth = self._base
        self._out.term(text)
        self._out.depth = self._base + self._out.is_below_term

    # What macros do.

    def _name(self, words: list[str]) -> None:
        if len(words) > 1:
            self.title = f"{words[0].lower()}({words[1]})"

    def _section(self, words: list[str], level: int) -> None:
        self._base, self._outer, self._wants_tag = 0, [], False
        self._out.heading(" ".join(words), level)

    def _paragraph(self, _: list[str]) -> None:
        self._out.begin("paragraph")
        self._out.depth = self._base
        self._wants_tag = False

    def _break(self, _: list[str]) -> None:
        if not self._out.is_code:
            self._out.end()

    def _tagged(self, _: list[str]) -> None:
        self._out.begin("paragraph")
        self._wants_tag = True

    def _indented(self, words: list[str]) -> None:
        self._out.begin("paragraph")
        self._wants_tag = False
        if words and words[0].strip():
            self._tag(words[0])

    def _deeper(self, words: list[str]) -> None:
        """What DocBook sets in, by a width, below a short paragraph that ends no sentence, explains it."""
        self._out.end()
        last = self._out.blocks[-1] if self._out.blocks else None
        self._outer.append((self._base, self._out.depth))
        is_name = words and last and last.kind == "paragraph" and last.depth == self._out.depth == self._base
        if last and is_name and _is_name(last.text):
            self._out.blocks.pop()
            self._out.term(last.text)
        if len(self._outer) < _DEEPEST:
            self._base = self._out.depth + self._out.is_below_term
        self._out.depth = self._base

    def _back(self, _: list[str]) -> None:
        self._out.code(False)
        self._base, self._out.depth = self._outer.pop() if self._outer else (0, 0)

    def _styled(self, words: list[str]) -> None:
        self._text_of(" ".join(words))

    def _joined(self, words: list[str]) -> None:
        self._text_of("".join(words))

    def _text_of(self, said: str) -> None:
        if not said:
            return
        if self._wants_tag:
            self._wants_tag = False
            self._tag(said)
        else:
            self._out.add(said)

    def _code(self, is_on: bool) -> None:
        self._out.code(is_on)

    def _linked(self, words: list[str]) -> None:
        self._link = words[0] if words else ""

    def _link_ends(self, words: list[str]) -> None:
        self._text_of(f"⟨{self._link}⟩{''.join(words)}" if self._link else "")
        self._link = ""

    def _option(self, words: list[str]) -> None:
        self._text_of(f"[{' '.join(words)}]")

    def _table_begins(self, _: list[str]) -> None:
        self._out.end()
        self._table = []

    def _table_ends(self, _: list[str]) -> None:
        rows = _rows([self._plain(line) for line in self._table or ()])
        self._table = None
        blocks = table_blocks(rows) if rows else ()
        self._out.blocks += [Block(one.kind, one.text, depth=self._out.depth) for one in blocks]


def _is_name(text: str) -> bool:
    return len(text) <= _LONGEST_NAME and not text.endswith((".", ":", "!", "?")) and " is " not in text


def _rows(lines: Sequence[str]) -> list[list[str]]:
    """The cells of a table (tbl(1)): options and formats end with a dot, `T{` and `T}` hold longer cells together."""
    start = next((n + 1 for n, line in enumerate(lines) if line.rstrip().endswith(".")), len(lines))
    found = _DELIMITER.search("\n".join(lines[:start]))
    rows = [
        [_cell(cell) for cell in line.split(found[1] if found else "\t")]
        for line in _whole_lines(lines[start:])
    ]
    return [row for row in rows if any(row)]


def _whole_lines(lines: Sequence[str]) -> list[str]:
    """Lines of a table, each with all of a cell that goes over several. Rulers and macros go."""
    whole: list[list[str]] = []
    is_open = False
    for line in lines:
        text = line.rstrip()
        if is_open:
            is_open = not text.startswith("T}") or text.endswith("T{")
            whole[-1] += [" ", text.removeprefix("T}").removesuffix("T{")]
        elif not text.startswith(".") and text not in ("_", "-", "="):
            is_open = text.endswith("T{")
            whole.append([text.removesuffix("T{")])
    return ["".join(parts) for parts in whole]


def _cell(text: str) -> str:
    return "" if text.strip() in ("_", "=", "\\^") else text.strip()


_Does = Callable[[ManPage, list[str]], None]
_DOES: Mapping[str, _Does] = {
    "TH": ManPage._name,
    "SH": lambda page, words: page._section(words, 2),
    "SS": lambda page, words: page._section(words, 3),
    **dict.fromkeys(("PP", "P", "LP", "HP", "sp", "Pp"), ManPage._paragraph),
    "br": ManPage._break,
    **dict.fromkeys(("TP", "TQ"), ManPage._tagged),
    "IP": ManPage._indented,
    "RS": ManPage._deeper,
    "RE": ManPage._back,
    **dict.fromkeys(("nf", "EX"), lambda page, _: page._code(True)),
    **dict.fromkeys(("fi", "EE", "YS"), lambda page, _: page._code(False)),
    **dict.fromkeys(_FONTS, ManPage._styled),
    **dict.fromkeys(_PAIRS, ManPage._joined),
    **dict.fromkeys(("UR", "MT"), ManPage._linked),
    **dict.fromkeys(("UE", "ME"), ManPage._link_ends),
    "SY": ManPage._styled,
    "OP": ManPage._option,
    "TS": ManPage._table_begins,
    "TE": ManPage._table_ends,
}
