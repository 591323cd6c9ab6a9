"""Whether a candidate is better than a base on the same cases: paired, and clustered by document or conversation."""

import math
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from service.experiments.statistics.corrections import holm
from service.experiments.statistics.distributions import Floats
from service.experiments.statistics.fixed import Hits
from service.experiments.statistics.proportions import clopper_pearson, mcnemar
from service.experiments.statistics.sequence import check_alpha

Result = Literal["pass", "fail", "cannot tell"]
RESAMPLES = 10_000
_SEED = 7
# With fewer pairs that differ, resampling says too little, and the exact test decides.
_FEWEST_PAIRS = 25
_AT_ONCE = 2**22
# With so many times fewer kinds of clusters than clusters, numpy draws their numbers faster than the clusters.
_FASTER = 10


@dataclass(frozen=True, slots=True)
class Scores:
    """The scores of the same cases, in the same order, and the cluster of each: its document, or its conversation.

    Without `clusters`, cases are independent. Raises `ValueError` for lengths that differ and for what is no number.
    """

    base: Sequence[float]
    candidate: Sequence[float]
    clusters: Sequence[Hashable] | None = None

    def __post_init__(self) -> None:
        sizes = [len(self.base), len(self.candidate)]
        sizes += [] if self.clusters is None else [len(self.clusters)]
        if len(set(sizes)) > 1:
            raise ValueError(
                f"The lengths {sizes!r} differ. Give one entry for each case, in the same order."
            )
        for score in (*self.base, *self.candidate):
            if not math.isfinite(score):
                raise ValueError(f"A score is {score!r}. Leave the case out of both sides, or score it 0.")


@dataclass(frozen=True, slots=True)
class Comparison:
    """Candidate less base: the difference of the means, its interval, the p-value of the verdict, and the verdict.

    The interval is None where nothing tells how uncertain the difference is. `mcnemar_p` is the exact test's, where every
    score is 0 or 1 and cases are independent; `is_exact` says that it made the verdict and the interval.
    """

    verdict: Result
    difference: float
    low: float | None
    high: float | None
    p: float
    mcnemar_p: float | None
    is_exact: bool
    cases: int
    clusters: int


def compare(scores: Scores, *, alpha: float = 0.05, margin: float = 0.0) -> Comparison:
    """Candidate against base, with one verdict.

    "pass": surely not worse by `margin` or more; with a margin of 0, surely better. "fail": surely worse by more than
    `margin`. Else "cannot tell". The test is a paired bootstrap of whole clusters: 10,000 resamples with a fixed seed,
    studentised and symmetric (Hall 1988), so that it holds for few clusters too. Where scores are 0 or 1, cases are
    independent, fewer than 25 pairs differ and the margin is 0, the exact McNemar test decides.
    """
    check_alpha(alpha)
    if not (math.isfinite(margin) and margin >= 0):
        raise ValueError(f"margin is {margin!r}. Give how much worse the candidate may be, 0 or more.")
    clusters = _clusters(scores)
    pairs = _differing(scores) if len(clusters.sizes) == len(scores.base) else None
    is_exact = pairs is not None and sum(pairs) < _FEWEST_PAIRS and not margin
    found = (
        _exact(pairs, len(scores.base), alpha) if pairs and is_exact else _bootstrap(clusters, alpha, margin)
    )
    return Comparison(
        verdict=_verdict(found.difference + margin, found.p <= alpha),
        difference=found.difference,
        low=found.low,
        high=found.high,
        p=found.p,
        mcnemar_p=mcnemar(*pairs).exact_p if pairs else None,
        is_exact=is_exact,
        cases=len(scores.base),
        clusters=len(clusters.sizes),
    )


def compare_family(
    family: Mapping[str, Scores], *, alpha: float = 0.05, margins: Mapping[str, float] | None = None
) -> dict[str, Comparison]:
    """Several metrics of the same candidate, with Holm's correction: any wrong verdict has a chance of at most `alpha`.

    Each p is adjusted, and each interval has the coverage at which it agrees with the verdict.
    """
    allowed = margins or {}
    alone = [compare(scores, alpha=alpha, margin=allowed.get(name, 0.0)) for name, scores in family.items()]
    corrected = holm([one.p for one in alone], alpha)
    return {
        name: replace(compare(scores, alpha=level, margin=allowed.get(name, 0.0)), p=p)
        for (name, scores), level, p in zip(family.items(), corrected.levels, corrected.p, strict=True)
    }


def _verdict(above: float, is_sure: bool) -> Result:
    if not is_sure or not above:
        return "cannot tell"
    return "pass" if above > 0 else "fail"


@dataclass(frozen=True, slots=True, eq=False)
class _Clusters:
    """The sum of the gains of each cluster and its number of cases. Shape: (clusters,)."""

    gains: Floats
    sizes: Floats


def _clusters(scores: Scores) -> _Clusters:
    gains = np.asarray(scores.candidate, dtype=np.float64) - np.asarray(scores.base, dtype=np.float64)
    if scores.clusters is None:
        return _Clusters(gains, np.ones(len(gains)))
    places: dict[Hashable, int] = {}
    of_case = np.array([places.setdefault(name, len(places)) for name in scores.clusters], dtype=np.int64)
    return _Clusters(np.bincount(of_case, gains).astype(np.float64), np.bincount(of_case).astype(np.float64))


def _differing(scores: Scores) -> tuple[int, int] | None:
    """Cases that only the candidate passes, and those that only the base does; None where scores are not 0 or 1."""
    if not {*scores.base, *scores.candidate} <= {0, 1}:
        return None
    pairs = list(zip(scores.base, scores.candidate, strict=True))
    return pairs.count((0, 1)), pairs.count((1, 0))


@dataclass(frozen=True, slots=True)
class _Test:
    difference: float
    low: float | None
    high: float | None
    p: float


def _exact(pairs: tuple[int, int], cases: int, alpha: float) -> _Test:
    """The exact McNemar test, and Clopper and Pearson's interval given how many pairs differ."""
    won, lost = pairs
    n = won + lost
    if not n:
        return _Test(0.0, None, None, 1.0)
    low, high = clopper_pearson(Hits(won, n), alpha)
    scale = n / cases
    return _Test(
        (won - lost) / cases, (2 * low - 1) * scale, (2 * high - 1) * scale, mcnemar(won, lost).exact_p
    )


def _bootstrap(clusters: _Clusters, alpha: float, margin: float) -> _Test:
    n = len(clusters.sizes)
    sums = _columns(clusters.gains, clusters.sizes).sum(axis=0)
    if n < 2:
        return _Test(float(sums[0] / sums[1]) if n else 0.0, None, None, 1.0)
    difference, se = (float(part) for part in _mean_and_error(sums, n))
    if se <= 1e-12 * float(np.abs(clusters.gains).max()):
        return _Test(difference, None, None, 1.0)
    means, errors = _mean_and_error(_resampled_sums(clusters), n)
    with np.errstate(divide="ignore", invalid="ignore"):  # a resample without spread is infinitely far away
        far = np.sort(np.nan_to_num(np.abs(means - difference) / errors, nan=0.0, posinf=np.inf))[::-1]
    beyond = int((far >= abs(difference + margin) / se).sum())
    allowed = math.floor(alpha * (RESAMPLES + 1)) - 1
    half = se * float(far[allowed]) if allowed >= 0 else math.inf
    return _Test(difference, difference - half, difference + half, (beyond + 1) / (RESAMPLES + 1))


def _columns(gains: Floats, sizes: Floats) -> Floats:
    """What the mean and its error are made of. Shape: (clusters, 5)."""
    return np.column_stack([gains, sizes, gains**2, gains * sizes, sizes**2])


def _mean_and_error(sums: Floats, n: int) -> tuple[Floats, Floats]:
    """The mean over cases and its standard error, cluster by cluster. `sums` has the shape (5, ...)."""
    gains, sizes, squares, products, size_squares = sums
    mean = gains / sizes
    residual = np.maximum(squares - 2 * mean * products + mean**2 * size_squares, 0.0)
    return mean, np.sqrt(residual * n / (n - 1)) / sizes


def _resampled_sums(clusters: _Clusters) -> Floats:
    """The sums of each resample of whole clusters. Shape: (5, `RESAMPLES`).

    Clusters that are alike are drawn together, so that the order of the cases changes nothing.
    """
    kinds, times = np.unique(np.column_stack([clusters.gains, clusters.sizes]), axis=0, return_counts=True)
    columns = _columns(kinds[:, 0], kinds[:, 1])
    rng = np.random.default_rng(_SEED)
    rows = max(1, min(RESAMPLES, _AT_ONCE // len(clusters.sizes)))
    found = [
        _drawn(rng, times, min(rows, RESAMPLES - start)) @ columns for start in range(0, RESAMPLES, rows)
    ]
    return np.concatenate(found).T


def _drawn(rng: np.random.Generator, times: NDArray[np.intp], rows: int) -> NDArray[np.int64]:
    """How often each kind of cluster is in each resample. Shape: (`rows`, kinds)."""
    n, kinds = int(times.sum()), len(times)
    if kinds * _FASTER < n:
        return rng.multinomial(n, times / n, rows)
    kind = np.repeat(np.arange(kinds), times)[rng.integers(0, n, (rows, n))]
    return np.bincount((kind + kinds * np.arange(rows)[:, None]).ravel(), minlength=rows * kinds).reshape(
        rows, kinds
    )
