"""What the arms' units did, as the statistics take it: a metric by arm, its effect, and how it went over time."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
import numpy.typing as npt

from service.experiments.statistics.arm import Arm
from service.experiments.statistics.decide import Plan, watch
from service.experiments.statistics.estimate import Estimate, Unmeasured, estimate
from service.experiments.statistics.power import progress_of
from service.experiments.totals import Indices, Numbers, Totals
from service.scope import Experiment, Metric

# The most looks that a chart of the sequence shows.
_LOOKS = 60


@dataclass(frozen=True, slots=True)
class ArmFigure:
    """A metric in an arm with its standard error, None where nothing can be said; the units and what was divided by."""

    value: float | None
    se: float | None
    units: int
    observations: float


@dataclass(frozen=True, slots=True)
class Look:
    """How the effect stood at a moment, with the bounds of the sequence then."""

    at: datetime
    difference: float
    low: float
    high: float
    units: int


@dataclass(frozen=True, slots=True)
class Data:
    """The totals of an experiment up to a moment, without the arms of epochs in which they were not what they should be.

    `before` is by the name of a total, for each unit, from before the experiment.
    `chosen` are the entries of a segment; None stands for all.
    """

    experiment: Experiment
    totals: Totals
    until: datetime
    faulty: frozenset[tuple[str, int]] = frozenset()
    before: Mapping[str, Numbers] | None = None
    chosen: npt.NDArray[np.bool_] | None = None

    @property
    def planned_end(self) -> datetime:
        """The end of the last planned day."""
        day = self.experiment.plan.ends
        return datetime.fromisoformat(f"{day}T00:00:00+00:00") + timedelta(days=1)

    def last(self, metric: Metric) -> datetime:
        """Up to when a metric reads: what came after the planned end is no part of the experiment."""
        return min(self.until, self.planned_end + timedelta(days=metric.window_days))

    def is_ended(self, metric: Metric) -> bool:
        """Whether everything of the planned time is there and has matured."""
        return self.until >= self.planned_end + timedelta(days=metric.window_days)

    def both(self, metric: Metric, until: datetime) -> tuple[Numbers, Numbers]:
        """What is divided and what it is divided by, for every entry."""
        sums, counts = (
            self.totals.of(total, metric.window_days, until=until)
            for total in (metric.numerator, metric.denominator)
        )
        return sums, counts

    def arm(self, name: str, metric: Metric, both: tuple[Numbers, Numbers]) -> Arm:
        """An arm as the statistics take it: the entries with something to divide or to divide by."""
        sums, counts = both
        mine = (self.totals.arms == name) & ((counts != 0) | (sums != 0))
        if self.chosen is not None:
            mine &= self.chosen
        for arm, epoch in self.faulty:
            mine &= ~((self.totals.arms == arm) & (self.totals.epochs == epoch))
        units = self.totals.units[mine]
        before = self._before(units, metric)
        return Arm(
            sums[mine],
            counts[mine],
            self.totals.epochs[mine],
            units=units,
            before=before[0] if before else None,
            before_counts=before[1] if before else None,
        )

    def _before(self, units: Indices, metric: Metric) -> tuple[Numbers, Numbers] | None:
        known = self.before or {}
        if metric.numerator not in known or metric.denominator not in known:
            return None
        return known[metric.numerator][units], known[metric.denominator][units]


def figure_of(
    data: Data, name: str, metric: Metric, effect: Estimate | Unmeasured, *, is_control: bool
) -> ArmFigure:
    """A metric in an arm. Where there is no effect to be had, it is the plain quotient without an error."""
    arm = data.arm(name, metric, data.both(metric, data.last(metric)))
    divided = float(arm.counts.sum())
    units = len(np.unique(arm.units)) if arm.units is not None else 0
    if isinstance(effect, Unmeasured):
        value = float(arm.sums.sum()) / divided if divided else None
        return ArmFigure(value, None, units, divided)
    value, se = (effect.control, effect.control_se) if is_control else (effect.treatment, effect.treatment_se)
    return ArmFigure(value, se, units, divided)


def effect_of(
    data: Data, treatment: str, metric: Metric, *, until: datetime | None = None
) -> Estimate | Unmeasured:
    """Treatment less control."""
    both = data.both(metric, until or data.last(metric))
    return estimate(data.arm(data.experiment.control, metric, both), data.arm(treatment, metric, both))


def progress(data: Data, effect: Estimate | Unmeasured) -> float:
    """1 where an effect of the primary metric of the planned size would be found with the planned power.

    Other metrics have other units: what they are tuned by is the progress of the primary one.
    """
    plan = data.experiment.plan
    return progress_of(effect, plan.effect, alpha=plan.alpha, power=plan.power, method=plan.method)


def looks_of(data: Data, treatment: str, metric: Metric, plan: Plan) -> list[Look]:
    """How the effect stood at up to 60 moments, evenly spread over what there is."""
    last, window = data.last(metric), timedelta(days=metric.window_days)
    ends = [end + window for end in data.totals.ends if end + window <= last]
    step = max(1, -(-len(ends) // _LOOKS))
    chosen = ends[::-1][::step][::-1]
    looks = []
    for moment in chosen:
        effect = effect_of(data, treatment, metric, until=moment)
        if isinstance(effect, Unmeasured):
            continue
        shown = watch(effect, progress(data, effect), plan.looking_alpha)
        looks.append(Look(moment, effect.difference, shown.low, shown.high, sum(effect.units)))
    return looks
