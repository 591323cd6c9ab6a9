"""What stops a treatment that does harm, at any time: more errors than the baseline, or a metric worse than its margin.

Both are e-processes: however often one looks, a harmless treatment is stopped with a chance of at most `alpha`. They can ask
for a pause or an end and for nothing else: nothing here makes a treatment larger.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from service.experiments.statistics.decide import Reading
from service.experiments.statistics.distributions import Floats, log_sum_exp, normal_of_t
from service.experiments.statistics.estimate import Unmeasured
from service.experiments.statistics.sequence import (
    check_alpha,
    for_few_units,
    one_sided_multiplier,
    one_sided_p,
)

Action = Literal["pause", "abort"]
State = Literal["breached", "holds", "cannot tell"]
# How many times the tolerated error rate is looked for, all equally likely at first.
_TIMES = (2.0, 3.0, 5.0)


@dataclass(frozen=True, slots=True)
class Traffic:
    """Requests and errors of the canary and of the baseline beside it, in a stretch of time with one split.

    Count each unit once, not each request, where errors come in bursts. Raises `ValueError` for impossible counts.
    """

    canary_requests: int
    canary_errors: int
    baseline_requests: int
    baseline_errors: int

    def __post_init__(self) -> None:
        possible = 0 <= self.canary_errors <= self.canary_requests
        if not (possible and 0 <= self.baseline_errors <= self.baseline_requests):
            raise ValueError(f"{self!r} is impossible. Give errors from 0 up to the requests.")


@dataclass(frozen=True, slots=True)
class CanaryGuard:
    """Whether the canary makes too many errors, the always valid p-value of it, and what to do about it."""

    state: State
    p: float
    action: Action | None
    canary_errors: int
    expected_errors: float


def guard_canary(windows: Sequence[Traffic], *, tolerated: float = 1.0, alpha: float = 0.05) -> CanaryGuard:
    """Of all errors so far, how many came from the canary? More than its share of the requests explains, and it is aborted.

    An error comes from the canary with the chance of its share of the requests, if its error rate is the baseline's, or
    `tolerated` times as high. Against it stand rates 2, 3 and 5 times as high as that, mixed evenly; errors are rare
    or not, the binomial likelihood ratio is an e-value given the requests of a window (Hoeffding 1963, theorem 4).
    Give a window for each epoch, or shorter ones. `expected_errors` is what the canary would have at the tolerated rate.

    Without errors it is "cannot tell"; it never says "holds". Raises `ValueError` for an impossible `alpha` or `tolerated`.
    """
    check_alpha(alpha)
    if not (math.isfinite(tolerated) and tolerated > 0):
        raise ValueError(
            f"tolerated is {tolerated!r}. Give how many times the baseline's rate is tolerated, such as 1."
        )
    known = [one for one in windows if one.canary_requests and one.baseline_requests]
    logs = sum((_log_ratios(one, tolerated) for one in known), np.zeros(len(_TIMES)))
    p = math.exp(-max(0.0, log_sum_exp(logs) - math.log(len(_TIMES))))
    is_breached = p <= alpha
    return CanaryGuard(
        state="breached" if is_breached else "cannot tell",
        p=p,
        action="abort" if is_breached else None,
        canary_errors=sum(one.canary_errors for one in known),
        expected_errors=sum(
            (one.canary_errors + one.baseline_errors) * _share(one, tolerated) for one in known
        ),
    )


def _share(window: Traffic, times: float) -> float:
    """The chance that an error is the canary's, if it errs `times` as often."""
    weighed = window.canary_requests * times
    return weighed / (weighed + window.baseline_requests)


def _log_ratios(window: Traffic, tolerated: float) -> Floats:
    usual = _share(window, tolerated)
    higher = np.array([_share(window, tolerated * times) for times in _TIMES])
    of_canary, of_baseline = np.log(higher / usual), np.log((1 - higher) / (1 - usual))
    found: Floats = window.canary_errors * of_canary + window.baseline_errors * of_baseline
    return found


@dataclass(frozen=True, slots=True)
class MarginGuard:
    """Whether a metric is worse by more than its margin.

    `harm` is by how much it is worse, in its own unit; `least` and `most` bound it, each at any time. `p` is the always
    valid p-value against "worse by no more than the margin", `p_holds` against "worse by the margin or more".
    """

    state: State
    action: Action | None = None
    harm: float | None = None
    least: float | None = None
    most: float | None = None
    p: float | None = None
    p_holds: float | None = None
    reason: str = ""


def guard_margin(reading: Reading, margin: float, *, alpha: float = 0.05) -> MarginGuard:
    """Hold a metric, of means or of quotients, against a non-inferiority margin in its own unit.

    "breached" when it is surely worse by more, and then it is to be paused; "holds" when it is surely not; "cannot tell"
    until then. Each is wrong with a chance of at most `alpha` over all looks: one-sided confidence sequences.
    Raises `ValueError` for a margin below 0.
    """
    if not (math.isfinite(margin) and margin >= 0):
        raise ValueError(f"margin is {margin!r}. Give how much worse the metric may get, 0 or more.")
    effect = reading.effect
    if isinstance(effect, Unmeasured):
        return MarginGuard("cannot tell", reason=effect.reason)
    harm = -effect.difference if reading.better == "higher" else effect.difference
    half = effect.se * float(for_few_units(one_sided_multiplier(reading.progress, alpha), effect.df))
    if not math.isfinite(half):
        return MarginGuard(
            "cannot tell", reason="There is too little of the planned information for any bounds yet."
        )
    least, most = harm - half, harm + half
    above = float(normal_of_t((harm - margin) / effect.se, effect.df))
    state: State = "breached" if least > margin else "holds" if most < margin else "cannot tell"
    return MarginGuard(
        state=state,
        action="pause" if state == "breached" else None,
        harm=harm,
        least=least,
        most=most,
        p=float(one_sided_p(above, reading.progress, tuned_for=alpha)),
        p_holds=float(one_sided_p(-above, reading.progress, tuned_for=alpha)),
    )
