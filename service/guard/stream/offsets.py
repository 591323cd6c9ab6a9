"""Where characters of one text stand in another that is made of it piece by piece."""

from bisect import bisect_right


class Offsets:
    """Maps spans of what came in to spans of what went out. Pieces are added in order, whole."""

    def __init__(self) -> None:
        self._starts: list[int] = []
        self._pieces: list[
            tuple[int, int]
        ] = []  # characters that are the same, and where they begin in what went out
        self._in = self._out = 0

    @property
    def out(self) -> int:
        """Characters that went out so far."""
        return self._out

    def add(self, before: str, after: str) -> None:
        """A piece as it came in and as it went out: the same, its beginning alone, or another text."""
        same = len(after) if before.startswith(after) else 0
        self._starts.append(self._in)
        self._pieces.append((same, self._out))
        self._in += len(before)
        self._out += len(after)

    def find(self, start: int | None, end: int | None) -> tuple[int, int] | None:
        """Where `start:end` of what came in stands in what went out; None where it was removed, changed or never sent."""
        if start is None or end is None or not self._starts or start >= self._in:
            return None
        first = bisect_right(self._starts, start) - 1
        last = bisect_right(self._starts, max(start, end - 1)) - 1
        ends = []
        for number in range(first, last + 1):
            same, out = self._pieces[number]
            begin = max(start, self._starts[number]) - self._starts[number]
            stop = min(end, self._end_of(number)) - self._starts[number]
            if stop > same:
                return None
            ends.append((out + begin, out + stop))
        return ends[0][0], ends[-1][1]

    def _end_of(self, number: int) -> int:
        return self._starts[number + 1] if number + 1 < len(self._starts) else self._in
