"""Corrections for many tests at once: Holm's and Benjamini and Hochberg's."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from service.experiments.statistics.distributions import Floats
from service.experiments.statistics.sequence import check_alpha


@dataclass(frozen=True, slots=True)
class Corrected:
    """For each test, in the order given: the adjusted p-value, and whether it is rejected.

    `levels` are what the unadjusted p-values were held against: at such a level, a test's interval agrees with `rejected`.
    """

    p: tuple[float, ...]
    rejected: tuple[bool, ...]
    levels: tuple[float, ...]


def holm(p: Sequence[float], alpha: float = 0.05) -> Corrected:
    """Holds the chance of any false rejection at `alpha`, however the tests depend on each other (Holm 1979).

    Raises `ValueError` for p-values outside 0 to 1.
    """
    _check(p, alpha)
    order = np.argsort(p, kind="stable")
    left = np.arange(len(p), 0, -1)
    adjusted = np.minimum(np.maximum.accumulate(np.asarray(p)[order] * left), 1.0)
    rejected = adjusted <= alpha
    # Those that are not rejected were held against the level at which the first of them failed.
    levels = alpha / np.where(rejected, left, len(p) - rejected.sum())
    return _in_order(order, adjusted, rejected, levels)


def benjamini_hochberg(p: Sequence[float], alpha: float = 0.05) -> Corrected:
    """Holds the expected share of false ones among the rejections at `alpha` (Benjamini and Hochberg 1995).

    The levels are those of their intervals for what was selected (Benjamini and Yekutieli 2005). Raises `ValueError` for
    p-values outside 0 to 1.
    """
    _check(p, alpha)
    order = np.argsort(p, kind="stable")
    raw = np.asarray(p)[order] * len(p) / np.arange(1, len(p) + 1)
    adjusted = np.minimum(np.minimum.accumulate(raw[::-1])[::-1], 1.0)
    rejected = adjusted <= alpha
    levels = np.full(len(p), alpha * max(1, int(rejected.sum())) / max(1, len(p)))
    return _in_order(order, adjusted, rejected, levels)


def _check(p: Sequence[float], alpha: float) -> None:
    check_alpha(alpha)
    for value in p:
        if math.isnan(value) or not 0 <= value <= 1:
            raise ValueError(
                f"{value!r} is no p-value. Give numbers from 0 to 1, and 1 for a test that was not made."
            )


def _in_order(order: NDArray[np.intp], p: Floats, rejected: NDArray[np.bool_], levels: Floats) -> Corrected:
    place = np.argsort(order, kind="stable")
    return Corrected(
        tuple(float(value) for value in p[place]),
        tuple(bool(value) for value in rejected[place]),
        tuple(float(value) for value in levels[place]),
    )
