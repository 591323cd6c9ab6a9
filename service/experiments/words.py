"""What may be concluded, in plain words. Knows numbers and verdicts, and no data."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from service.experiments import figures
from service.experiments.statistics.decide import Decision
from service.scope import Metric

_PERCENT = 100
_EVEN_NUMBERS = 4


def shown(value: float, metric: Metric, *, is_difference: bool = False) -> str:
    """A figure with its unit: percent for shares, percentage points for their differences."""
    if metric.unit == "share":
        unit = " points" if is_difference else " %"
        return f"{value * _PERCENT:.1f}{unit}"
    if metric.unit == "s":
        return f"{value:.3f} s"
    return f"{value:.{_EVEN_NUMBERS}g}"


@dataclass(frozen=True, slots=True)
class Told:
    """A verdict as a person reads it: its code, what may be concluded, and what may not."""

    code: str
    sentence: str
    may_not: str


def told(arm: str, control: str, name: str, metric: Metric, decision: Decision) -> Told:
    """The verdict on one treatment."""
    if decision.low is None or decision.high is None:
        return Told("cannot tell", f"Nothing can be said of {arm!r} yet. {decision.reason}".strip(), _NOT_YET)
    digits = figures.decimals(decision.low, decision.high, metric.unit)
    low = figures.change(decision.low, metric.unit, digits, has_unit=False)
    high = figures.change(decision.high, metric.unit, digits)
    sure = f"between {low} and {high}, {round((decision.coverage or 0) * _PERCENT, 1):g} % sure"
    if decision.verdict in ("better", "worse"):
        sentence = (
            f"{arm!r} is {decision.verdict} than {control!r}: its {name} differs by {sure}."
            f" {decision.reason or _odds(decision)}"
        )
        return Told(decision.verdict, sentence, _NO_MORE)
    if decision.verdict == "no difference shown":
        sentence = f"The experiment is over, and shows no difference of {name} between {arm!r} and {control!r}: it is {sure}."
        return Told(decision.verdict, sentence, _NOT_EQUAL)
    sentence = (
        f"Nothing may be concluded yet: the difference of {name} between {arm!r} and {control!r} is {sure}."
    )
    return Told("running", sentence, _NOT_YET)


def _odds(decision: Decision) -> str:
    p = decision.p if decision.p is not None else 1.0
    seldom = "10,000" if p < 1e-4 else f"{max(1, int(1 / p)):,}"
    return f"Chance alone shows that less often than once in {seldom} experiments."


def blocked(problem: str) -> Told:
    """That the data can't be trusted."""
    return Told("no verdict", f"Nothing may be concluded: {problem[0].lower()}{problem[1:]}", _NOTHING)


def breached(arm: str, control: str, guard: Mapping[str, Any], metric: Metric) -> Told:
    """That a guardrail is broken, whatever the primary metric says."""
    least, margin = (figures.size(float(guard[name]), metric.unit) for name in ("least", "margin"))
    sentence = (
        f"{arm!r} does harm: its {guard['metric']} is worse than that of {control!r} by at least {least}, and {margin} were"
        " allowed. Don't promote it."
    )
    return Told("harm", sentence, _STILL_HARM)


_NOTHING = "No figure of this page may be used, also not those that look good."
_STILL_HARM = "It may not be said that a better primary metric makes up for it: that was decided before."
_NOT_YET = (
    "It may not be said that the arms are alike, nor which is better; the figures will move. Looking again does no"
    " harm: the bounds are made for it."
)
_NO_MORE = (
    "It may not be said that the difference is exactly the one in the middle, that it holds for other assistants or in"
    " other months, or that the metrics below the primary one, which decide nothing, are proved."
)
_NOT_EQUAL = "It may not be said that the arms are equal: differences within the interval are still possible."
