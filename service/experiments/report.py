"""The report on an experiment: what its arms did, whether the data can be trusted, and what may be concluded.

The same database and the same moment give the same report, to the byte.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from sqlalchemy import Engine

from service.experiments.counting import (
    count,
    count_before,
    count_exposures,
    find_callers,
)
from service.experiments.describe import Json, alarm_as_json, epoch_as_json
from service.experiments.integrity import Integrity, integrity_of
from service.experiments.reading import (
    Data,
    Look,
    effect_of,
    figure_of,
    looks_of,
    progress,
)
from service.experiments.report_values import (
    decision_as_json,
    figure_as_json,
    guard_as_json,
    look_as_json,
    rounded,
    told_as_json,
)
from service.experiments.segments import Callers, Segment, SegmentFigure, read_segments, segments_of
from service.experiments.span import of_experiment
from service.experiments.statistics.decide import Decision, Plan, Reading, decide_family, no_verdict
from service.experiments.statistics.estimate import Estimate, Unmeasured
from service.experiments.statistics.guardrail import guard_margin
from service.experiments.store import read_alarms
from service.experiments.timeline import Epoch, RunningExperiment
from service.experiments.totals import Bucket, bucket_for, mixed_of
from service.experiments.words import blocked, breached, told
from service.scope import Metric

# Time before the experiment that tells what a unit does anyway.
BEFORE = timedelta(days=28)
# Shown beside a metric that only some people report.
_BESIDE = {
    "thumbs_up_rate": "response_rate",
    "mean_rating": "response_rate",
    "resolved_rate": "observed_rate",
}
# Which stages a report can be about: the one that decides, and the few who went before.
STAGES = {"ab": ("ab",), "canary": ("canary",), "shadow": ("shadow", "unseen")}


@dataclass(frozen=True, slots=True)
class Question:
    """What a report is about: an experiment, its metrics, a stage, and the moment up to which data count."""

    running: RunningExperiment
    metrics: Mapping[str, Metric]
    as_of: datetime
    stage: str = "ab"

    @property
    def epochs(self) -> list[Epoch]:
        """Those that had been opened by then."""
        return [one for one in self.running.epochs if one.created_at <= self.as_of]

    @property
    def names(self) -> list[str]:
        """The metrics shown, the primary one first."""
        declared = self.running.declared
        always = ["answers_per_unit", "degraded_rate", "abstained_rate", "total_s", "cost_per_answer"]
        named = [*declared.metrics, *(_BESIDE[one] for one in declared.metrics if one in _BESIDE), *always]
        return list(dict.fromkeys(name for name in named if name in self.metrics))


def report_of(engine: Engine, question: Question) -> Json:
    """The whole report as JSON has it; floats have ten digits."""
    running, as_of = question.running, question.as_of
    data = _data(engine, question)
    alarms = [one for one in read_alarms(engine, running.name) if one.created_at <= as_of]
    integrity = integrity_of(
        running,
        count_exposures(engine, running.name, as_of),
        # In the shadow stage all arms answer the same units.
        (0, 0) if question.stage == "shadow" else mixed_of(data.totals),
        alarms,
    )
    data = replace(data, faulty=integrity.faulty)
    segments = segments_of(data, question.epochs, _callers(engine, question))
    report = {
        **_assembled(question, data, integrity),
        "alarms": [alarm_as_json(one) for one in alarms],
        "segments": _segments(question, data, segments, integrity),
    }
    found: Json = rounded(report)
    return found


def _callers(engine: Engine, question: Question) -> Callers:
    """None where the unit is the caller itself."""
    running = question.running
    return {} if running.declared.unit == "tenant" else find_callers(engine, running.name, question.as_of)


def _segments(
    question: Question, data: Data, segments: Sequence[Segment], integrity: Integrity
) -> list[Json]:
    declared = question.running.declared
    plan = Plan(declared.plan.alpha, declared.plan.method)
    found = read_segments(data, segments, question.metrics[declared.primary], plan)
    return [_segment(one, integrity) for one in found]


def _segment(one: SegmentFigure, integrity: Integrity) -> Json:
    effect = one.effect if isinstance(one.effect, Estimate) else None
    decision = no_verdict(integrity.problem) if integrity.problem else one.decision
    return {
        "kind": one.kind,
        "segment": one.name,
        "arm": one.arm,
        "control": effect.control if effect else None,
        "treatment": effect.treatment if effect else None,
        "units": sum(effect.units) if effect else 0,
        **decision_as_json(decision),
    }


def _data(engine: Engine, question: Question) -> Data:
    running, as_of = question.running, question.as_of
    begun = running.epochs[0].begins_at
    span = of_experiment(running.name, STAGES[question.stage], as_of, _bucket(running, as_of))
    metrics = [question.metrics[name] for name in question.names]
    totals = count(engine, span, metrics)
    before = count_before(
        engine, running.declared.assistant, begun - BEFORE, begun, metrics=metrics, units=totals.names
    )
    return Data(running.declared, totals, as_of, before=before)


def _bucket(running: RunningExperiment, as_of: datetime) -> Bucket:
    return bucket_for(as_of - min(running.epochs[0].begins_at, as_of))


def _assembled(question: Question, data: Data, integrity: Integrity) -> Json:
    declared, running = question.running.declared, question.running
    plan = Plan(declared.plan.alpha, declared.plan.method)
    primary = question.metrics[declared.primary]
    found = {
        (name, arm): effect_of(data, arm, question.metrics[name])
        for name in question.names
        for arm in declared.treatments
    }
    effects = {arm: found[declared.primary, arm] for arm in declared.treatments}
    guardrails = _guardrails(question, data, plan, found)
    looks = {arm: looks_of(data, arm, primary, plan) for arm in declared.treatments}
    decisions = _decisions(question, data, plan, effects, integrity)
    if not integrity.problem:
        decisions = _kept(decisions, looks, primary, plan)
    return {
        "experiment": running.name,
        "hypothesis": declared.hypothesis,
        "assistant": declared.assistant,
        "unit": declared.unit,
        "stage": question.stage,
        "state": running.state_at(question.as_of),
        "as_of": question.as_of.isoformat(),
        "digest": declared.digest,
        "plan": {
            **declared.plan.model_dump(mode="json"),
            "primary": declared.primary,
            "control": declared.control,
        },
        "conclusions": [
            _conclusion(question, arm, decisions[arm], guardrails, integrity) for arm in declared.treatments
        ],
        "metrics": _metrics(question, data, plan, found, decisions, integrity),
        "effects": [
            {**decision_as_json(decisions[arm]), "arm": arm, "progress": progress(data, effects[arm])}
            for arm in declared.treatments
        ],
        "sequence": {arm: [look_as_json(look) for look in found_looks] for arm, found_looks in looks.items()},
        "guardrails": guardrails,
        "integrity": integrity.as_json(),
        "maturity": _maturity(data, primary),
        "epochs": [epoch_as_json(epoch) for epoch in question.epochs],
    }


def _decisions(
    question: Question,
    data: Data,
    plan: Plan,
    effects: Mapping[str, Estimate | Unmeasured],
    integrity: Integrity,
) -> dict[str, Decision]:
    """The verdict on each treatment, by Holm against the control where there are several."""
    primary = question.metrics[question.running.declared.primary]
    readings = {
        arm: Reading(effect, progress(data, effect), primary.better) for arm, effect in effects.items()
    }
    if integrity.problem:
        return {arm: no_verdict(integrity.problem) for arm in readings}
    return decide_family(readings, plan, is_ended=data.is_ended(primary))


def _kept(
    decisions: Mapping[str, Decision], looks: Mapping[str, Sequence[Look]], metric: Metric, plan: Plan
) -> dict[str, Decision]:
    """A verdict that was reached by looking stays, whatever came later; of several treatments none is kept, since their
    looks aren't corrected for each other."""
    if plan.method == "fixed" or len(decisions) > 1:
        return dict(decisions)
    return {arm: _with_first(one, looks[arm], metric) for arm, one in decisions.items()}


def _with_first(decision: Decision, looks: Sequence[Look], metric: Metric) -> Decision:
    crossed = next((look for look in looks if not look.low <= 0 <= look.high), None)
    if crossed is None or decision.verdict not in ("running", "no difference shown"):
        return decision
    is_better = (crossed.low > 0) == (metric.better == "higher")
    reason = (
        f"That was shown by the look of {crossed.at:%d %B %Y}, and a verdict reached by looking stays, although the interval of"
        " today holds no difference too."
    )
    return replace(decision, verdict="better" if is_better else "worse", reason=reason)


# By metric and treatment.
_Effects = Mapping[tuple[str, str], Estimate | Unmeasured]


def _guardrails(question: Question, data: Data, plan: Plan, effects: _Effects) -> list[Json]:
    found = []
    for name, guardrail in question.running.declared.guardrails.items():
        metric = question.metrics[name]
        for arm in question.running.declared.treatments:
            reached = progress(data, effects[question.running.declared.primary, arm])
            reading = Reading(effects[name, arm], reached, metric.better)
            guard = guard_margin(reading, guardrail.margin, alpha=plan.alpha)
            found.append({"metric": name, "arm": arm, "margin": guardrail.margin, **guard_as_json(guard)})
    return found


def _conclusion(
    question: Question, arm: str, decision: Decision, guardrails: Sequence[Json], integrity: Integrity
) -> Json:
    declared = question.running.declared
    broken = [one for one in guardrails if one["arm"] == arm and one["state"] == "breached"]
    if integrity.problem:
        found = blocked(integrity.problem)
    elif broken:
        found = breached(arm, declared.control, broken[0], question.metrics[broken[0]["metric"]])
    else:
        found = told(arm, declared.control, declared.primary, question.metrics[declared.primary], decision)
    return {"arm": arm, **told_as_json(found)}


def _metrics(
    question: Question,
    data: Data,
    plan: Plan,
    effects: _Effects,
    primary: Mapping[str, Decision],
    integrity: Integrity,
) -> list[Json]:
    """Every metric in every arm, with its differences; of those that decide nothing by Benjamini and Hochberg."""
    declared = question.running.declared
    readings = {
        f"{name}/{arm}": Reading(
            effect, progress(data, effects[declared.primary, arm]), question.metrics[name].better
        )
        for (name, arm), effect in effects.items()
        if name != declared.primary
    }
    is_ended = all(data.is_ended(question.metrics[name]) for name in question.names)
    others = decide_family(readings, plan, is_ended=is_ended, correction="benjamini-hochberg")
    if integrity.problem:
        others = {name: no_verdict(integrity.problem) for name in others}
    found = {**others, **{f"{declared.primary}/{arm}": one for arm, one in primary.items()}}
    return [
        _metric(
            question,
            data,
            name,
            {arm: effects[name, arm] for arm in declared.treatments},
            {arm: found[f"{name}/{arm}"] for arm in declared.treatments},
        )
        for name in question.names
    ]


def _metric(
    question: Question,
    data: Data,
    name: str,
    effects: Mapping[str, Estimate | Unmeasured],
    decisions: Mapping[str, Decision],
) -> Json:
    metric, control = question.metrics[name], question.running.declared.control
    first = next(iter(effects.values()))
    figures = {control: figure_of(data, control, metric, first, is_control=True)}
    for arm, effect in effects.items():
        figures[arm] = figure_of(data, arm, metric, effect, is_control=False)
    return {
        "metric": name,
        "description": metric.description,
        "unit": metric.unit,
        "better": metric.better,
        "window_days": metric.window_days,
        "role": _role(question, name),
        "arms": {arm: figure_as_json(figure) for arm, figure in figures.items()},
        "differences": {arm: decision_as_json(one) for arm, one in decisions.items()},
    }


def _role(question: Question, name: str) -> str:
    declared = question.running.declared
    if name == declared.primary:
        return "primary"
    return "guardrail" if name in declared.guardrails else "secondary"


def _maturity(data: Data, metric: Metric) -> Json:
    """How much of what is counted is old enough for the primary metric."""
    last = data.last(metric)
    everything = data.totals.of(
        metric.denominator, metric.window_days, until=datetime.max.replace(tzinfo=UTC)
    )
    mature = data.totals.of(metric.denominator, metric.window_days, until=last)
    return {
        "window_days": metric.window_days,
        "observations": float(everything.sum()),
        "mature": float(mature.sum()),
        "ends": data.planned_end.isoformat(),
        "is_ended": data.is_ended(metric),
    }
