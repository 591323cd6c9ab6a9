"""How many units and days an experiment takes, from the answers of the last four weeks."""

import math
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np
from sqlalchemy import Engine

from service.experiments.counting import count
from service.experiments.span import of_traffic
from service.experiments.statistics.power import days, units_for_means
from service.experiments.words import shown
from service.scope import Experiment, Metric

_LOOKED_AT = timedelta(days=28)
_FEWEST = 30


@dataclass(frozen=True, slots=True)
class Forecast:
    """What the traffic says: the units of a day, the metric today, and what an experiment takes. None: it can't be told."""

    units_seen: int
    units_a_day: float
    value: float | None
    units_an_arm: int | None
    days: float | None
    sentence: str

    def as_json(self) -> dict[str, Any]:
        """As the API shows it."""
        return {
            "units_seen": self.units_seen,
            "units_a_day": round(self.units_a_day, 3),
            "value": self.value,
            "units_an_arm": self.units_an_arm,
            "days": None if self.days is None or math.isinf(self.days) else round(self.days, 1),
            "sentence": self.sentence,
        }


def forecast(engine: Engine, experiment: Experiment, metric: Metric, now: datetime) -> Forecast:
    """Read the assistant's traffic and do the arithmetic.

    The deviation is that between units of (Σx − R·Σy) / mean(y), the linearised quotient (Deng, Knoblich and Lu 2018), so
    that units with many answers count as the clusters they are.
    """
    window = timedelta(days=metric.window_days)
    since, until = now - window - _LOOKED_AT, now
    totals = count(engine, of_traffic(experiment.assistant, experiment.unit, since, until), [metric])
    sums, counts = (
        totals.of(total, metric.window_days, until=now) for total in (metric.numerator, metric.denominator)
    )
    counted = (counts != 0) | (sums != 0)
    sums, counts = sums[counted], counts[counted]
    a_day = len(sums) / (_LOOKED_AT / timedelta(days=1))
    if len(sums) < _FEWEST or not counts.sum():
        sentence = f"{len(sums)} units with this metric in the last four weeks are too few to plan from, of {_FEWEST} at least."
        return Forecast(len(sums), a_day, None, None, None, sentence)
    value = float(sums.sum() / counts.sum())
    deviation = float(np.std((sums - value * counts) / counts.mean(), ddof=1))
    return _arithmetic(experiment, metric, len(sums), a_day, value, deviation)


def _arithmetic(
    experiment: Experiment, metric: Metric, seen: int, a_day: float, value: float, deviation: float
) -> Forecast:
    plan = experiment.plan
    units = math.ceil(
        units_for_means(deviation, plan.effect, alpha=plan.alpha, power=plan.power, method=plan.method)
    )
    weights = {arm: one.weight for arm, one in experiment.arms.items()}
    took = days(units, a_day, weights, experiment.coverage / 100)
    effect = shown(plan.effect, metric, is_difference=True)
    told = "never" if math.isinf(took) else f"after {math.ceil(took)} days"
    sentence = (
        f"{experiment.primary} is {shown(value, metric)} today. A difference of {effect} shows with {units:,} units in each"
        f" arm, which {a_day:.1f} units a day reach {told}."
    )
    return Forecast(seen, a_day, value, units, took, sentence)
