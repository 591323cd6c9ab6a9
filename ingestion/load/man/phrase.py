"""The words of a line of mdoc(7): macros within it say what a word is, and which signs stand around it."""

from collections.abc import Sequence

_AROUND = {
    "Op": "[]", "Aq": "<>", "Bq": "[]", "Brq": "{}", "Dq": "“”", "Pq": "()", "Ql": "‘’", "Qq": '""', "Sq": "‘’", "Eq": "()",
}  # fmt: skip
_OPENS = {"Oo": "[", "Ao": "<", "Bo": "[", "Bro": "{", "Do": "“", "Po": "(", "Qo": '"', "So": "‘", "Xo": ""}
_CLOSES = {"Oc": "]", "Ac": ">", "Bc": "]", "Brc": "}", "Dc": "”", "Pc": ")", "Qc": '"', "Sc": "’", "Xc": ""}
_SYSTEMS = {
    "At": "AT&T UNIX", "Bsx": "BSD/OS", "Bx": "BSD", "Dx": "DragonFly", "Fx": "FreeBSD", "Nx": "NetBSD", "Ox": "OpenBSD",
    "Ux": "UNIX",
}  # fmt: skip
_PLAIN = frozenset(
    "Ad An Ar Cd Cm Dv Em Er Ev Fa Fl Fn Ft Ic In Lb Li Lk Ms Mt Nm No Ns Ap Pa Pf St Sx Sy Tn Va Vt Xr Ta".split()
)
INLINE = _PLAIN | {*_AROUND, *_OPENS, *_CLOSES, *_SYSTEMS}
_CLOSING, _OPENING = frozenset(".,:;)]?!"), frozenset("([")
_INSTEAD = {"Ar": "file ...", "Fl": "-", "Pa": "~"}


class Phrase:
    """Words as they come, with a space between two but where a macro or a sign says otherwise."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._parts: list[str] = []
        self._is_glued = True
        self._macro = ""
        self._count = 0

    def text(self) -> str:
        """All that was said."""
        return "".join(self._parts)

    def say(self, words: Sequence[str]) -> None:
        """The words of a line, macros among them."""
        end = len(words)
        while end and words[end - 1] in _CLOSING:
            end -= 1
        around: list[str] = []
        for word in words[:end]:
            if word in INLINE:
                self._begin(word, around)
            else:
                self._word(word)
        self._end_macro()
        for sign in reversed(around):
            self._add(sign, is_glued=True)
        for sign in words[end:]:
            self._add(sign, is_glued=True)

    def _begin(self, macro: str, around: list[str]) -> None:
        self._end_macro()
        self._macro, self._count = macro, 0
        opening = _OPENS.get(macro) or _AROUND.get(macro, "")[:1]
        if opening:
            self._add(opening)
            self._is_glued = True
        if macro in _AROUND:
            around.append(_AROUND[macro][1:])
        elif macro in _CLOSES:
            self._add(_CLOSES[macro], is_glued=True)
        elif macro in _SYSTEMS:
            self._add(_SYSTEMS[macro])
        elif macro == "Ap":
            self._add("'", is_glued=True)
        self._is_glued = self._is_glued or macro in ("Ns", "Ap")

    def _end_macro(self) -> None:
        """A macro without a word stands for a word of its own."""
        instead = self._name if self._macro == "Nm" else _INSTEAD.get(self._macro, "")
        if instead and not self._count:
            self._add(instead)
        self._macro = ""

    def _word(self, word: str) -> None:
        self._count += 1
        if word in _CLOSING:
            self._add(word, is_glued=True)
        elif self._macro == "Fl":
            self._add(word if word in ("|", "") else f"-{word}")
        elif self._macro in ("Xr", "Fn") and self._count == 1 + (self._macro == "Xr"):
            self._add(f"({word})" if self._macro == "Xr" else f"{word}()", is_glued=self._macro == "Xr")
        else:
            self._add(word)
            self._is_glued = word in _OPENING or (self._macro == "Pf" and self._count == 1)

    def _add(self, word: str, *, is_glued: bool = False) -> None:
        if word:
            self._parts += [word] if is_glued or self._is_glued else [" ", word]
            self._is_glued = False
