"""Lines to paragraphs, items, headings and listings: which line goes on and which begins something."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal

from ingestion.load.pdf.style import Line, Style
from ingestion.load.pdf.together import together

Kind = Literal["heading", "text", "item", "code", "tabular", "table"]

# In parts of the letters' size.
_SAME_PLACE, _INDENT, _TAB = 0.35, 0.8, 1.5
_MORE_LEADING = 1.3
_LONGEST_HEADING = 200
_LARGEST_GAP_IN_CODE = 3.2
_BULLET = re.compile(r"(?:[•‣◦▪▫■□●○∙·⁃–—*\ufffd-]|o(?=\s))(?:\s+|(?=$))")
_SURE_BULLETS = "•‣◦▪■●○–—"
_NUMBERED = re.compile(r"\(?(?:\d{1,3}[.)]|[ivx]{1,5}[.)]|[a-z]\))(?:\s+|$)")
_ENDS = (".", "!", "?", ":", ";")
_SHORT_BEFORE_SMALL, _SHORT_BEFORE_CAPITAL = 0.3, 0.15


@dataclass(slots=True)
class Paragraph:
    """Lines that are one thing. `level` is that of a heading."""

    kind: Kind
    lines: list[Line] = field(default_factory=list)
    level: int = 0

    @property
    def first(self) -> Line:
        """The line with which it begins."""
        return self.lines[0]

    @property
    def page(self) -> int:
        """The page on which it begins."""
        return self.first.page

    @property
    def indent(self) -> float:
        """How far it begins from the left edge of its column."""
        return self.first.x0 - self.first.left

    @property
    def size(self) -> float:
        """The size of its letters."""
        return self.first.size

    def text(self, words: frozenset[str]) -> str:
        """Its lines as one text; those of a listing stay apart."""
        if self.kind == "code":
            return _listing(self.lines)
        text = together((line.text.strip() for line in self.lines), words)
        return _BULLET.sub("", text, count=1) if self.kind == "item" else text


def paragraphs_of(lines: Sequence[Line], style: Style) -> Iterator[Paragraph]:
    """What the lines of a document make up, in order."""
    current: Paragraph | None = None
    for index, line in enumerate(lines):
        before = lines[index - 1] if index else None
        after = lines[index + 1] if index + 1 < len(lines) else None
        kind, level = _kind(line, before, after, style)
        if kind == "code" and current is not None and _is_within_prose(current, line, style):
            kind = "text"
        if current is not None and before is not None and _goes_on(current, line, kind, level, style):
            current.lines.append(line)
            continue
        if current is not None:
            yield _as_it_turned_out(current)
        current = Paragraph(kind, [line], level)
    if current is not None:
        yield _as_it_turned_out(current)


def _as_it_turned_out(paragraph: Paragraph) -> Paragraph:
    """Large letters over many lines are no heading but a page of large letters."""
    if paragraph.kind == "heading" and sum(len(line.text) for line in paragraph.lines) > _LONGEST_HEADING:
        paragraph.kind = "text"
    return paragraph


def is_tabular(line: Line) -> bool:
    """Whether wide gaps part it, other than that behind a bullet or a number."""
    if len(line.segments) < 2 or line.is_mono or _starts_item(line.segments[0].text):
        return False
    return any(
        after.x0 - before.x1 > _TAB * line.size
        for before, after in zip(line.segments, line.segments[1:], strict=False)
    )


def _kind(line: Line, before: Line | None, after: Line | None, style: Style) -> tuple[Kind, int]:
    if line.table is not None:
        return "table", 0
    stands_alone = not _is_close(before, line, style) and not (
        after is not None and _is_close(line, after, style) and after.x0 > line.x0 + _INDENT * line.size
    )
    level = style.heading_level(line, stands_alone=stands_alone) if not is_tabular(line) else 0
    if level:
        return "heading", level
    if line.is_mono and line.text[0] not in _SURE_BULLETS:
        return "code", 0
    if _starts_item(line.text):
        return "item", 0
    return ("tabular" if is_tabular(line) else "text"), 0


def _is_within_prose(current: Paragraph, line: Line, style: Style) -> bool:
    """A line of a paragraph that happens to hold a long name in a monospaced face."""
    before = current.lines[-1]
    return (
        current.kind in ("text", "item")
        and _is_close(before, line, style)
        and not before.text.endswith(":")
        and _follows(current, line)
    )


def _is_close(before: Line | None, line: Line, style: Style) -> bool:
    """Whether a line follows at the distance of lines of one paragraph."""
    if (
        before is None
        or before.table
        or line.table
        or before.page != line.page
        or before.column != line.column
    ):
        return False
    step = line.y - before.y
    return 0 < step <= _MORE_LEADING * style.leading * max(line.size, before.size)


def _starts_item(text: str) -> bool:
    text = text.lstrip()
    return bool(_BULLET.match(text) or _NUMBERED.match(text))


def _goes_on(current: Paragraph, line: Line, kind: Kind, level: int, style: Style) -> bool:
    """Whether a line belongs to what was begun."""
    before = current.lines[-1]
    if "table" in (current.kind, kind):
        return False
    if current.kind == "code" or kind == "code":
        return current.kind == kind and _listing_goes_on(before, line, style)
    if not _is_close(before, line, style) or abs(before.size - line.size) > 0.12 * before.size:
        return False
    if current.kind == "heading" or kind == "heading":
        is_same = current.kind == kind and current.level == level and before.is_bold == line.is_bold
        return is_same and not re.match(r"[\dA-Z]{1,3}\.\d", line.text)
    if kind == "item" and not _is_wrapped_dash(before, line):
        return False
    if kind == "tabular" or (line.is_bold != before.is_bold and not _is_emphasis(current, line)):
        return False
    if current.kind == "tabular":
        return _is_below_last_part(current, line)
    return _follows(current, line)


def _is_emphasis(current: Paragraph, line: Line) -> bool:
    """Whether a bold line (or one behind a bold line) is but a part of a sentence."""
    before = current.lines[-1]
    if _breaks_word(before) or (before.is_bold and len(current.lines) > 1):
        return True
    is_open = before.text[-1:] not in _ENDS and not _is_short(before, line)
    return line.is_bold and is_open and abs(line.x0 - before.x0) < _SAME_PLACE * line.size


def _is_wrapped_dash(before: Line, line: Line) -> bool:
    """A dash or a number that a full line of prose merely wrapped to the start of the next."""
    return (
        abs(before.x0 - line.x0) < _SAME_PLACE * line.size
        and not _starts_item(before.text)
        and not _is_short(before, line)
        and line.text[:1] in "–—-0123456789"
    )


def _listing_goes_on(before: Line, line: Line, style: Style) -> bool:
    return (
        before.page == line.page
        and before.column == line.column
        and 0 < line.y - before.y <= _LARGEST_GAP_IN_CODE * style.leading * line.size
        and abs(before.size - line.size) <= 0.12 * before.size
    )


def _is_below_last_part(current: Paragraph, line: Line) -> bool:
    """A line that goes on with the last part of a row of a list in columns."""
    part = current.first.segments[-1].x0
    return line.x0 > current.first.x0 + line.size and abs(line.x0 - part) < _INDENT * line.size


def _follows(current: Paragraph, line: Line) -> bool:
    """Whether indents and line ends let a line go on with a paragraph."""
    before = current.lines[-1]
    shift = line.x0 - before.x0
    is_first = len(current.lines) == 1
    if abs(shift) <= _SAME_PLACE * line.size:
        return not _is_short(before, line) or _is_narrow(current)
    if shift > 0:
        if current.kind == "item":
            return is_first and shift < 6 * line.size
        is_open = bool(before.segments[0].lead) or before.text[-1:] not in _ENDS
        return is_first and is_open and not _is_short(before, line)
    if current.kind == "item":
        return False
    # Back from the indent of a first line.
    return is_first and not _is_short(before, line) and -shift < 4 * line.size


def _is_narrow(current: Paragraph) -> bool:
    """Whether its lines all end at one place before the column does, as beside a figure."""
    ends = [line.x1 for line in current.lines[-4:]]
    return len(ends) > 2 and max(ends[:-1]) - ends[-1] < current.size


def _is_short(before: Line, line: Line) -> bool:
    """Whether the next line's first word would have stood at this line's end: the break was meant.

    Some programs break lines so that they are alike in length and not as long as they can be. Within a sentence a line has to
    be much shorter than its column.
    """
    if _breaks_word(before):
        return False
    word = line.text.split(" ", 1)[0]
    mean = (line.x1 - line.x0) / max(len(line.text), 1)
    needed = len(word) * mean + 0.6 * line.size
    if before.text[-1:] not in _ENDS:
        share = _SHORT_BEFORE_SMALL if word[:1].islower() else _SHORT_BEFORE_CAPITAL
        needed = max(needed, share * (before.right - before.left))
    return before.right - before.x1 > needed


def _breaks_word(line: Line) -> bool:
    return line.text.endswith(("-", "\u00ad", "\u2010"))


def _listing(lines: Sequence[Line]) -> str:
    left = min(line.x0 for line in lines)
    steps = [after.y - before.y for before, after in zip(lines, lines[1:], strict=False)]
    step = min(steps, default=1.0) or 1.0
    out = []
    for line, gap in zip(lines, [0.0, *steps], strict=True):
        if gap > 1.6 * step:
            out.append("")
        indent = int((line.x0 - left) / line.pitch + 0.5)
        out.append(" " * min(indent, 200) + line.text)
    return "\n".join(out)


def words_of(lines: Iterable[Line]) -> frozenset[str]:
    """The words of a document that no line's end divides, with their hyphens."""
    words: set[str] = set()
    for line in lines:
        found = re.findall(r"[\w-]+", line.text)
        words.update(word.casefold() for word in found[1:-1])
    return frozenset(words)
