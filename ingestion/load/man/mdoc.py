"""The macros of mdoc(7), in which BSD's pages are written."""

from collections.abc import Callable, Iterable, Mapping

from ingestion.corpus import Block
from ingestion.load.man.builder import Builder
from ingestion.load.man.escapes import plain
from ingestion.load.man.phrase import INLINE, Phrase
from ingestion.load.man.roff import Request, Strings
from ingestion.load.rows import row_text

_ITEMS = ("-bullet", "-dash", "-hyphen", "-item", "-enum")
_LOOKS = frozenset("Dd Os Bk Ek Sm Tg Hf nr rr ad na hy nh ne in ti ta ft ps tr bp pl ll rm".split())
_STANDARD = {
    "Ex": "exits 0 on success, and >0 if an error occurs.",
    "Rv": "returns 0 if successful; otherwise -1 is returned and errno is set.",
}


class MdocPage:
    """Takes macros and lines of text in order, and builds the page's blocks."""

    def __init__(self, strings: Strings) -> None:
        self.title = ""
        self._out = Builder()
        self._strings = strings
        self._name = ""
        self._is_synopsis = False
        self._lists: list[tuple[str, int]] = []  # the kind of each list around, and the depth of its terms
        self._displays: list[bool] = []  # whether there was code around each display
        self._term: Phrase | None = None  # a term that goes on over several lines

    def take(self, requests: Iterable[Request]) -> list[Block]:
        """The blocks of all that a page says."""
        for request in requests:
            if not request.name:
                self._text(request.rest)
            elif request.name in _DOES:
                _DOES[request.name](self, self._words(request))
            elif request.name in INLINE:
                self._inline([request.name, *self._words(request)])
            elif request.name not in _LOOKS:
                self._say(" ".join(self._words(request)))
        self._end_term()
        self._out.end()
        return self._out.blocks

    def _words(self, request: Request) -> list[str]:
        return [plain(word, self._strings.values) for word in request.arguments()]

    def _text(self, text: str) -> None:
        if not text.strip() and not self._out.is_code:
            self._out.end()
        else:
            self._say(plain(text, self._strings.values))

    def _say(self, text: str) -> None:
        if self._term is not None:
            self._term.say([text])
        else:
            self._out.add(text)

    def _inline(self, words: list[str]) -> None:
        if words[0] == "Nm":
            self._name = self._name or (words[1] if len(words) > 1 else "")
            if self._is_synopsis:
                self._out.end()
        if self._term is not None:
            self._term.say(words)
            if "Xc" in words:
                self._end_term()
            return
        phrase = Phrase(self._name)
        phrase.say(words)
        self._out.add(phrase.text())

    def _end_term(self) -> None:
        if self._term is not None:
            self._out.term(self._term.text())
            self._out.depth += self._out.is_below_term
            self._term = None

    # What macros do.

    def _page(self, words: list[str]) -> None:
        self.title = f"{words[0].lower()}({words[1]})" if len(words) > 1 else ""

    def _section(self, words: list[str], level: int) -> None:
        self._end_term()
        self._lists, self._displays = [], []
        title = Phrase(self._name)
        title.say(words)
        self._is_synopsis = level == 2 and words[:1] == ["SYNOPSIS"]
        self._out.heading(title.text(), level)

    def _paragraph(self, _: list[str]) -> None:
        self._end_term()
        if not self._out.is_code:
            self._out.begin("paragraph")

    def _purpose(self, words: list[str]) -> None:
        self._out.add("– " + " ".join(words))

    def _list(self, words: list[str]) -> None:
        self._end_term()
        self._out.end()
        kind = next(
            (word for word in words if word.startswith("-") and word not in ("-compact", "-width")), "-item"
        )
        self._lists.append((kind, self._out.depth))

    def _list_ends(self, _: list[str]) -> None:
        self._end_term()
        self._out.begin("paragraph")
        if self._lists:
            self._out.depth = self._lists.pop()[1]

    def _item(self, words: list[str]) -> None:
        self._end_term()
        kind, depth = self._lists[-1] if self._lists else ("-item", self._out.depth)
        self._out.begin("item" if kind in _ITEMS else "paragraph")
        self._out.depth = depth
        if kind == "-column":
            self._row(words)
        elif kind not in _ITEMS:
            self._term = Phrase(self._name)
            self._term.say(words)
            if "Xo" not in words or "Xc" in words:
                self._end_term()

    def _row(self, words: list[str]) -> None:
        cells: list[list[str]] = [[]]
        for word in words:
            parts = [""] if word == "Ta" else word.split("\t")
            cells[-1].append(parts[0])
            cells += [[part] for part in parts[1:]] + ([[]] if word == "Ta" else [])
        text = row_text((), [self._phrase(cell) for cell in cells])
        self._out.blocks.append(Block("row", text, depth=self._out.depth))

    def _phrase(self, words: list[str]) -> str:
        phrase = Phrase(self._name)
        phrase.say(words)
        return phrase.text()

    def _display(self, words: list[str]) -> None:
        self._end_term()
        self._displays.append(self._out.is_code)
        self._out.code("-literal" in words or "-unfilled" in words or self._out.is_code)

    def _display_ends(self, _: list[str]) -> None:
        self._out.code(self._displays.pop() if self._displays else False)

    def _line_of_code(self, words: list[str]) -> None:
        self._end_term()
        self._out.end()
        was = self._out.is_code
        self._out.is_code = True
        self._out.add(self._phrase(words))
        self._out.code(was)

    def _example(self, words: list[str]) -> None:
        self._paragraph(words)
        self._out.add(self._phrase(words))
        self._out.end()

    def _standard(self, words: list[str], macro: str) -> None:
        self._say(f"The {words[1] if len(words) > 1 else self._name} utility {_STANDARD[macro]}")


_Does = Callable[[MdocPage, list[str]], None]
_DOES: Mapping[str, _Does] = {
    "Dt": MdocPage._page,
    "Sh": lambda page, words: page._section(words, 2),
    "Ss": lambda page, words: page._section(words, 3),
    **dict.fromkeys(("Pp", "Lp", "PP", "sp", "br", "Rs", "Re"), MdocPage._paragraph),
    "Nd": MdocPage._purpose,
    "Bl": MdocPage._list,
    "It": MdocPage._item,
    "El": MdocPage._list_ends,
    "Bd": MdocPage._display,
    "Ed": MdocPage._display_ends,
    "Dl": MdocPage._line_of_code,
    "D1": MdocPage._example,
    "Ex": lambda page, words: page._standard(words, "Ex"),
    "Rv": lambda page, words: page._standard(words, "Rv"),
}
