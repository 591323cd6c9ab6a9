"""The verdict on a metric, and the interval and p-value to show with it.

The hybrid looks with a confidence sequence all along, and makes one fixed test at the planned end; both together err
no more often than `alpha`. Knows neither sample ratios nor guardrails: where those fail, there is `no_verdict`.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

from service.experiments.statistics.corrections import benjamini_hochberg, holm
from service.experiments.statistics.distributions import normal_of_t
from service.experiments.statistics.estimate import Estimate, Unmeasured
from service.experiments.statistics.fixed import Inference, fixed
from service.experiments.statistics.relative import relative_interval
from service.experiments.statistics.sequence import always_valid_p, check_alpha, for_few_units, multiplier

Method = Literal["hybrid", "fixed", "sequence"]
Verdict = Literal["cannot tell", "running", "better", "worse", "no difference shown"]
Correction = Literal["holm", "benjamini-hochberg"]
Better = Literal["higher", "lower"]
# The part of alpha that the hybrid gives to looking; the rest is the test's at the end.
LOOKING = 0.2


@dataclass(frozen=True, slots=True)
class Plan:
    """How an experiment is judged. Raises `ValueError` for an `alpha` that is not between 0 and 1."""

    alpha: float = 0.05
    method: Method = "hybrid"

    def __post_init__(self) -> None:
        check_alpha(self.alpha)

    @property
    def looking_alpha(self) -> float:
        """The alpha of the sequence."""
        return self.alpha * LOOKING if self.method == "hybrid" else self.alpha


@dataclass(frozen=True, slots=True)
class Reading:
    """A metric as it stands: its effect, how much of the planned information there is, and which way is better.

    `progress` is 1 at the planned end, see `sequence`; `power.progress_of` tells it.
    """

    effect: Estimate | Unmeasured
    progress: float
    better: Better = "higher"


@dataclass(frozen=True, slots=True)
class Decision:
    """What to show. Without an interval there is nothing to show yet, and `reason` says why.

    The interval is that of treatment less control, and holds the truth with the chance `coverage`; `relative_low` and
    `relative_high` are the same as parts of the control's metric. `p` is to be held against the plan's alpha.
    `is_always_valid` tells whether interval and p may be looked at and acted on at any time.
    """

    verdict: Verdict
    low: float | None = None
    high: float | None = None
    relative_low: float | None = None
    relative_high: float | None = None
    coverage: float | None = None
    p: float | None = None
    is_always_valid: bool = False
    reason: str = ""


def no_verdict(reason: str) -> Decision:
    """The decision that nothing can be said, for a sample ratio that fails and for an effect that is not known yet."""
    return Decision("cannot tell", reason=reason)


def decide(reading: Reading, plan: Plan, *, is_ended: bool) -> Decision:
    """The verdict on one metric. `is_ended` says that the data reach the planned end, and no further.

    A verdict of "better" or "worse" before the end is final: whoever stops on it errs no more often than `alpha`.
    """
    return _decide(reading, plan, is_ended, plan.alpha)


def decide_family(
    readings: Mapping[str, Reading], plan: Plan, *, is_ended: bool, correction: Correction = "holm"
) -> dict[str, Decision]:
    """The verdicts on several metrics of one experiment, by name, so that many metrics don't make many errors.

    `holm` holds the chance of any wrong verdict at `alpha`, for primary metrics. `benjamini-hochberg` holds the share of
    wrong ones among the verdicts, for exploratory metrics. Each p is adjusted, and each interval has the coverage at
    which it agrees with the verdict. A metric of which nothing is known counts as one.
    """
    alone = {name: decide(reading, plan, is_ended=is_ended) for name, reading in readings.items()}
    found = [1.0 if one.p is None else one.p for one in alone.values()]
    adjust = holm if correction == "holm" else benjamini_hochberg
    corrected = adjust(found, plan.alpha)
    return {
        name: _with_p(_decide(readings[name], plan, is_ended, level), p)
        for name, level, p in zip(alone, corrected.levels, corrected.p, strict=True)
    }


def _with_p(decision: Decision, p: float) -> Decision:
    return decision if decision.p is None else replace(decision, p=p)


def _decide(reading: Reading, plan: Plan, is_ended: bool, level: float) -> Decision:
    """At `level` instead of the plan's alpha; the sequence stays tuned for the plan's."""
    effect = reading.effect
    if isinstance(effect, Unmeasured):
        return no_verdict(effect.reason)
    if plan.method == "fixed" and not is_ended:
        return Decision("running", reason="The fixed test is made once, at the planned end.")
    is_at_end = is_ended and plan.method != "sequence"
    shown = _tested(effect, plan, level) if is_at_end else _watched(effect, reading.progress, plan, level)
    if not math.isfinite(shown.high - shown.low):
        return no_verdict("There is too little of the planned information for any bounds yet.")
    relative = relative_interval(effect, (shown.high - shown.low) / (2 * effect.se))
    return Decision(
        verdict=_verdict(shown, reading.better, is_ended),
        low=shown.low,
        high=shown.high,
        relative_low=relative[0] if relative else None,
        relative_high=relative[1] if relative else None,
        coverage=shown.coverage,
        p=shown.p,
        is_always_valid=not is_at_end,
    )


def _tested(effect: Estimate, plan: Plan, level: float) -> Inference:
    share = 1 - LOOKING if plan.method == "hybrid" else 1.0
    found = fixed(effect, level * share)
    return replace(found, p=min(1.0, found.p / share))


def _watched(effect: Estimate, progress: float, plan: Plan, level: float) -> Inference:
    share = LOOKING if plan.method == "hybrid" else 1.0
    found = watch(effect, progress, level * share, tuned_for=plan.looking_alpha)
    return replace(found, p=min(1.0, found.p / share))


def watch(
    effect: Estimate, progress: float, alpha: float = 0.05, *, tuned_for: float | None = None
) -> Inference:
    """The confidence sequence around an effect. At no progress it may be infinitely wide."""
    tuned_for = alpha if tuned_for is None else tuned_for
    half = effect.se * float(for_few_units(multiplier(progress, alpha, tuned_for=tuned_for), effect.df))
    p = float(always_valid_p(normal_of_t(effect.t, effect.df), progress, tuned_for=tuned_for))
    return Inference(effect.difference - half, effect.difference + half, 1 - alpha, p)


def _verdict(shown: Inference, better: Better, is_ended: bool) -> Verdict:
    if shown.low <= 0 <= shown.high:
        return "no difference shown" if is_ended else "running"
    is_higher = shown.low > 0
    return "better" if is_higher == (better == "higher") else "worse"
