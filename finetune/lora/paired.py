"""Two models on the same cases, and shares against limits: exact tests and intervals for small samples."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

from scipy.stats import binomtest  # type: ignore[import-untyped]

Pairs = Sequence[tuple[bool, bool]]
_HALVINGS = 40


@dataclass(frozen=True, slots=True)
class Interval:
    """An estimate with the bounds of its interval."""

    value: float
    low: float
    high: float


def share_of(hits: int, n: int, *, confidence: float = 0.95) -> Interval:
    """A share with Wilson's interval (Wilson 1927)."""
    found = binomtest(hits, n).proportion_ci(confidence, method="wilson")
    return Interval(hits / n, float(found.low), float(found.high))


def chance_above(hits: int, n: int, limit: float) -> float:
    """How likely so many hits or more are where the true share is `limit`: small where it surely lies above it."""
    return float(binomtest(hits, n, limit, alternative="greater").pvalue)


def chance_below(hits: int, n: int, limit: float) -> float:
    """How likely so many hits or fewer are where the true share is `limit`: small where it surely lies below it."""
    return float(binomtest(hits, n, limit, alternative="less").pvalue)


def mcnemar(pairs: Pairs) -> float:
    """How likely two equal models would differ in so uneven a number of cases or a more uneven one; exact, two-sided
    (McNemar 1947)."""
    gained = sum(one and not other for one, other in pairs)
    lost = sum(other and not one for one, other in pairs)
    return float(binomtest(gained, gained + lost).pvalue) if gained + lost else 1.0


def difference_of(pairs: Pairs, *, confidence: float = 0.95) -> Interval:
    """The first model's share less the second's on the same cases, with an interval that holds with few cases too
    (Newcombe 1998, method 10)."""
    n = len(pairs)
    both = sum(one and other for one, other in pairs)
    first, second = sum(one for one, _ in pairs), sum(other for _, other in pairs)
    one = share_of(first, n, confidence=confidence)
    other = share_of(second, n, confidence=confidence)
    phi = _correlation(both, first - both, second - both, n)
    low = _length(one.value - one.low, other.high - other.value, phi)
    high = _length(one.high - one.value, other.value - other.low, phi)
    value = one.value - other.value
    return Interval(value, max(-1.0, value - low), min(1.0, value + high))


def _correlation(both: int, first: int, second: int, n: int) -> float:
    neither = n - both - first - second
    product = (both + first) * (second + neither) * (both + second) * (first + neither)
    if not product:
        return 0.0
    excess = both * neither - first * second
    return (max(excess - n / 2, 0.0) if excess > 0 else excess) / math.sqrt(product)


def _length(one: float, other: float, phi: float) -> float:
    return math.sqrt(max(0.0, one * one - 2 * phi * one * other + other * other))


def chance_difference_above(pairs: Pairs, limit: float) -> float:
    """The smallest level at which a one-sided test says that the difference lies above `limit`, by its interval."""
    low, high = 0.0, NormalDist().inv_cdf(1 - 1e-12)
    if difference_of(pairs).value <= limit:
        return 1.0
    for _ in range(_HALVINGS):
        z = (low + high) / 2
        is_above = difference_of(pairs, confidence=2 * NormalDist().cdf(z) - 1).low > limit
        low, high = (z, high) if is_above else (low, z)
    return 1 - NormalDist().cdf(low)
