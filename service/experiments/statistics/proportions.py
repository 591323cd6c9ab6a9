"""Proportions: one alone, and two of the same trials."""

import math
from dataclasses import dataclass

from service.experiments.statistics.distributions import (
    beta_quantile,
    binomial_tail,
    chi2_tail,
    normal_quantile,
)
from service.experiments.statistics.fixed import Hits
from service.experiments.statistics.sequence import check_alpha


def wilson(trials: Hits, alpha: float = 0.05) -> tuple[float, float]:
    """The interval of a proportion (Wilson 1927). Of no trials it is everything: (0, 1)."""
    check_alpha(alpha)
    n = trials.n
    if not n:
        return 0.0, 1.0
    z, p = float(normal_quantile(alpha / 2)), trials.hits / trials.n
    centre = (p + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z * math.sqrt(p * (1 - p) / n + z**2 / (4 * n * n)) / (1 + z**2 / n)
    # At the ends, rounding may leave the proportion itself outside.
    return min(p, max(0.0, centre - half)), max(p, min(1.0, centre + half))


def clopper_pearson(trials: Hits, alpha: float = 0.05) -> tuple[float, float]:
    """The exact interval of a proportion (Clopper and Pearson 1934). Of no trials it is everything: (0, 1)."""
    check_alpha(alpha)
    missed = trials.n - trials.hits
    low = beta_quantile(alpha / 2, trials.hits, missed + 1) if trials.hits else 0.0
    high = beta_quantile(1 - alpha / 2, trials.hits + 1, missed) if missed else 1.0
    return low, high


@dataclass(frozen=True, slots=True)
class McNemar:
    """χ² without a correction and its p-value, None where no pair differs, and the exact p-value."""

    chi2: float | None
    p: float | None
    exact_p: float


def mcnemar(only_first: int, only_second: int) -> McNemar:
    """Two tests of the same trials, by the trials that only one of them passed (McNemar 1947).

    The exact p-value is the binomial's, both sides; where no pair differs it is 1. Raises `ValueError` for negative counts.
    """
    for count in (only_first, only_second):
        if count < 0:
            raise ValueError(f"{count!r} pairs are impossible. Give counts of 0 or more.")
    n = only_first + only_second
    if not n:
        return McNemar(None, None, 1.0)
    chi2 = (only_first - only_second) ** 2 / n
    exact = min(1.0, 2 * binomial_tail(min(only_first, only_second), n))
    return McNemar(chi2, chi2_tail(chi2, 1), exact)
