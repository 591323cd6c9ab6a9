"""The order in which a page is read: columns of prose one after the other, tables and lists of terms line by line."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, median

import numpy as np

from ingestion.load.pdf.lines import Row, Segment

# Points. A gutter is looked for in steps of two.
_STEP = 2.0
_MOST_STEPS = 2000
_NARROWEST_GUTTER = 8.0
_NARROWEST_PAGE = 200.0
# A row across the gutter counts a third against it: half a page may be in one column.
_CROSSING = 0.3
_DEEPEST = 2
# Lines that come as far as each other, in parts of their letters' size.
_AS_FAR = 3.0
# What a column of prose has in its lines at least, on the average.
_WORDS, _LETTERS = 4, 18


@dataclass(frozen=True, slots=True)
class Column:
    """Rows that are read one after the other."""

    rows: tuple[Row, ...]

    @property
    def left(self) -> float:
        """Where its leftmost row begins."""
        return min(row.segments[0].x0 for row in self.rows)

    @property
    def right(self) -> float:
        """Where its rows end that are not too long for it: two others, or a tenth of them, come as far."""
        ends = sorted((row.segments[-1].x1 for row in self.rows), reverse=True)
        needed = max(2, len(ends) // 10)
        near = _AS_FAR * median(row.size for row in self.rows)
        pairs = zip(ends, ends[needed:], strict=False)
        return next((end for end, other in pairs if other > end - near), ends[0])


def columns_of(rows: Sequence[Row], depth: int = 0) -> list[Column]:
    """The columns of a page in reading order; rows across the page part what stands above them from what stands below."""
    gutter = _gutter(rows) if depth < _DEEPEST else None
    if gutter is None:
        return [Column(tuple(rows))] if rows else []
    columns: list[Column] = []
    across: list[Row] = []
    for is_parted, band in _bands(rows, gutter):
        left, right = _sides(band, gutter) if is_parted else ([], [])
        if _is_prose(left) and _is_prose(right):
            if across:
                columns.append(Column(tuple(across)))
            columns += [*columns_of(left, depth + 1), *columns_of(right, depth + 1)]
            across = []
        else:
            across += band
    return [*columns, Column(tuple(across))] if across else columns


def _gutter(rows: Sequence[Row]) -> float | None:
    """The middle of the gap that parts most lines on its left from most on its right."""
    segments = [segment for row in rows for segment in row.segments]
    if len(segments) < 4:
        return None
    left, right = min(one.x0 for one in segments), max(one.x1 for one in segments)
    if not _NARROWEST_PAGE <= right - left <= _STEP * _MOST_STEPS:
        return None
    steps = int((right - left) / _STEP) + 2
    starts, ends = np.zeros(steps, np.int64), np.zeros(steps, np.int64)
    for one in segments:
        starts[int((one.x0 - left) / _STEP)] += 1
        ends[int((one.x1 - left) / _STEP) + 1] += 1
    begun, ended = np.cumsum(starts), np.cumsum(ends)
    crossing, later = begun - ended, len(segments) - begun
    score = np.minimum(ended, later) - _CROSSING * crossing
    score[: int(steps * 0.15)] = score[int(steps * 0.85) :] = -1
    best = int(np.argmax(score))
    if score[best] <= 0 or min(ended[best], later[best]) < 2:
        return None
    first, last = _free_run(crossing, best)
    if (last - first) * _STEP < _NARROWEST_GUTTER:
        return None
    return left + (first + last) / 2 * _STEP


def _free_run(crossing: "np.ndarray[tuple[int], np.dtype[np.int64]]", at: int) -> tuple[int, int]:
    first = last = at
    while first > 0 and crossing[first - 1] <= crossing[at]:
        first -= 1
    while last + 1 < len(crossing) and crossing[last + 1] <= crossing[at]:
        last += 1
    return first, last + 1


def _bands(rows: Sequence[Row], gutter: float) -> list[tuple[bool, list[Row]]]:
    """Runs of rows that keep clear of the gutter, and of those that don't."""
    bands: list[tuple[bool, list[Row]]] = []
    for row in rows:
        is_clear = not any(one.x0 < gutter < one.x1 for one in row.segments)
        if not bands or bands[-1][0] != is_clear:
            bands.append((is_clear, []))
        bands[-1][1].append(row)
    return bands


def _sides(rows: Sequence[Row], gutter: float) -> tuple[list[Row], list[Row]]:
    left: list[Row] = []
    right: list[Row] = []
    for row in rows:
        for side, found in (
            (left, [one for one in row.segments if one.x1 <= gutter]),
            (right, [one for one in row.segments if one.x1 > gutter]),
        ):
            if found:
                side.append(_row(found))
    return left, right


def _row(segments: Sequence[Segment]) -> Row:
    main = max(segments, key=lambda one: one.letters)
    return Row(main.y, main.size, tuple(segments))


def _is_prose(rows: Sequence[Row]) -> bool:
    texts = [row.text for row in rows if row.table is None]
    listing = sum(row.segments[0].is_mono for row in rows)
    if len(texts) < 2 or listing > len(rows) / 2:
        return False
    return fmean(len(text.split()) for text in texts) >= _WORDS and fmean(map(len, texts)) >= _LETTERS
