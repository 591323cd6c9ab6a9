"""Scales and ticks of a chart: from values to places, and round numbers between two ends."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

_STEPS = (1.0, 2.0, 2.5, 5.0, 10.0)
_SPANS = (
    timedelta(minutes=1),
    timedelta(minutes=5),
    timedelta(minutes=15),
    timedelta(hours=1),
    timedelta(hours=3),
    timedelta(hours=6),
    timedelta(hours=12),
    timedelta(days=1),
    timedelta(days=2),
    timedelta(days=7),
    timedelta(days=14),
    timedelta(days=28),
    timedelta(days=91),
    timedelta(days=182),
    timedelta(days=365),
)


@dataclass(frozen=True, slots=True)
class Scale:
    """From values between two ends to places between two others."""

    low: float
    high: float
    first: float
    last: float

    def __call__(self, value: float) -> float:
        """The place of a value, with one decimal."""
        part = (value - self.low) / (self.high - self.low) if self.high > self.low else 0.5
        return round(self.first + part * (self.last - self.first), 1)


def ticks(low: float, high: float, most: int) -> list[float]:
    """Round values within the ends, no more than `most` and one."""
    if high <= low:
        return [low]
    rough = (high - low) / most
    size = 10 ** math.floor(math.log10(rough))
    step = next(size * one for one in _STEPS if size * one >= rough * (1 - 1e-9))
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [round(number * step, 12) for number in range(first, last + 1)]


def moments(first: datetime, last: datetime, most: int) -> list[datetime]:
    """Round moments within the ends, no more than `most` and one."""
    fitting = [span for span in _SPANS if (last - first) / span <= most]
    step = fitting[0] if fitting else _SPANS[-1]
    midnight = first.replace(hour=0, minute=0, second=0, microsecond=0)
    begin = math.ceil((first - midnight) / step)
    found = [midnight + step * number for number in range(begin, begin + most + 2)]
    return [one for one in found if first <= one <= last]


def labels(shown: Sequence[datetime]) -> list[str]:
    """Days as `3 Nov`, and times of a day where they are closer; of the first, both."""
    found: list[str] = []
    for one in shown:
        day, time = f"{one.day} {one:%b}", f"{one:%H:%M}"
        is_midnight = not (one.hour or one.minute)
        found.append(day if is_midnight else time if found else f"{day}, {time}")
    return found
