"""Values of the report as JSON has them."""

from collections.abc import Mapping
from typing import Any

from service.experiments.describe import Json
from service.experiments.reading import ArmFigure, Look
from service.experiments.statistics.decide import Decision
from service.experiments.statistics.guardrail import MarginGuard
from service.experiments.words import Told

_Z95 = 1.959964
_DIGITS = 10


def guard_as_json(guard: MarginGuard) -> Json:
    """A guardrail."""
    return {
        "state": guard.state,
        "harm": guard.harm,
        "least": guard.least,
        "most": guard.most,
        "p": guard.p,
        "reason": guard.reason,
    }


def told_as_json(found: Told) -> Json:
    """A conclusion."""
    return {"code": found.code, "sentence": found.sentence, "may_not": found.may_not}


def figure_as_json(figure: ArmFigure) -> Json:
    """A metric in an arm, with the 95 % interval where there is one."""
    low = high = None
    if figure.value is not None and figure.se is not None:
        low, high = figure.value - _Z95 * figure.se, figure.value + _Z95 * figure.se
    return {
        "value": figure.value,
        "low": low,
        "high": high,
        "units": figure.units,
        "observations": figure.observations,
    }


def decision_as_json(one: Decision) -> Json:
    """A verdict with its interval."""
    return {
        "verdict": one.verdict,
        "low": one.low,
        "high": one.high,
        "difference": (one.low + one.high) / 2 if one.low is not None and one.high is not None else None,
        "relative_low": one.relative_low,
        "relative_high": one.relative_high,
        "coverage": one.coverage,
        "p": one.p,
        "always_valid": one.is_always_valid,
        "reason": one.reason,
    }


def look_as_json(look: Look) -> Json:
    """A point of the sequence."""
    return {
        "at": look.at.isoformat(),
        "difference": look.difference,
        "low": look.low,
        "high": look.high,
        "units": look.units,
    }


def rounded(value: Any) -> Any:
    """Ten significant digits: what a processor adds in another order doesn't show. Infinite bounds are none."""
    if isinstance(value, float):
        return float(f"{value:.{_DIGITS}g}") if abs(value) != float("inf") and value == value else None
    if isinstance(value, Mapping):
        return {key: rounded(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [rounded(one) for one in value]
    return value
