"""Experiments that never happened: users, requests and errors whose truth is known, for the benchmark of the statistics."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from service.experiments.statistics.arm import Arm
from service.experiments.statistics.distributions import Floats
from service.experiments.statistics.guardrail import Traffic

# Experiments at once, so that their looks fit into memory.
_TOGETHER = 250


@dataclass(frozen=True, slots=True, eq=False)
class Looks:
    """The difference after each user, its standard error and degrees of freedom. Shape: (experiments, users)."""

    difference: Floats
    se: Floats
    df: Floats

    @property
    def t(self) -> Floats:
        """The difference in standard errors; 0 where nothing can be said yet."""
        found: Floats = self.difference / self.se
        return found


def experiments(
    rng: np.random.Generator, runs: int, users: int, rates: tuple[float, float]
) -> Iterator[Looks]:
    """`runs` experiments whose users come one after the other and are resolved at the rate of their arm, in batches."""
    for start in range(0, runs, _TOGETHER):
        shape = (min(_TOGETHER, runs - start), users)
        is_treated = rng.random(shape) < 0.5
        resolved = rng.random(shape) < np.where(is_treated, rates[1], rates[0])
        yield looks_of(resolved.astype(float), is_treated)


def looks_of(values: Floats, is_treated: NDArray[np.bool_]) -> Looks:
    """What `estimate` says after each user of one epoch, of many experiments at once."""
    everybody = np.arange(1, values.shape[1] + 1)
    pooled = _variance(values.cumsum(axis=1), (values**2).cumsum(axis=1), everybody)
    arms = [_arm(np.where(mine, values, 0.0), mine, pooled) for mine in (~is_treated, is_treated)]
    (n0, mean0, error0), (n1, mean1, error1) = arms
    variance = error0 + error1
    is_known = (np.minimum(n0, n1) >= 2) & (variance > 0)
    with np.errstate(divide="ignore", invalid="ignore"):  # what can't be known yet is replaced
        df = variance**2 / (error0**2 / (n0 - 1) + error1**2 / (n1 - 1))
    return Looks(
        difference=np.where(is_known, mean1 - mean0, 0.0),
        se=np.where(is_known, np.sqrt(variance), np.inf),
        df=np.where(is_known, df, 1.0),
    )


def _arm(values: Floats, mine: NDArray[np.bool_], pooled: Floats) -> tuple[NDArray[np.int64], Floats, Floats]:
    n, total = mine.cumsum(axis=1), values.cumsum(axis=1)
    own = _variance(total, (values**2).cumsum(axis=1), n)
    counted = np.maximum(n, 1)
    return n, total / counted, np.where(own > 1e-14, own, pooled) / counted


def _variance(total: Floats, squares: Floats, n: NDArray[np.int64]) -> Floats:
    found: Floats = np.maximum(squares - total**2 / np.maximum(n, 1), 0.0) / np.maximum(n - 1, 1)
    return found


def clustered(rng: np.random.Generator, users: int) -> Arm:
    """Users each with his own rate and his own number of requests, of which a few have most (lognormal, σ = 1.6)."""
    counts = np.ceil(rng.lognormal(1.0, 1.6, users))
    sums = rng.binomial(counts.astype(int), rng.beta(1.5, 1.5, users)).astype(float)
    return Arm(sums, counts, np.ones(users, dtype=int))


def growing(rng: np.random.Generator, users: int, looks: int) -> Iterator[tuple[Arm, Arm]]:
    """An A/A of users who come at different times and come back, as it stands at each look."""
    came, rate = 0.7 * rng.random(users), rng.beta(1.5, 1.5, users)
    requests = 1 + rng.poisson(rng.lognormal(1.0, 1.2, users) * (1 - came))
    who = np.repeat(np.arange(users), requests)
    when = came[who] + rng.random(len(who)) * (1 - came[who])
    resolved, is_treated = (rng.random(len(who)) < rate[who]).astype(float), rng.random(users) < 0.5
    for look in range(1, looks + 1):
        seen = when <= look / looks
        counts = np.bincount(who[seen], minlength=users).astype(float)
        sums = np.bincount(who[seen], resolved[seen], minlength=users)
        first, second = ((counts > 0) & (is_treated == arm) for arm in (False, True))
        yield (
            Arm(sums[first], counts[first], np.ones(int(first.sum()), dtype=int)),
            Arm(sums[second], counts[second], np.ones(int(second.sum()), dtype=int)),
        )


def ramp(
    rng: np.random.Generator, users: int, shares: Sequence[float], rates: Sequence[float]
) -> tuple[Arm, Arm]:
    """An A/A in epochs with a growing treatment, while the base rate drifts. Six in ten users come in each epoch."""
    point, requests, habit = rng.random(users), rng.lognormal(0.5, 1.0, users), rng.normal(0, 0.8, users)
    parts = []
    for epoch, (share, rate) in enumerate(zip(shares, rates, strict=True), 1):
        here = np.flatnonzero(rng.random(users) < 0.6)
        counts = np.ceil(requests[here] * rng.lognormal(0, 0.3, len(here)))
        chance = 1 / (1 + np.exp(-math.log(rate / (1 - rate)) - habit[here]))
        sums = rng.binomial(counts.astype(int), chance).astype(float)
        parts.append((sums, counts, np.full(len(here), epoch), here, point[here] < share))
    sums, counts, epochs, units, is_treated = (np.concatenate(part) for part in zip(*parts, strict=True))
    control, treatment = (
        Arm(sums[mine], counts[mine], epochs[mine], units=units[mine]) for mine in (~is_treated, is_treated)
    )
    return control, treatment


def canary(
    rng: np.random.Generator, rates: tuple[float, float], *, share: float, requests: int, looks: int
) -> list[Traffic]:
    """What a canary and its baseline did up to each look; rates are the baseline's and the canary's."""
    in_all = round(requests / share)
    is_canary = rng.random(in_all) < share
    failed = rng.random(in_all) < np.where(is_canary, rates[1], rates[0])
    ends = np.linspace(in_all / looks, in_all, looks).astype(int) - 1
    columns = (is_canary, is_canary & failed, ~is_canary, ~is_canary & failed)
    counts = [column.cumsum()[ends] for column in columns]
    return [Traffic(*(int(value) for value in row)) for row in zip(*counts, strict=True)]


def judged_twice(rng: np.random.Generator, cases: int, gain: float) -> tuple[list[int], list[int]]:
    """Cases that base and candidate pass or fail: 73 in 100 pass the base, and 24 in 100 differ."""
    differs, both = 0.239, 0.61
    kinds = ((1, 1), (0, 1), (1, 0), (0, 0))
    chances = (both, (differs + gain) / 2, (differs - gain) / 2, 1 - both - differs)
    drawn = [kinds[kind] for kind in rng.choice(4, cases, p=chances)]
    return [base for base, _ in drawn], [candidate for _, candidate in drawn]
