"""Running heads and page numbers: rows at their pages' edges that are the same but for a number that counts with the pages."""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ingestion.load.pdf.lines import Row

# The outermost rows of a page, and the part of its height in which they must lie.
_ROWS, _MARGIN = 3, 0.15
_BUCKET_POINTS = 8
# From a running row to the text, in parts of its size.
_GAP = 1.8
_FEW_PAGES = 6
_NUMBER = re.compile(r"(?<![\w.,])\d{1,5}(?![\w,]|\.\d)")
_ROMAN = re.compile(r"[ivxlc]{1,7}")
_VALUES = {"i": 1, "v": 5, "x": 10, "l": 50, "c": 100}
_AROUND_NUMBERS = " -–—|·•.()[]"


@dataclass(frozen=True, slots=True)
class Edge:
    """A row near the edge of a page: where on it, and what it says."""

    page: int
    index: int
    place: tuple[bool, int]
    text: str
    is_large: bool


@dataclass(frozen=True, slots=True)
class Running:
    """Rows that are left out, as (page, index), and what of them is worth keeping once: a date, a version."""

    rows: frozenset[tuple[int, int]]
    kept: tuple[tuple[int, str], ...]


NONE = Running(frozenset(), ())


def running_rows(pages: Sequence[tuple[float, Sequence[Row]]], body: float) -> Running:
    """`pages` are heights and rows, from top to bottom; `body` is the size of body text. A single page has no running rows."""
    if len(pages) < 2:
        return NONE
    edges = [
        edge for number, (height, rows) in enumerate(pages) for edge in _edges(number, height, rows, body)
    ]
    needed = 2 if len(pages) < _FEW_PAGES else 3
    counting = _counting(edges, needed)
    same = Counter(
        place_and_text for place_and_text, _ in {((one.place, one.text), one.page) for one in edges}
    )
    repeated = {edge for edge in edges if same[(edge.place, edge.text)] >= needed}
    left_out = {
        (edge.page, edge.index): edge
        for outwards in _by_margin(edges)
        for edge in _outermost(outwards, counting, repeated, pages)
    }
    kept: dict[str, int] = {}
    for edge in left_out.values():
        if edge not in counting and re.search(r"\d", edge.text):
            kept.setdefault(edge.text, edge.page)
    return Running(frozenset(left_out), tuple((page, text) for text, page in kept.items()))


def _by_margin(edges: Sequence[Edge]) -> Iterator[list[Edge]]:
    """The rows in the upper and in the lower margin of each page, the outermost first."""
    margins: dict[tuple[int, bool], list[Edge]] = {}
    for edge in edges:
        margins.setdefault((edge.page, edge.place[0]), []).append(edge)
    for (_, is_top), found in margins.items():
        yield found if is_top else found[::-1]


def _outermost(
    margin: Sequence[Edge],
    counting: set[Edge],
    repeated: set[Edge],
    pages: Sequence[tuple[float, Sequence[Row]]],
) -> list[Edge]:
    """Running rows from the edge inwards. A repeated row that follows text without a gap is the text's last or first line."""
    found: list[Edge] = []
    for edge in margin:
        if edge not in counting and edge not in repeated:
            break
        found.append(edge)
    while found and found[-1] not in counting and not _is_apart(found[-1], pages[found[-1].page][1]):
        found.pop()
    return found


def _is_apart(edge: Edge, rows: Sequence[Row]) -> bool:
    inner = edge.index + (1 if edge.place[0] else -1)
    if not 0 <= inner < len(rows):
        return True
    return abs(rows[inner].y - rows[edge.index].y) > _GAP * rows[edge.index].size


def _edges(page: int, height: float, rows: Sequence[Row], body: float) -> Iterator[Edge]:
    last = len(rows)
    for index, row in enumerate(rows):
        from_top, from_bottom = row.y / height, 1 - row.y / height
        is_top = index < _ROWS and from_top < _MARGIN
        if is_top or (index >= last - _ROWS and from_bottom < _MARGIN):
            place = (is_top, round((row.y if is_top else height - row.y) / _BUCKET_POINTS))
            yield Edge(page, index, place, " ".join(row.text.split()), row.size > 1.15 * body)


def _counting(edges: Sequence[Edge], needed: int) -> set[Edge]:
    """Rows that begin or end with a number which stands as far from their page's as those of other pages do from theirs."""
    offsets: Counter[tuple[tuple[bool, int], int]] = Counter()
    numbers = {edge: set(_page_numbers(edge.text)) for edge in edges if not edge.is_large}
    offsets.update(
        (place, offset)
        for place, offset, _ in {
            (edge.place, number - edge.page, edge.page) for edge, found in numbers.items() for number in found
        }
    )
    return {
        edge
        for edge, found in numbers.items()
        if any(offsets[(edge.place, number - edge.page)] >= needed for number in found)
    }


def _page_numbers(text: str) -> Iterator[int]:
    """Numbers at the ends of a row, Roman ones too, and the first of `3 of 12` or `3/12` there."""
    bare = text.strip(_AROUND_NUMBERS)
    for word in {*bare.split()[:1], *bare.split()[-1:]}:
        if _ROMAN.fullmatch(word):
            yield _roman(word)
    found = list(_NUMBER.finditer(bare))
    for place, match in enumerate(found):
        is_of = place + 1 < len(found) and _is_total(bare[match.end() :], found[place + 1], match.end())
        if match.start() == 0 or match.end() == len(bare) or is_of:
            yield int(match[0])


def _is_total(rest: str, following: "re.Match[str]", end: int) -> bool:
    """Whether what follows a number says of how many it is one, at the row's end."""
    between = rest[: following.start() - end].strip()
    return following.end() - end == len(rest) and (between == "/" or 0 < len(between) <= 5)


def _roman(text: str) -> int:
    values = [_VALUES[letter] for letter in text]
    return sum(
        -value if place + 1 < len(values) and values[place + 1] > value else value
        for place, value in enumerate(values)
    )
