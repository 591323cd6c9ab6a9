"""Tables of contents and indexes, which say where something stands and nothing else; other leaders join what they lead to."""

import re
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise, takewhile

from ingestion.load.pdf.lines import Row

_LEADER = re.compile(r"(?:\s?[.·…․_]){5,}\s?")
_NUMBER_AT_END = re.compile(r"(?:\d{1,4}|[ivxlc]{1,7})\Z")
_ENTRIES, _ENTRIES_OF_AN_INDEX = 3, 12
_MOST_BETWEEN = 2


def without_contents(pages: Sequence[Sequence[Row]]) -> list[list[Row]]:
    """The rows of the pages without those of tables of contents and of the index."""
    out: list[list[Row]] = []
    needed = _ENTRIES
    for number, rows in enumerate(pages):
        kept = _without_contents(_without_index(rows, number, len(pages)), len(pages), needed)
        # The last entries may stand on a page of their own.
        needed = 1 if any(map(_has_leader, rows)) and not any(map(_has_leader, kept)) else _ENTRIES
        out.append(kept)
    return out


def _without_contents(rows: Sequence[Row], pages: int, needed: int) -> list[Row]:
    entries = [index for index, row in enumerate(rows) if _has_leader(row)]
    if not entries and needed < _ENTRIES:
        entries = [index for index, _ in takewhile(lambda one: _stands_apart(one[1]), enumerate(rows))]
    numbers = [_number_at_end(rows[index]) for index in entries]
    if not _count_up(numbers, pages, needed):
        return [_led(row) for row in rows]
    left_out: set[int] = set(entries)
    for one, following in pairwise(entries):
        if following - one <= _MOST_BETWEEN + 1:  # an entry of two lines, or one without a leader
            left_out.update(range(one, following))
    for step, index in ((-1, entries[0]), (1, entries[-1])):
        while 0 <= index + step < len(rows) and _stands_apart(rows[index + step]):
            index += step
            left_out.add(index)
    left_out |= {index for index, row in enumerate(rows) if _stands_apart(row)}
    return [_led(row) for index, row in enumerate(rows) if index not in left_out]


def _has_leader(row: Row) -> bool:
    return not row.segments[0].is_mono and _LEADER.search(row.text) is not None


def _number_at_end(row: Row) -> int | None:
    """The page that a row names at its end; 0 for a Roman number, which counts pages of their own."""
    found = _NUMBER_AT_END.search(row.text.rstrip())
    if found is None:
        return None
    return int(found[0]) if found[0].isdigit() else 0


def _count_up(numbers: Sequence[int | None], pages: int, needed: int) -> bool:
    """Whether numbers at the ends of rows are those of pages: they count up, and no further than the document goes."""
    known = [number for number in numbers if number is not None]
    if len(known) < needed or len(known) < 0.8 * len(numbers):
        return False
    arabic = [number for number in known if number]
    rising = sum(one <= following for one, following in pairwise(arabic))
    return rising >= 0.8 * (len(arabic) - 1) and max(arabic, default=0) <= 1.2 * pages + 30


def _stands_apart(row: Row) -> bool:
    """A row with a page number behind a gap: an entry without a leader."""
    last = row.segments[-1].text.strip()
    return len(row.segments) > 1 and _NUMBER_AT_END.fullmatch(last) is not None


def _led(row: Row) -> Row:
    """A row whose dots lead from a name to a price or the like, with a colon instead."""
    if not _has_leader(row):
        return row
    text = _LEADER.sub(": ", row.text).strip()
    whole = replace(
        max(row.segments, key=lambda one: one.letters),
        text=text.strip(": "),
        x0=row.segments[0].x0,
        x1=row.segments[-1].x1,
    )
    return replace(row, segments=(whole,))


def _without_index(rows: Sequence[Row], number: int, pages: int) -> list[Row]:
    """No row of a page of an index: in its columns, words in alphabetical order before numbers of pages."""
    if pages < 10 or number < pages / 2:
        return list(rows)
    entries = [
        segment.text for row in rows for segment in row.segments if any(c.isalpha() for c in segment.text)
    ]
    heads = [text.casefold() for text in entries if _is_entry(text, pages)]
    if len(heads) < max(_ENTRIES_OF_AN_INDEX, 0.5 * len(entries)):
        return list(rows)
    columns = sorted(
        (segment.x0 // 60, row.y, segment.text.casefold())
        for row in rows
        for segment in row.segments
        if _is_entry(segment.text, pages)
    )
    rising = sum(one[2][:1] <= other[2][:1] for one, other in pairwise(columns))
    return [] if rising >= 0.8 * (len(columns) - 1) else list(rows)


def _is_entry(text: str, pages: int) -> bool:
    name = text.rstrip("0123456789,–- ")
    numbers = [int(one) for one in re.findall(r"\d{1,5}", text[len(name) :])]
    return bool(name and numbers) and max(numbers) <= 1.2 * pages + 30 and numbers == sorted(numbers)
