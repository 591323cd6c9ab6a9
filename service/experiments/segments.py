"""The primary metric among kinds of units, by what was known before they met an arm. For reading: it decides nothing."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from service.experiments.reading import Data, effect_of, progress
from service.experiments.statistics.decide import Decision, Plan, Reading, decide_family
from service.experiments.statistics.estimate import Estimate, Unmeasured
from service.experiments.timeline import Epoch
from service.scope import Metric

Mask = NDArray[np.bool_]
# By epoch and unit, the API key through which a unit met its arm first.
Callers = Mapping[tuple[int, str], str]
# The callers that are shown by name; the others are one segment.
_CALLERS = 4
_PREFIXES = {"s:": "known subjects", "c:": "conversations without a subject"}


@dataclass(frozen=True, slots=True, eq=False)
class Segment:
    """Some of the entries: what they have in common, and which they are."""

    kind: str
    name: str
    chosen: Mask


@dataclass(frozen=True, slots=True)
class SegmentFigure:
    """A segment's effect in one treatment, and what may be said of it."""

    kind: str
    name: str
    arm: str
    effect: Estimate | Unmeasured
    decision: Decision


def segments_of(data: Data, epochs: Sequence[Epoch], callers: Callers) -> list[Segment]:
    """Those by which the units can be told apart; a kind with one segment alone tells nothing."""
    kinds = (
        _by_epoch(data, epochs),
        _by_history(data),
        _by_unit(data),
        _by_caller(data, callers),
    )
    found = [[one for one in kind if one.chosen.any()] for kind in kinds]
    return [one for kind in found if len(kind) > 1 for one in kind]


def _by_epoch(data: Data, epochs: Iterable[Epoch]) -> list[Segment]:
    return [
        Segment("epoch", f"epoch {one.number}, {one.coverage:g} % covered", data.totals.epochs == one.number)
        for one in epochs
    ]


def _by_history(data: Data) -> list[Segment]:
    """Whether a subject asked in the weeks before the experiment; of conversations nobody can tell."""
    answers = (data.before or {}).get("answers")
    if answers is None:
        return []
    is_known = answers[data.totals.units] > 0
    is_subject = _begins(data, "s:")
    return [
        Segment("history", "asked in the four weeks before", is_known & is_subject),
        Segment("history", "new since then", ~is_known & is_subject),
    ]


def _by_unit(data: Data) -> list[Segment]:
    return [Segment("unit", name, _begins(data, prefix)) for prefix, name in _PREFIXES.items()]


def _begins(data: Data, prefix: str) -> Mask:
    of_unit = np.array([name.startswith(prefix) for name in data.totals.names], dtype=bool)
    found: Mask = of_unit[data.totals.units]
    return found


def _by_caller(data: Data, callers: Callers) -> Iterator[Segment]:
    names = data.totals.names
    places = zip(data.totals.epochs.tolist(), data.totals.units.tolist(), strict=True)
    whose = np.array([callers.get((epoch, names[unit]), "") for epoch, unit in places], dtype=np.str_)
    counts = Counter(callers.values())
    most = sorted(counts, key=lambda one: (-counts[one], one))[:_CALLERS]
    for caller in most:
        yield Segment("caller", f"key {caller}", whose == caller)
    yield Segment("caller", "other keys", (whose != "") & ~np.isin(whose, most))


def read_segments(data: Data, segments: Sequence[Segment], metric: Metric, plan: Plan) -> list[SegmentFigure]:
    """Each segment in each treatment. Many are looked at, so their intervals are those of Benjamini and Hochberg."""
    effects = {
        (number, arm): effect_of(replace(data, chosen=one.chosen), arm, metric)
        for number, one in enumerate(segments)
        for arm in data.experiment.treatments
    }
    readings = {
        f"{number}/{arm}": Reading(one, progress(data, one), metric.better)
        for (number, arm), one in effects.items()
    }
    decisions = decide_family(readings, plan, is_ended=data.is_ended(metric), correction="benjamini-hochberg")
    return [
        SegmentFigure(segments[number].kind, segments[number].name, arm, effect, decisions[f"{number}/{arm}"])
        for (number, arm), effect in effects.items()
    ]
