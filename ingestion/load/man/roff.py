"""The lines of a roff source: comments, definitions and what is meant for typesetters go, strings are filled in."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

_REQUEST = re.compile(r"[.'][ \t]*(\S*)[ \t]*(.*)")
_ARGUMENT = re.compile(r'"((?:[^"]|"")*)(?:"|$)|(\S+)')
# Whether a condition of `.if` holds for text on a terminal; what isn't known here doesn't.
_HOLDS = {"n": True, "t": False, "o": True, "e": False}
_SKIPS = ("de", "de1", "dei", "am", "am1", "ig")
_LONGEST_STRING, _MOST_STRINGS = 1_000, 1_000


@dataclass(frozen=True, slots=True)
class Request:
    """A macro with what stands behind it; an empty name is a line of text."""

    name: str
    rest: str

    def arguments(self) -> list[str]:
        """What stands behind the macro, word by word; quotes hold words together."""
        return [
            found[1].replace('""', '"') if found[1] is not None else found[2]
            for found in _ARGUMENT.finditer(self.rest)
        ]


_NOTHING = Request('\\"', "")


@dataclass(slots=True)
class Strings:
    """Strings that the page defines."""

    values: dict[str, str] = field(default_factory=lambda: {"lq": "“", "rq": "”", "R": "®", "Tm": "™"})

    def define(self, rest: str) -> None:
        """`name text`, where the text may begin with a quote."""
        name, _, text = rest.partition(" ")
        if name and len(text) <= _LONGEST_STRING and len(self.values) < _MOST_STRINGS:
            self.values[name] = text.strip().removeprefix('"')


def requests(text: str, strings: Strings) -> Iterator[Request]:
    """Macros and lines of text in order. Definitions of strings go to `strings`."""
    ends_with = ""  # the line that ends a definition or what is left out
    depth = 0  # of braces around what isn't for terminals
    otherwise = False  # whether the next `.el` holds
    for line in _continued(text):
        if depth > 0:
            depth += _braces(line)
        elif ends_with:
            ends_with = "" if line.rstrip() == ends_with else ends_with
        else:
            request, otherwise, depth = _decided(parse(line), otherwise)
            if request.name in _SKIPS:
                ends_with = "." + (_last_word(request) or ".")
            elif request.name == "ds":
                strings.define(request.rest)
            elif not request.name.startswith(("\\", "}")):
                yield request


def _decided(request: Request, otherwise: bool) -> tuple[Request, bool, int]:
    """What is behind the conditions of a line; whether `.el` holds now; how many braces are open around what doesn't."""
    while request.name in ("if", "ie", "el"):
        holds, rest = (otherwise, request.rest) if request.name == "el" else _condition(request.rest)
        if request.name == "ie":
            otherwise = not holds
        if not holds:
            return _NOTHING, otherwise, _braces(rest)
        request = parse(rest.replace("\\{", "", 1).lstrip()) if rest.strip() else _NOTHING
    return Request(request.name, request.rest.replace("\\}", "")), otherwise, 0


def _braces(text: str) -> int:
    return text.count("\\{") - text.count("\\}")


def _last_word(request: Request) -> str:
    """The second word of a definition, or the first of what is ignored: what ends it."""
    words = request.rest.split()
    return words[0] if request.name == "ig" and words else words[1] if len(words) > 1 else ""


def parse(line: str) -> Request:
    """A line as a macro or as text."""
    found = _REQUEST.fullmatch(line) if line[:1] in (".", "'") else None
    return Request(found[1], found[2]) if found and (found[1] or not found[2]) else Request("", line)


def _continued(text: str) -> Iterator[str]:
    """Lines, of which one that ends with a backslash goes on in the next."""
    waiting: list[str] = []
    for line in text.split("\n"):
        if line.endswith("\\") and not line.endswith("\\\\"):
            waiting.append(line[:-1])
        else:
            yield "".join([*waiting, line])
            waiting = []
    if waiting:
        yield "".join(waiting)


def _condition(rest: str) -> tuple[bool, str]:
    """Whether a condition holds, and what stands behind it."""
    is_not = rest.startswith("!")
    rest = rest.removeprefix("!").lstrip()
    if rest[:1] in ("'", '"') and rest.count(rest[0]) >= 3:
        _, left, right, behind = rest.split(rest[0], 3)
        return (left == right) != is_not, behind.lstrip()
    word, _, behind = rest.partition(" ")
    return _HOLDS.get(word, False) != is_not, behind.lstrip()
