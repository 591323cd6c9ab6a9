"""Whether a candidate is better than a base on the same cases: paired, and clustered by document or conversation."""

import math
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from service.experiments.statistics.corrections import holm
from service.experiments.statistics.distributions import Floats, normal_quantile, normal_tail, t_quantile, t_tail
from service.experiments.statistics.proportions import mcnemar
from service.experiments.statistics.sequence import check_alpha

Result = Literal["pass", "fail", "cannot tell"]
RESAMPLES = 10_000
_SEED = 7
# With fewer pairs that differ, resampling says too little, and the exact test decides.
_FEWEST_PAIRS = 25
_ROWS = 500


@dataclass(frozen=True, slots=True)
class Comparison:
    """Candidate less base: the difference of the means, its interval, p against no difference, and the verdict.

    `p` is the exact McNemar test's where `is_exact`, else the bootstrap's; `mcnemar_p` is there where every score is 0 or 1
    and each case is a cluster of its own. `cases` and `clusters` are how many there were.
    """

    verdict: Result
    difference: float
    low: float
    high: float
    p: float
    mcnemar_p: float | None
    is_exact: bool
    cases: int
    clusters: int


def compare(
    base: Sequence[float],
    candidate: Sequence[float],
    clusters: Sequence[Hashable] | None = None,
    *,
    alpha: float = 0.05,
    margin: float = 0.0,
) -> Comparison:
    """Compare the scores of the same cases, in the same order.

    "pass": surely not worse by `margin` or more, and with a margin of 0, surely better; "fail": surely worse by more than
    `margin`; else "cannot tell". The interval is that of 10,000 resamples of whole clusters with a fixed seed
    (Efron and Tibshirani 1993), its tails widened as Student's t is for few clusters (Hesterberg 2015). Where
    scores are 0 or 1, cases are independent and few pairs differ, and `margin` is 0, the exact McNemar test decides.

    Raises `ValueError` for no cases, for lengths that differ, and for scores that are no numbers.
    """
    check_alpha(alpha)
    gains = _gains(base, candidate)
    totals, sizes = _by_cluster(gains, clusters)
    difference, low, high, p = _bootstrap(totals, sizes, alpha, margin)
    exact = _exact(base, candidate) if len(sizes) == len(gains) else None
    is_exact = exact is not None and exact[1] < _FEWEST_PAIRS and not margin
    if exact is not None and is_exact:
        p = exact[0]
    return Comparison(
        verdict=_verdict(difference, margin, p, alpha),
        difference=difference,
        low=low,
        high=high,
        p=p,
        mcnemar_p=exact[0] if exact else None,
        is_exact=is_exact,
        cases=len(gains),
        clusters=len(sizes),
    )
