"""What is known of an arm: totals of its units, epoch by epoch, and how they look when both arms lie side by side."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from service.experiments.statistics.distributions import Floats

Codes = NDArray[np.int64]
# Fourth powers of quotients of larger numbers are no floats.
_LARGEST = 1e30


@dataclass(frozen=True, slots=True, eq=False)
class Arm:
    """The units of an arm. Every array has one entry for each unit in each epoch, in any order.

    The metric is Σ`sums` / Σ`counts`. `sums` is the unit's total, say its resolved conversations; `counts` is what it is
    divided by, say its conversations, and 1 for a metric of units. `epochs` numbers the stretches of time with one split.

    `units` numbers the units, in the same way in both arms: needed where a unit can have more than one entry, because it
    met several epochs. Without it, each entry counts as a unit of its own.

    `before` and `before_counts` are the unit's totals from before the experiment (CUPED); a unit that was not there
    has 0 in both. Without `before_counts`, each counts 1.

    Raises `ValueError` for arrays of different lengths, for values that are no numbers or beyond 1e±30, and for negative
    counts.
    """

    sums: Floats
    counts: Floats
    epochs: Codes
    units: Codes | None = None
    before: Floats | None = None
    before_counts: Floats | None = None

    def __post_init__(self) -> None:
        for name in ("sums", "counts", "epochs", "units", "before", "before_counts"):
            values = getattr(self, name)
            if values is not None:
                _check(name, values, len(self.sums))
        if self.before is None and self.before_counts is not None:
            raise ValueError("'before_counts' was given without 'before'. Give both, or neither.")

    @property
    def is_known_before(self) -> bool:
        """Whether there is something from before the experiment."""
        return self.before is not None


def _check(name: str, values: NDArray[np.generic], length: int) -> None:
    numbers = np.asarray(values, dtype=float)
    if numbers.ndim != 1 or len(numbers) != length:
        raise ValueError(
            f"{name!r} has the shape {numbers.shape!r}, and 'sums' has {length!r} entries. Give one entry for each."
        )
    if not np.isfinite(numbers).all():
        wrong = float(numbers[~np.isfinite(numbers)][0])
        raise ValueError(f"{name!r} holds {wrong!r}. Leave out the units without a value.")
    sizes = np.abs(numbers[numbers != 0])
    if ((sizes > _LARGEST) | (sizes < 1 / _LARGEST)).any():
        raise ValueError(
            f"{name!r} holds sizes from {sizes.min()!s} to {sizes.max()!s}. Give them in a fitting unit."
        )
    if name.endswith("counts") and (numbers < 0).any():
        raise ValueError(
            f"{name!r} holds {float(numbers.min())!r}. A count can't be negative: leave the unit out."
        )


@dataclass(frozen=True, slots=True, eq=False)
class Cells:
    """Both arms side by side, one entry for each unit in each epoch and arm.

    `cell` is twice the epoch's place, and one more in the treatment. `names` are the epochs' own numbers.
    """

    sums: Floats
    counts: Floats
    before: Floats | None
    before_counts: Floats | None
    cell: Codes
    unit: Codes
    names: Codes

    @property
    def width(self) -> int:
        """How many cells there are: two for each epoch."""
        return 2 * len(self.names)

    def total(self, values: Floats | None = None) -> Floats:
        """The sum of the values in each cell, or the number of entries. Shape: (`width`,)."""
        found: Floats = np.bincount(self.cell, values, minlength=self.width).astype(np.float64)
        return found

    def most(self, values: Floats) -> Floats:
        """The largest value in each cell. Shape: (`width`,)."""
        found = np.zeros(self.width)
        np.maximum.at(found, self.cell, values)
        return found


def side_by_side(control: Arm, treatment: Arm) -> Cells:
    """Both arms in one.

    Raises `ValueError` where only one of them has `units` or `before`, and for a unit with two entries in one cell.
    """
    if (control.units is None) != (treatment.units is None):
        raise ValueError("'units' was given for one arm only. Number the units of both arms, or of neither.")
    if control.is_known_before != treatment.is_known_before:
        raise ValueError("'before' was given for one arm only. Give it for both arms, or for neither.")
    epochs = np.concatenate([control.epochs, treatment.epochs]).astype(np.int64)
    names, place = np.unique(epochs, return_inverse=True)
    arm = np.repeat([0, 1], [len(control.sums), len(treatment.sums)])
    before, before_counts = _before(control, treatment)
    unit, cell = _units(control, treatment), 2 * place + arm
    if len(np.unique(cell * len(cell) + unit)) < len(cell):
        raise ValueError("A unit has two entries in one epoch of one arm. Add up its totals first.")
    return Cells(
        sums=np.concatenate([control.sums, treatment.sums]).astype(np.float64),
        counts=np.concatenate([control.counts, treatment.counts]).astype(np.float64),
        before=before,
        before_counts=before_counts,
        cell=cell,
        unit=unit,
        names=names,
    )


def _units(control: Arm, treatment: Arm) -> Codes:
    if control.units is None or treatment.units is None:
        return np.arange(len(control.sums) + len(treatment.sums))
    _, codes = np.unique(np.concatenate([control.units, treatment.units]), return_inverse=True)
    return codes.astype(np.int64)


def _before(control: Arm, treatment: Arm) -> tuple[Floats | None, Floats | None]:
    if control.before is None or treatment.before is None:
        return None, None
    counts = [
        np.ones(len(arm.sums)) if arm.before_counts is None else arm.before_counts
        for arm in (control, treatment)
    ]
    before = np.concatenate([control.before, treatment.before]).astype(np.float64)
    return before, np.concatenate(counts).astype(np.float64)


def keep_epochs(cells: Cells, usable: NDArray[np.bool_]) -> Cells:
    """The cells of the epochs that are marked. `usable` has one entry for each epoch."""
    if usable.all():
        return cells
    kept = usable[cells.cell // 2]
    place = np.cumsum(usable) - 1
    return Cells(
        sums=cells.sums[kept],
        counts=cells.counts[kept],
        before=None if cells.before is None else cells.before[kept],
        before_counts=None if cells.before_counts is None else cells.before_counts[kept],
        cell=2 * place[cells.cell[kept] // 2] + cells.cell[kept] % 2,
        unit=cells.unit[kept],
        names=cells.names[usable],
    )
