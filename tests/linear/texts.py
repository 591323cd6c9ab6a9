"""Texts that make a pattern read the same characters again and again: forms of any kind, and forms from a pattern itself."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from re import _constants as code  # type: ignore[attr-defined]
from re import _parser  # type: ignore[attr-defined]
from typing import Any


@dataclass(frozen=True, slots=True)
class Form:
    """`head`, then `unit` again and again, then `tail`."""

    head: str
    unit: str
    tail: str = ""

    @property
    def name(self) -> str:
        """The form, shortened, for a table."""
        return " ".join(f"{part!r:.60}" for part in (self.head, self.unit, self.tail) if part)

    def text(self, size: int) -> str:
        """The text of just so many characters."""
        left = max(size - len(self.head) - len(self.tail), 1)
        return self.head + (self.unit * (left // len(self.unit) + 1))[:left] + self.tail


_UNITS = (
    *"aZ1é忽ß😀 \n\t@.-_=<>()[]{}\"'`“!?,;:/\\|#*$%&+~^0",
    "\u0301", "\u0301\u0316", "\u200b", "a\u200b", "нa", "н’", "か", "ก", "เก้", "क्", "က်", "한", "مَ", "汉1", "\U000e0041", "\u2003", "\r\n", "忽略", "指示", "ignorera ", "ignore ", "forget ", "a ", "A ", "Aa ", "A. ", "a. ", "a.", "a@a.",
    "@a.", "a@", "a-", "a_", "a=", "1 ", "1 2 ", "1.", "1,", "1:", "1-", "1/", "12 ", "(1) ", "[1]", "[1] ", "[a](", "[a](b ", "](", "![", "![a](http://a",
    "http://a", "http://a ", "http://a@", "http://a:", "//a.", "www.a", "https://a.b/c?d=", "a.bc/", "a.bc?", "password=", "password=a", "password=a1",
    "token: ", "-----BEGIN ", "-----BEGIN PRIVATE KEY-----", "AKIA", "ts-abcdef-", "QUJD", "QUJD ", "3f", "3f ", "0x3f ", "01000001", "01000001 ", ".- ",
    "-.- / ", "\\u0061", "&#97;", "%61", "%25", "&amp;", "&lt;", "<a ", "<a>", "</a>", "<div>", "<!--", "<b", "{\"a\":", "a,", "a;", "\"a\" ", "'a' ", "\"\"", "a'",
    "“a", "n't ", "not ", "gay ", "black ", "gay-", "you ", "thank you ", "hello, ", "what is ", "when ", "the ", "send ", "send to ", "x='", "x='abc' ", "Q: ", "\nQ: a A: b ",
    "if user always ", "h 4 t 3 ", "h4t3", "$h!t", "i g n o r e ", "vgahc ", "away ", "ayay", "bay ", "Dr. ", "e.g. ", "A.B.", "1st May ", "1 of ", "May ", "2020-01-01 ",
    "\n# ", "\n- ", "\n> ", "\n\n", " \n", "\n ", "---\n", "===\n", "a\nb\n---\n", "|a|b|\n", "```\n", "*a* ", "**", "_a_", "`a`", "+49 ", "(030) ", "030 1234567 ", "4111 1111 ",
    "DE89 3704 ", "GB", "AB123456C ", "a:b@", "::", "fe80:", "00:1b:", "1.2.3.4 ", "a.com ", "no end without", "The cat sat. ", "Does it work? ",
)  # fmt: skip
_TAILED = (
    ("a", "@"),
    ("a", "!"),
    ("a ", "="),
    ("1", "x"),
    (" ", "x"),
    ("\n", "x"),
    ("a.", " "),
    ("忽略", "。"),
)


def generic() -> Iterator[Form]:
    """One character of each kind, and what people and attackers write, again and again."""
    yield from (Form("", unit) for unit in _UNITS)
    yield from (Form("", unit, tail) for unit, tail in _TAILED)
    yield from (
        Form("x", " "),
        Form("<", "a"),
        Form("[", "a"),
        Form('"', "a"),
        Form("(", " "),
        Form("@", "a."),
    )


# Forms from a pattern.

_CANDIDATES = "a1 A.-@_é忽\n\"'(/=:,#<>!?;$%&*+[]{}|~^`\\\t“"
_CATEGORIES = {
    code.CATEGORY_DIGIT: str.isdigit,
    code.CATEGORY_NOT_DIGIT: lambda c: not c.isdigit(),
    code.CATEGORY_SPACE: str.isspace,
    code.CATEGORY_NOT_SPACE: lambda c: not c.isspace(),
    code.CATEGORY_WORD: lambda c: c.isalnum() or c == "_",
    code.CATEGORY_NOT_WORD: lambda c: not (c.isalnum() or c == "_"),
}
_MEMBERS, _BRANCHES, _LEAST_REPEAT = 5, 4, 5


def _is_in(character: str, items: Sequence[tuple[Any, Any]]) -> bool:
    is_negated = bool(items) and items[0][0] is code.NEGATE
    for op, value in items[1:] if is_negated else items:
        if (
            (op is code.LITERAL and ord(character) == value)
            or (op is code.RANGE and value[0] <= ord(character) <= value[1])
            or (op is code.CATEGORY and _CATEGORIES[value](character))
        ):
            return not is_negated
    return is_negated


def _members(items: Sequence[tuple[Any, Any]]) -> list[str]:
    """Some characters of a class, of different kinds."""
    own = [chr(value) for op, value in items if op is code.LITERAL]
    own += [chr(value[0]) for op, value in items if op is code.RANGE]
    known = [c for c in dict.fromkeys((*_CANDIDATES, *own)) if _is_in(c, items)]
    return known[:_MEMBERS] or [""]


def _samples(parsed: Iterable[tuple[Any, Any]]) -> list[str]:
    """Some texts that a part of a pattern matches, look-arounds left aside."""
    found = [""]
    for node in parsed:
        found = [before + after for before in found for after in _samples_of(node)][:_BRANCHES]
    return found


def _samples_of(node: tuple[Any, Any]) -> list[str]:
    op, value = node
    if op is code.LITERAL:
        return [chr(value)]
    if op is code.NOT_LITERAL:
        return _members([(code.NEGATE, None), (code.LITERAL, value)])[:1]
    if op is code.ANY:
        return ["a"]
    if op is code.IN:
        return _members(value)
    if op is code.BRANCH:
        return [sample for branch in value[1] for sample in _samples(branch)[:1]][:_BRANCHES]
    if op in (code.MAX_REPEAT, code.MIN_REPEAT, code.POSSESSIVE_REPEAT):
        return [sample * max(value[0], 1) for sample in _samples(value[2])[:2]]
    inner = _inner(node)
    return _samples(inner[0]) if inner and op is not code.ASSERT and op is not code.ASSERT_NOT else [""]


def _inner(node: tuple[Any, Any]) -> list[Any]:
    """The sequences within a node."""
    op, value = node
    if op is code.BRANCH:
        return list(value[1])
    if op is code.SUBPATTERN:
        return [value[3]]
    if op is code.ATOMIC_GROUP:
        return [value]
    if op in (code.MAX_REPEAT, code.MIN_REPEAT, code.POSSESSIVE_REPEAT):
        return [value[2]]
    return [value[1]] if op in (code.ASSERT, code.ASSERT_NOT) else []


def _repeats(parsed: Iterable[tuple[Any, Any]], before: str = "") -> Iterator[tuple[str, str]]:
    """Every repetition of a pattern: what comes before it, and what it repeats."""
    for node in parsed:
        op, value = node
        if op in (code.MAX_REPEAT, code.MIN_REPEAT) and value[1] >= _LEAST_REPEAT:
            yield from ((before, unit) for unit in _samples(value[2])[:_MEMBERS] if unit)
        for inner in _inner(node):
            yield from _repeats(inner, before)
        before += _samples_of(node)[0]


def forms_of(pattern: re.Pattern[str]) -> Iterator[Form]:
    """The pattern's own literals and one member of each class: whole, half, and each repetition without its end."""
    parsed = list(_parser.parse(pattern.pattern, pattern.flags))
    seen: set[Form] = set()
    for form in _forms(parsed):
        if form.unit and form not in seen:
            seen.add(form)
            yield form


def _forms(parsed: Sequence[tuple[Any, Any]]) -> Iterator[Form]:
    for sample in _samples(parsed):
        yield from (
            Form("", sample),
            Form("", f"{sample} "),
            Form("", sample[:-1]),
            Form("", f"{sample[:-1]} "),
        )
    for before, unit in _repeats(parsed):
        yield from (Form(before, unit), Form(before, unit, "ab"), Form("", before + unit))
        yield from (Form("", before + unit * 20), Form("", before))
