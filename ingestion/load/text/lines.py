"""Lines of plain text as they were set: their indentation, where they were wrapped by hand, and how they are joined again."""

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice

from ingestion.corpus import Block

_WORD = re.compile(r"[^\W\d_]+(?:-[^\W\d_]+)*")
_GAP = re.compile(r"\S( {2,})(?=\S)")
# What a line ends with that goes on without a space in the next: a hyphen, also that of typesetters, behind a letter.
_HYPHENATED = re.compile(r"[^\W\d_][-\u2010\u00ad]\Z")
_SOFT = "\u2010\u00ad"
_NARROWEST, _WIDEST = 50, 132
_SLACK = 8
_ENDS = (".", ":", ";", "!", "?", ".)", '."')


@dataclass(frozen=True, slots=True)
class Line:
    """A line without the spaces around it; an empty text is a blank line."""

    indent: int
    text: str

    @property
    def end(self) -> int:
        """The column behind its last character."""
        return self.indent + len(self.text)


@dataclass(frozen=True, slots=True)
class Sheet:
    """What the whole of a text tells of its lines.

    `width` is where its lines were wrapped. `columns` are pairs of indentation and column in which explanations stand beside
    their terms. `words` are all its words, by which divided ones are mended. `levels` ranks what headings are underlined with.
    `is_numbered` says that headings have numbers. `rules` of a format are tried before those of all text. `nesting` counts how
    deep within one another its parts are. Where it is markup, lines without a blank one between them are one paragraph.
    """

    width: int
    columns: frozenset[tuple[int, int]]
    words: frozenset[str]
    levels: Mapping[str, int] = field(default_factory=dict)
    is_numbered: bool = False
    rules: tuple["Rule", ...] = ()
    nesting: int = 0
    is_markup: bool = False

    def inner(self) -> "Sheet":
        """For what is within another part."""
        return replace(self, nesting=self.nesting + 1)


# What was made of the lines from `at` on, and at which line the next begins; None where a rule has nothing to say.
Found = tuple[list[Block], int]
Rule = Callable[[Sequence[Line], int, Sheet, int], Found | None]


def lines_of(text: str) -> list[Line]:
    """The lines of a text, with tabs as spaces."""
    text = text.replace("\r\n", "\n").replace("\r", "\n").replace("\f", "\n").expandtabs(8)
    return [Line(len(line) - len(line.lstrip(" ")), line.strip()) for line in text.split("\n")]


def words_of(lines: Sequence[Line]) -> frozenset[str]:
    """The words of some lines; what a hyphen ends may be a part of one."""
    texts = (line.text.rpartition(" ")[0] if _is_hyphenated(line.text) else line.text for line in lines)
    return frozenset(word.lower() for text in texts for word in _WORD.findall(text))


def width_of(lines: Sequence[Line]) -> int:
    """The column up to which nine in ten of the lines reach that the next one continues, and no fewer than 50."""
    pairs = zip(lines, lines[1:], strict=False)
    ends = sorted(
        line.end for line, after in pairs if line.text and after.text and line.indent == after.indent
    )
    ends = [end for end in ends if _NARROWEST <= end <= _WIDEST]
    return ends[len(ends) * 9 // 10] if ends else 72


def columns_of(lines: Sequence[Line]) -> frozenset[tuple[int, int]]:
    """Pairs of indentation and column that come again, of a next line or, in lines that stand alone, behind a gap."""
    found: Counter[tuple[int, int]] = Counter()
    alone: Counter[tuple[int, int]] = Counter()
    for number, line in enumerate(lines):
        after = lines[number + 1] if number + 1 < len(lines) else Line(0, "")
        if line.text and after.text and after.indent > line.indent + 1:
            found[line.indent, after.indent] += 1
        elif line.text and not after.text and not (number and lines[number - 1].text):
            alone.update((line.indent, column) for column in islice(gaps(line), 1))
    return frozenset(
        pair for pair in found | alone if found[pair] + min(alone[pair], 1) > 1 or alone[pair] > 2
    )


def gaps(line: Line) -> Iterator[int]:
    """The columns in which a line goes on behind two or more spaces."""
    for found in _GAP.finditer(line.text):
        yield line.indent + found.end(1)


def is_wrapped(line: Line, after: Line, width: int) -> bool:
    """Whether a line ends where it does because the next word had no room, or in the midst of a sentence."""
    word = after.text.partition(" ")[0]
    is_divided = after.text[:1].islower() and _is_hyphenated(line.text)
    if is_divided or line.end + 1 + len(word) > width - _SLACK:
        return True
    return line.end >= width // 2 and after.text[:1].islower() and not line.text.endswith(_ENDS)


def joined(lines: Sequence[Line], words: frozenset[str]) -> str:
    """The text of lines that were wrapped. A word that was divided is whole again."""
    parts = [lines[0].text] if lines else []
    for before, line in zip(lines, lines[1:], strict=False):
        if not _is_hyphenated(before.text) or not line.text[:1].isalpha():
            parts.append(" ")
        elif _is_divided(before.text, line.text, words):
            parts[-1] = parts[-1][:-1]
        parts.append(line.text)
    return "".join(parts)


def _is_hyphenated(text: str) -> bool:
    return _HYPHENATED.search(text[-2:]) is not None


def _is_divided(before: str, after: str, words: frozenset[str]) -> bool:
    """Whether the hyphen between two lines is no part of the word that it divides."""
    head, rest = before[:-1].rpartition(" ")[2].lower(), _WORD.match(after.lower())
    if rest is None or not after[0].islower():
        return False
    return before[-1] in _SOFT or (f"{head}{rest[0]}" in words and f"{head}-{rest[0]}" not in words)
