"""Intervals and p-values that stay true however often one looks: asymptotic confidence sequences.

Waudby-Smith, Arbour, Sinha, Kennedy and Ramdas, "Time-uniform central limit theory and asymptotic confidence
sequences" (2021), in the form of GrowthBook. `progress` is how much of the planned information there is, 1 at the planned
end: users over planned users, or the square of the planned standard error over that of the estimate.
"""

import math

import numpy as np
from numpy.typing import ArrayLike

from service.experiments.statistics.distributions import Floats, normal_tail, t_quantile

_FEWEST = 1e-9


def tuning(alpha: float) -> float:
    """ρ²·N*, with which the sequence is narrowest at the planned end (their equation for ρ).

    −2 ln α + ln(−2 ln α + 1). Raises `ValueError` where `alpha` is not between 0 and 1.
    """
    check_alpha(alpha)
    return -2 * math.log(alpha) + math.log(-2 * math.log(alpha) + 1)


def check_alpha(alpha: float) -> None:
    """Raises `ValueError` where `alpha` is not between 0 and 1."""
    if not 0 < alpha < 1:
        raise ValueError(f"alpha is {alpha!r}. Give a number between 0 and 1, such as 0.05.")


def multiplier(progress: ArrayLike, alpha: float, *, tuned_for: float | None = None) -> Floats:
    """How many standard errors the sequence is wide, to each side. Any shape; at no progress it is very wide.

    It is tuned for `alpha`, unless `tuned_for` is another: the tuning may not change while one looks.
    """
    check_alpha(alpha)
    reached = _reached(progress, alpha if tuned_for is None else tuned_for)
    found: Floats = np.sqrt(2 * (reached + 1) / reached * (0.5 * np.log1p(reached) - math.log(alpha)))
    return found


def always_valid_p(z: ArrayLike, progress: ArrayLike, *, tuned_for: float) -> Floats:
    """The p-value of both sides: at most α exactly where the sequence at α with the same tuning leaves out 0. Any shape."""
    reached = _reached(progress, tuned_for)
    exponent = np.asarray(z, dtype=float) ** 2 * reached / (2 * (reached + 1)) - 0.5 * np.log1p(reached)
    found: Floats = np.exp(-np.maximum(exponent, 0.0))
    return found


def one_sided_multiplier(progress: ArrayLike, alpha: float) -> Floats:
    """How many standard errors a sequence is wide that has one side only (their one-sided sequence)."""
    if not 0 < alpha < 0.5:
        raise ValueError(f"alpha is {alpha!r}. Give a number between 0 and 0.5 for one side, such as 0.05.")
    reached = _reached(progress, 2 * alpha)
    growth = np.log1p(np.sqrt(reached + 1) / (2 * alpha))
    found: Floats = np.sqrt(2 * (reached + 1) / reached * growth)
    return found


def one_sided_p(z: ArrayLike, progress: ArrayLike, *, tuned_for: float) -> Floats:
    """The p-value against "not above 0": at most `tuned_for` where the one-sided sequence lies above 0. Any shape."""
    reached = _reached(progress, 2 * tuned_for)
    above = np.maximum(np.asarray(z, dtype=float), 0.0)
    with np.errstate(over="ignore", divide="ignore"):  # far above 0 it is 0, at 0 it is 1
        growth = np.expm1(above**2 * reached / (2 * (reached + 1)))
        found: Floats = np.minimum(np.sqrt(reached + 1) / (2 * growth), 1.0)
    return found


def for_few_units(multiples: ArrayLike, df: ArrayLike) -> Floats:
    """Standard errors of a normal, widened to those of Student's t that are as seldom passed. Any shape."""
    return t_quantile(normal_tail(multiples), df)


def _reached(progress: ArrayLike, alpha: float) -> Floats:
    values = np.asarray(progress, dtype=float)
    if np.isnan(values).any():
        raise ValueError("progress holds nan. Give the share of the planned information, 0 or more.")
    found: Floats = np.maximum(values, _FEWEST) * tuning(alpha)
    return found
