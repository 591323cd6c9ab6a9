"""Letters to rows of words: which letters share a baseline, where a word ends, and what a wide gap parts."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import median

from ingestion.load.pdf.cells import Table
from ingestion.load.pdf.letters import accented, raise_digits
from ingestion.load.pdf.painting import Glyph, Painted

# In parts of the letters' size. A space is a quarter of it, a third in most fonts, and less in a line that is set tightly.
_WORD_GAP = 0.15
_PART_GAP = 1.0
_SPACED_LETTERS = 5
_CELLS_OF_A_LETTER = 0.5


@dataclass(frozen=True, slots=True)
class Segment:
    """A run of words without a wide gap. `lead` is the bold or monospaced beginning of one that goes on in another face.

    `pitch` is the mean width of a letter.
    """

    text: str
    x0: float
    x1: float
    y: float
    size: float
    letters: int
    is_bold: bool
    is_mono: bool
    pitch: float
    lead: str = ""


@dataclass(frozen=True, slots=True)
class Row:
    """What stands on one baseline across the page, from left to right."""

    y: float
    size: float
    segments: tuple[Segment, ...]
    table: Table | None = None

    @property
    def text(self) -> str:
        """Its words, whatever lies between them."""
        return " ".join(segment.text for segment in self.segments)


def turned(painted: Painted) -> tuple[list[Glyph], list[Glyph], float, float]:
    """The letters that stand as most of the page's do, the others, and the page's width and height as they stand."""
    most = Counter(glyph.turn for glyph in painted.glyphs).most_common(1)
    turn = most[0][0] if most else "upright"
    main = [glyph for glyph in painted.glyphs if glyph.turn == turn]
    others = [glyph for glyph in painted.glyphs if glyph.turn != turn]
    width, height = painted.width, painted.height
    return main, others, *((height, width) if turn in ("upwards", "downwards") else (width, height))


def rows_of(glyphs: Iterable[Glyph]) -> list[Row]:
    """Rows from top to bottom. Raised and lowered letters belong to the row that they overlap."""
    rows = []
    for group in _by_baseline(glyphs):
        segments = tuple(_segment(run) for run in _runs(group))
        if segments:
            main = max(segments, key=lambda one: one.letters)
            rows.append(Row(main.y, main.size, segments))
    return rows


def _by_baseline(glyphs: Iterable[Glyph]) -> list[list[Glyph]]:
    lines: dict[float, list[Glyph]] = {}
    for glyph in glyphs:
        lines.setdefault(round(glyph.y, 1), []).append(glyph)
    groups: list[list[Glyph]] = []
    anchor: list[Glyph] = []
    for y in sorted(lines):
        line = lines[y]
        # A letter from the middle: the first one may be an initial that is three lines high.
        if anchor and _overlap(anchor[len(anchor) // 2], line[len(line) // 2]):
            groups[-1] += line
            anchor = max(anchor, line, key=len)
        else:
            groups.append(list(line))
            anchor = line
    return groups


def _overlap(upper: Glyph, lower: Glyph) -> bool:
    """Whether two baselines are of one row: half of the smaller letters' height lies within the other's."""
    top = max(upper.y - 0.75 * upper.size, lower.y - 0.75 * lower.size)
    bottom = min(upper.y + 0.25 * upper.size, lower.y + 0.25 * lower.size)
    return bottom - top >= 0.5 * min(upper.size, lower.size)


def _runs(glyphs: Sequence[Glyph]) -> list[list[Glyph]]:
    """The letters of a row from left to right, parted at wide gaps; white space at the ends goes."""
    runs: list[list[Glyph]] = []
    end = 0.0
    for glyph in sorted(glyphs, key=lambda one: one.x0):
        if glyph.text.isspace():
            if runs:
                runs[-1].append(glyph)
            continue
        if not runs or glyph.x0 - end > _PART_GAP * glyph.size:
            runs.append([])
            end = glyph.x1
        runs[-1].append(glyph)
        end = max(end, glyph.x1)
    return runs


def _segment(glyphs: Sequence[Glyph]) -> Segment:
    glyphs = accented(glyphs)
    inked = [glyph for glyph in glyphs if not glyph.text.isspace()]
    size = median(glyph.size for glyph in inked)
    x0, x1 = inked[0].x0, max(glyph.x1 for glyph in inked)
    main = Counter(glyph.y for glyph in inked).most_common(1)[0][0]
    raise_digits(inked, main, size)
    is_mono = sum(glyph.face.is_mono for glyph in inked) >= 0.8 * len(inked)
    pitch = median(glyph.x1 - glyph.x0 for glyph in inked)
    text = _text(glyphs, pitch if is_mono else 0)
    bold = sum(glyph.face.is_bold for glyph in inked)
    lead = "" if is_mono else _lead(glyphs)
    return Segment(
        text, x0, x1, main, size, len(inked), bold >= 0.9 * len(inked), is_mono, max(pitch, 0.1), lead
    )


def _lead(glyphs: Sequence[Glyph]) -> str:
    face = glyphs[0].face
    if not (face.is_bold or face.is_mono):
        return ""
    for count, glyph in enumerate(glyphs):
        if not glyph.text.isspace() and glyph.face != face:
            return _text(glyphs[:count], 0)
    return ""


def _text(glyphs: Sequence[Glyph], cell: float) -> str:
    """Words with single spaces; where letters have cells of one width, as many spaces as cells are empty."""
    gap_s = _word_gap(glyphs)
    text: list[str] = []
    end: float | None = None
    is_apart = False
    for glyph in glyphs:
        if glyph.text.isspace():
            is_apart = True
            continue
        gap = 0.0 if end is None else glyph.x0 - end
        if end is not None and cell > 0:
            is_gap = is_apart or gap > _WORD_GAP * glyph.size
            text.append(" " * max(int(gap / cell + _CELLS_OF_A_LETTER), int(is_gap)))
        elif end is not None and (is_apart or gap > gap_s * glyph.size):
            text.append(" ")
        text.append(glyph.text)
        end = glyph.x1 if end is None else max(end, glyph.x1)
        is_apart = False
    return "".join(text)


def _word_gap(glyphs: Sequence[Glyph]) -> float:
    """How wide a space is at least; wider where all letters stand apart, as in s p a c e d headings."""
    gaps = [
        (after.x0 - before.x1) / max(after.size, 0.1)
        for before, after in zip(glyphs, glyphs[1:], strict=False)
        if not (before.text.isspace() or after.text.isspace())
    ]
    if len(gaps) < _SPACED_LETTERS:
        return _WORD_GAP
    return _WORD_GAP + max(median(gaps), 0.0)
