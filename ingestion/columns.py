"""What a filter can see of a segment's documents, one column a field: distinct values, and which has which."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ingestion.corpus import Scalar

_SCALARS = (str, int, float, bool)
Value = Scalar | tuple[Scalar, ...] | None


@dataclass(frozen=True, slots=True)
class Column:
    """`values[codes[i]]` is what document `i` has; None where it has nothing."""

    values: tuple[Value, ...]
    codes: npt.NDArray[np.int32]

    def select(self, test: Callable[[Value], bool]) -> npt.NDArray[np.bool_]:
        """Documents for whose value a test holds; each distinct value is tested once."""
        return np.array([test(value) for value in self.values], dtype=bool)[self.codes]


def column_of(facts: Sequence[Mapping[str, object]], field: str) -> Column:
    """The column of a field. Lists become tuples."""
    known: dict[tuple[type, Value], int] = {}
    codes = np.empty(len(facts), np.int32)
    for number, one in enumerate(facts):
        value = _value(one.get(field))
        # 1, 1.0 and true are one key to Python.
        codes[number] = known.setdefault((type(value), value), len(known))
    return Column(tuple(value for _, value in known), codes)


def _value(raw: object) -> Value:
    """What a filter can compare: a scalar, or of a list its scalars. Anything else counts as nothing."""
    if isinstance(raw, (list, tuple)):
        return tuple(one for one in raw if isinstance(one, _SCALARS))
    return raw if isinstance(raw, _SCALARS) else None
