"""Arms for the tests."""

from collections.abc import Sequence

import numpy as np
from hypothesis import strategies as st

from service.experiments.statistics.arm import Arm


def arm(
    sums: Sequence[float],
    counts: Sequence[float] | None = None,
    epochs: Sequence[int] | None = None,
    **more: Sequence[float],
) -> Arm:
    """An arm of plain lists; counts are 1 and the epoch is 1 where none are given."""
    return Arm(
        np.array(sums, dtype=float),
        np.ones(len(sums)) if counts is None else np.array(counts, dtype=float),
        np.ones(len(sums), dtype=int) if epochs is None else np.array(epochs, dtype=int),
        **{name: np.array(values) for name, values in more.items()},
    )


def clustered(rng: np.random.Generator, users: int, rate: float = 0.5) -> Arm:
    """Users with a skewed number of requests, each with his own rate."""
    counts = np.ceil(rng.lognormal(1.0, 1.0, users))
    rates = rng.beta(4 * rate, 4 * (1 - rate), users)
    return Arm(rng.binomial(counts.astype(int), rates).astype(float), counts, np.ones(users, dtype=int))


@st.composite
def arms(draw: st.DrawFn, least: int = 2, most: int = 12) -> Arm:
    """Any arm of two epochs that can be measured: whole sums, counts of 1 to 5."""
    size = draw(st.integers(2 * least, 2 * most))
    whole = st.lists(st.integers(-20, 20), min_size=size, max_size=size)
    counts = st.lists(st.integers(1, 5), min_size=size, max_size=size)
    return arm(draw(whole), draw(counts), [number % 2 for number in range(size)])
