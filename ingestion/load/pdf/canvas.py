"""What is painted on a page, roughly: which colour lies under a letter. White letters on a dark bar can be read."""

from collections.abc import Sequence
from typing import Any

import numpy as np

Shade = tuple[float, float, float]  # red, green, blue, each 0 to 1

_PAPER: Shade = (1.0, 1.0, 1.0)
_UNKNOWN = -1
_MOST_CELLS = 512
_CELL_POINTS = 2.0
# Two shades that differ less look the same.
_SAME = 0.03


def shade_of(colour: object, space: str) -> Shade | None:
    """A colour of a PDF as red, green and blue; None where only its colour space or pattern could tell."""
    values = list(colour) if isinstance(colour, (tuple, list)) else [colour]
    if not all(isinstance(value, (int, float)) for value in values) or space in ("Indexed", "Pattern", "Lab"):
        return None
    numbers = [min(max(float(str(value)), 0.0), 1.0) for value in values]
    if space == "Separation" and len(numbers) == 1:
        return (1 - numbers[0],) * 3  # a tint: 1 is all of its ink
    if space == "DeviceN":
        return None
    match numbers:
        case [grey]:
            return (grey, grey, grey)
        case [red, green, blue]:
            return (red, green, blue)
        case [cyan, magenta, yellow, black]:
            return ((1 - cyan) * (1 - black), (1 - magenta) * (1 - black), (1 - yellow) * (1 - black))
    return None


def look_alike(one: Shade, other: Shade) -> bool:
    """Whether a person would not see the one on the other."""
    return all(abs(a - b) < _SAME for a, b in zip(one, other, strict=True))


class Canvas:
    """A page in cells of two points, each with the shade that was painted last; it costs the same whatever is painted."""

    def __init__(self, width: float, height: float) -> None:
        self._scale = max(_CELL_POINTS, max(width, height) / _MOST_CELLS)
        shape = (self._cell(height) + 1, self._cell(width) + 1)
        self._shades: list[Shade] = [_PAPER]
        self._numbers: dict[Shade, int] = {_PAPER: 0}
        self._painted = np.zeros(shape, np.int32)
        self._pictured = np.zeros(shape, np.bool_)

    def paint(self, box: Sequence[float], shade: Shade | None) -> None:
        """Fill a box (x0, top, x1, bottom); None is a pattern or whatever else has no one shade."""
        self._painted[self._cells(box)] = _UNKNOWN if shade is None else self._number(shade)

    def picture(self, box: Sequence[float]) -> None:
        """An image: its colours are not known, and it may be a scan whose text lies unseen upon it."""
        cells = self._cells(box)
        self._painted[cells] = _UNKNOWN
        self._pictured[cells] = True

    def shade_at(self, x: float, y: float) -> Shade | None:
        """What lies there, None where that isn't known."""
        number = int(self._painted[self._at(x, y)])
        return None if number == _UNKNOWN else self._shades[number]

    def has_picture_at(self, x: float, y: float) -> bool:
        """Whether an image was painted there, before or after."""
        return bool(self._pictured[self._at(x, y)])

    def _number(self, shade: Shade) -> int:
        if shade not in self._numbers:
            self._numbers[shade] = len(self._shades)
            self._shades.append(shade)
        return self._numbers[shade]

    def _cell(self, length: float) -> int:
        return int(min(max(length / self._scale, 0), _MOST_CELLS))

    def _at(self, x: float, y: float) -> tuple[int, int]:
        rows, columns = self._painted.shape
        return min(self._cell(y), rows - 1), min(self._cell(x), columns - 1)

    def _cells(self, box: Sequence[float]) -> Any:
        x0, top, x1, bottom = (self._cell(value + self._scale / 2) for value in box)
        return slice(top, bottom), slice(x0, x1)
