"""What the lines of a document look like as a whole: the size of its text, how far its lines stand apart, its headings."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median

from ingestion.load.pdf.cells import Table
from ingestion.load.pdf.document import outline_key
from ingestion.load.pdf.lines import Row, Segment

_LARGE = 1.12
_LONGEST_HEADING = 150
_LONGEST_BOLD_HEADING = 90
_DEEPEST = 6
_LEVELS_OF_SIZES = 4
_SECTION_NUMBER = re.compile(r"(?:[A-Z]|\d{1,3})(?:\.\d{1,3})*\.?(?=\s)")
_LEADING = 1.2


@dataclass(frozen=True, slots=True)
class Line:
    """A row within its column: which one of the page it is, where that begins and ends."""

    page: int
    column: int
    left: float
    right: float
    y: float
    size: float
    segments: tuple[Segment, ...]
    text: str
    is_bold: bool
    is_mono: bool
    table: Table | None = None

    @property
    def x0(self) -> float:
        """Where it begins."""
        return self.segments[0].x0

    @property
    def x1(self) -> float:
        """Where it ends."""
        return self.segments[-1].x1

    @property
    def pitch(self) -> float:
        """The mean width of its letters."""
        return self.segments[0].pitch


def line_of(row: Row, page: int, column: int, edges: tuple[float, float]) -> Line:
    """A row as a line of a column that lies between these edges."""
    letters = max(sum(one.letters for one in row.segments), 1)
    bold = sum(one.letters for one in row.segments if one.is_bold)
    mono = sum(one.letters for one in row.segments if one.is_mono)
    is_mono = mono >= 0.8 * letters
    text = _spaced(row.segments) if is_mono else row.text
    return Line(
        page,
        column,
        edges[0],
        edges[1],
        row.y,
        row.size,
        row.segments,
        text,
        bold >= 0.9 * letters,
        is_mono,
        row.table,
    )


def _spaced(segments: Sequence[Segment]) -> str:
    """The parts of a line of code, as many cells apart as on the page."""
    text = segments[0].text
    for one, following in pairwise(segments):
        cells = int((following.x0 - one.x1) / one.pitch + 0.5)
        text += " " * min(max(cells, 1), 200) + following.text
    return text


@dataclass(frozen=True, slots=True)
class Style:
    """Size of body text in points, baselines' distance in parts of the size, sizes of headings (largest first), bookmarks."""

    body: float
    leading: float
    sizes: tuple[float, ...]
    outline: Mapping[str, int]
    is_bold: bool

    def is_large(self, line: Line) -> bool:
        """Whether its letters are larger than those of the text."""
        return line.size > _LARGE * self.body

    def heading_level(self, line: Line, *, stands_alone: bool) -> int:
        """1 to 6; 0 for what is no heading. A bold line of the text's size is one only where it `stands_alone`."""
        text = line.text.strip()
        if len(text) > _LONGEST_HEADING or sum(map(str.isalpha, text)) < 2:
            return 0
        stands_out = self.is_large(line) or (line.is_bold and not self.is_bold and not line.is_mono)
        level = self.outline.get(outline_key(text), 0)
        if level and (stands_out or line.size > 1.03 * self.body):
            return level
        if self.is_large(line):
            return self._level_of(line, text)
        if stands_out and stands_alone and len(text) <= _LONGEST_BOLD_HEADING and text[-1] not in ".,;:":
            return self._level_of(line, text)
        return 0

    def _level_of(self, line: Line, text: str) -> int:
        number = _SECTION_NUMBER.match(text)
        parts = number[0].strip(".").count(".") + 1 if number else 0
        rank = next((i for i, size in enumerate(self.sizes) if line.size >= size - 0.3), len(self.sizes)) + 1
        base = max(self.outline.values(), default=0) if rank > 1 else 0
        return min(max(rank, base, parts if parts > 1 else 0), _DEEPEST)


def body_size(rows: Iterable[Row]) -> float:
    """The size, in halves of a point, of most letters."""
    sizes: Counter[float] = Counter()
    for row in rows:
        for segment in row.segments:
            sizes[round(segment.size * 2) / 2] += segment.letters
    return max(sizes.most_common(1)[0][0], 1.0) if sizes else 10.0


def style_of(lines: Sequence[Line], body: float, outline: Mapping[str, int]) -> Style:
    """The style of a document's text."""
    steps = [
        (after.y - before.y) / after.size
        for before, after in pairwise(lines)
        if before.table is None
        and after.table is None
        and before.column == after.column
        and before.page == after.page
        and abs(after.size - body) < 0.6
        and 0.5 < (after.y - before.y) / max(after.size, 0.1) < 2.5
    ]
    letters = sum(len(line.text) for line in lines)
    bold = sum(len(line.text) for line in lines if line.is_bold)
    large = Counter(
        round(line.size)
        for line in lines
        if line.table is None and line.size > _LARGE * body and len(line.text) <= _LONGEST_HEADING
    )
    sizes = sorted(large, reverse=True)[:_LEVELS_OF_SIZES]
    return Style(
        body, median(steps) if steps else _LEADING, tuple(map(float, sizes)), outline, bold > 0.5 * letters
    )
