"""Tests that are made once, at an end that was planned: Welch's t and two proportions."""

import math
from collections.abc import Callable
from dataclasses import dataclass

from service.experiments.statistics.distributions import normal_quantile, normal_tail, t_quantile, t_tail
from service.experiments.statistics.estimate import Estimate, Unmeasured
from service.experiments.statistics.sequence import check_alpha

_HALVINGS = 60


@dataclass(frozen=True, slots=True)
class Inference:
    """The interval of a difference, how often such intervals hold the truth, and the p-value against no difference."""

    low: float
    high: float
    coverage: float
    p: float


def fixed(estimate: Estimate, alpha: float = 0.05) -> Inference:
    """Student's t. Raises `ValueError` for an `alpha` that is not between 0 and 1."""
    check_alpha(alpha)
    half = estimate.se * float(t_quantile(alpha / 2, estimate.df))
    p = 2 * float(t_tail(abs(estimate.t), estimate.df))
    return Inference(estimate.difference - half, estimate.difference + half, 1 - alpha, p)


@dataclass(frozen=True, slots=True)
class Moments:
    """How many units an arm has, the sum of their values, and the sum of the squares."""

    n: int
    total: float
    squares: float

    def __post_init__(self) -> None:
        if self.n < 0 or not (math.isfinite(self.total) and math.isfinite(self.squares)):
            raise ValueError(f"{self!r} is no sum of values. Give a count and finite sums.")

    @property
    def mean(self) -> float:
        """The mean of the units."""
        return self.total / self.n

    @property
    def variance(self) -> float:
        """The variance of the units, with n − 1."""
        return max(self.squares - self.total**2 / self.n, 0.0) / (self.n - 1)


def welch(control: Moments, treatment: Moments) -> Estimate | Unmeasured:
    """The difference of two means with Welch's degrees of freedom (1947), for units of one epoch.

    The same as `estimate` with counts of 1, where only sums are known.
    """
    for name, arm in (("control", control), ("treatment", treatment)):
        if arm.n < 2:
            return Unmeasured(f"The {name} has fewer than two units yet.")
    errors = [arm.variance / arm.n for arm in (control, treatment)]
    if sum(errors) == 0:
        return Unmeasured("Every unit has the same value: there is no spread to judge a difference by.")
    squares = errors[0] ** 2 / (control.n - 1) + errors[1] ** 2 / (treatment.n - 1)
    return Estimate(
        control=control.mean,
        treatment=treatment.mean,
        se=math.sqrt(sum(errors)),
        df=sum(errors) ** 2 / squares,
        control_se=math.sqrt(errors[0]),
        treatment_se=math.sqrt(errors[1]),
        units=(control.n, treatment.n),
    )


@dataclass(frozen=True, slots=True)
class Hits:
    """So many of `n` independent trials."""

    hits: int
    n: int

    def __post_init__(self) -> None:
        if not 0 <= self.hits <= self.n:
            raise ValueError(f"{self!r} is no proportion. Give hits from 0 up to n.")


def two_proportions(control: Hits, treatment: Hits, alpha: float = 0.05) -> Inference | Unmeasured:
    """The score test of two independent proportions, which is Pearson's χ², and the interval that agrees with it.

    The interval holds the differences that the test would not reject (Mee 1984). It leaves out 0 exactly where p is
    below `alpha`, and has a width where every trial ended alike. Raises `ValueError` for an impossible `alpha`.
    """
    check_alpha(alpha)
    for name, arm in (("control", control), ("treatment", treatment)):
        if not arm.n:
            return Unmeasured(f"The {name} has no trials yet.")
    limit = float(normal_quantile(alpha / 2))
    observed = treatment.hits / treatment.n - control.hits / control.n

    def is_in(difference: float) -> bool:
        return abs(_score(control, treatment, difference)) <= limit

    p = 2 * float(normal_tail(abs(_score(control, treatment, 0.0))))
    return Inference(_edge(is_in, observed, -1.0), _edge(is_in, observed, 1.0), 1 - alpha, p)


def _score(control: Hits, treatment: Hits, difference: float) -> float:
    """How many standard errors the observed difference lies above a supposed one."""
    above = treatment.hits / treatment.n - control.hits / control.n - difference
    q = min(max(_likeliest_treatment(control, treatment, difference), 0.0), 1.0)
    p = min(max(q - difference, 0.0), 1.0)
    variance = p * (1 - p) / control.n + q * (1 - q) / treatment.n
    if variance <= 0:
        return 0.0 if abs(above) < 1e-12 else math.copysign(math.inf, above)
    return above / math.sqrt(variance)


def _likeliest_treatment(control: Hits, treatment: Hits, difference: float) -> float:
    """The treatment's likeliest proportion if it is larger by `difference`: a cubic's root (Farrington and Manning 1990)."""
    ratio = control.n / treatment.n
    observed, other = treatment.hits / treatment.n, control.hits / control.n
    a = 1 + ratio
    b = -(a + observed + ratio * other + difference * (ratio + 2))
    c = difference**2 + difference * (2 * observed + a) + observed + ratio * other
    d = -observed * difference * (1 + difference)
    v = (b / (3 * a)) ** 3 - b * c / (6 * a * a) + d / (2 * a)
    u = math.copysign(math.sqrt(max((b / (3 * a)) ** 2 - c / (3 * a), 0.0)), v)
    turn = math.acos(min(max(v / u**3, -1.0), 1.0)) if u else 0.0
    return 2 * u * math.cos((math.pi + turn) / 3) - b / (3 * a)


def _edge(is_in: Callable[[float], bool], inside: float, outside: float) -> float:
    """Where the interval ends between a difference that is in it and the end of what is possible, by bisection."""
    if is_in(outside):
        return outside
    for _ in range(_HALVINGS):
        middle = (inside + outside) / 2
        inside, outside = (middle, outside) if is_in(middle) else (inside, middle)
    return inside
