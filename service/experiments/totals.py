"""What an experiment's units did, from the database into arrays: totals by arm, epoch, unit and moment.

A cell is what one unit did in one epoch within one bucket of time: a minute, an hour or a day, as long as the experiment
allows. Knows no statistics.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np
import numpy.typing as npt

Numbers = npt.NDArray[np.float64]
Indices = npt.NDArray[np.int64]
# An entry: what one unit did in one epoch, in its arm.
EntryKey = tuple[str, int, str]


@dataclass(frozen=True, slots=True)
class Bucket:
    """How finely time is told: the characters of a moment that name a bucket, and how long one is."""

    chars: int
    length: timedelta

    def name(self, moment: datetime) -> str:
        """The bucket of a moment."""
        return moment.astimezone(UTC).isoformat(" ")[: self.chars]

    def end(self, name: str) -> datetime:
        """Where a bucket ends."""
        return (
            datetime.fromisoformat(name + "0000-01-01 00:00"[len(name) :]).replace(tzinfo=UTC) + self.length
        )


_BUCKETS = (Bucket(16, timedelta(minutes=1)), Bucket(13, timedelta(hours=1)), Bucket(10, timedelta(days=1)))
_MOST_BUCKETS = 240


def bucket_for(span: timedelta) -> Bucket:
    """The finest bucket of which a span has no more than 240."""
    fitting = [bucket for bucket in _BUCKETS if span / bucket.length <= _MOST_BUCKETS]
    return fitting[0] if fitting else _BUCKETS[-1]


@dataclass(frozen=True, slots=True)
class Cells:
    """Totals by name, each with a value for every cell; `entry` and `bucket` index the entries and the moments."""

    entry: Indices
    bucket: Indices
    values: Mapping[str, Numbers]


@dataclass(frozen=True, slots=True, eq=False)
class Counted:
    """Totals as they were counted: their names, and for each row its entry's number, its bucket, and the values.

    An entry may have several rows of a bucket.
    """

    names: Sequence[str]
    entries: Sequence[int]
    buckets: Sequence[str]
    values: Numbers


@dataclass(frozen=True, slots=True, eq=False)
class Totals:
    """Everything that was counted, by entry: what one unit did in one epoch, in its arm.

    `arms`, `epochs` and `units` have a value for each entry; units are numbers, by which `names` tells them. `ends` is
    where each bucket ends; what waits for people is by its window in days.
    """

    arms: npt.NDArray[np.str_]
    epochs: Indices
    units: Indices
    names: tuple[str, ...]
    ends: tuple[datetime, ...]
    counted: tuple[Cells, ...]
    late: Mapping[float, tuple[Cells, ...]]

    def of(self, name: str, window_days: float, *, until: datetime) -> Numbers:
        """A total by entry, of what happened up to a moment and is older than its window then."""
        if name == "units":
            return np.ones(len(self.epochs))
        last = until - timedelta(days=window_days)
        old = np.array([end <= last for end in self.ends], dtype=bool)
        found = np.zeros(len(self.epochs))
        for cells in (*self.counted, *self.late.get(window_days, ())):
            if name in cells.values and len(cells.bucket):
                chosen = old[cells.bucket]
                found += np.bincount(
                    cells.entry[chosen], cells.values[name][chosen], minlength=len(self.epochs)
                )
        return found


def mixed_of(totals: Totals) -> tuple[int, int]:
    """Units that met two arms: within an epoch, which must not be, and in all, which a ramp may do."""
    _, arms = np.unique(totals.arms, return_inverse=True)
    # An entry is an arm, an epoch and a unit: more than one of an epoch and a unit differ in their arms.
    _, entries = np.unique(np.stack([totals.epochs, totals.units]), axis=1, return_counts=True)
    pairs = np.unique(np.stack([totals.units, arms]), axis=1)
    _, met = np.unique(pairs[0], return_counts=True)
    return int((entries > 1).sum()), int((met > 1).sum())


def totals_of(
    entries: Sequence[EntryKey],
    counted: Iterable[Counted],
    late: Mapping[float, Iterable[Counted]],
    bucket: Bucket,
) -> Totals:
    """Index everything that was counted by the same buckets, in the order of their names."""
    counted, late = list(counted), {window: list(ones) for window, ones in late.items()}
    everything = [*counted, *(one for ones in late.values() for one in ones)]
    buckets = sorted({name for one in everything for name in one.buckets})
    bucket_at = {name: index for index, name in enumerate(buckets)}

    def cells(one: Counted) -> Cells:
        return Cells(
            np.array(one.entries, dtype=np.int64),
            np.array([bucket_at[name] for name in one.buckets], dtype=np.int64),
            {name: one.values[:, index] for index, name in enumerate(one.names)},
        )

    names = sorted({unit for _, _, unit in entries})
    number_of = {unit: number for number, unit in enumerate(names)}
    return Totals(
        np.array([arm for arm, _, _ in entries], dtype=np.str_),
        np.array([epoch for _, epoch, _ in entries], dtype=np.int64),
        np.array([number_of[unit] for _, _, unit in entries], dtype=np.int64),
        tuple(names),
        tuple(bucket.end(name) for name in buckets),
        tuple(cells(one) for one in counted),
        {window: tuple(cells(one) for one in ones) for window, ones in late.items()},
    )
