"""What an operator does with an experiment: start, ramp, pause, resume, stop, promote. Each opens an epoch.

Whoever watches by himself, such as the guardrails, may pause and nothing else.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import Engine

from service.errors import ConflictError, InvalidRequestError, NotFoundError
from service.experiments.store import add_epoch, declare, read_experiment, read_experiments
from service.experiments.timeline import ENDED, Epoch, EpochStage, RunningExperiment
from service.scope import Experiment, Scope
from service.scope.experiments import STAGES, Stage

# Every process reads the new epoch before it begins.
LEAD_S = 5.0
_PERCENT = 100.0


@dataclass(frozen=True, slots=True)
class Actor:
    """Who does it and why; `lead_s` is the time until an epoch begins, in seconds."""

    name: str
    reason: str
    lead_s: float = LEAD_S
    now: datetime | None = None

    @property
    def moment(self) -> datetime:
        """When it is done."""
        return self.now or datetime.now(UTC)


def start(engine: Engine, scope: Scope, name: str, actor: Actor) -> Epoch:
    """Begin the first stage. Raises `NotFoundError`, `ConflictError`, `InvalidRequestError`."""
    experiment, known = _declared(engine, scope, name)
    if known and known.epochs:
        raise ConflictError(f"The experiment {name!r} was started already. Ramp or resume it.", param="name")
    if experiment.plan.ends <= actor.moment.date():
        raise InvalidRequestError(
            f"The planned end {experiment.plan.ends} of the experiment {name!r} is over. Plan a later one.",
            param="plan.ends",
        )
    _check_alone(engine, name, experiment, actor.moment)
    variants = {arm: scope.variants[one.variant].digest for arm, one in experiment.arms.items()}
    declare(engine, name, experiment, variants, actor=actor.name, now=actor.moment)
    stage = experiment.stages[0]
    weights = {arm: one.weight for arm, one in experiment.arms.items()}
    return _open(engine, name, (), actor, stage, experiment.coverage_of(stage), weights)


def _declared(engine: Engine, scope: Scope, name: str) -> tuple[Experiment, RunningExperiment | None]:
    """What the scope declares, else what the API did; what runs is what it was started with."""
    known = read_experiment(engine, name)
    if known and known.epochs:
        return known.declared, known
    experiment = scope.experiments.get(name) or (known.declared if known else None)
    if experiment is None:
        raise NotFoundError(f"There is no experiment {name!r}. Declare it in the scope file or by the API.")
    return experiment, known


def _check_alone(engine: Engine, name: str, experiment: Experiment, now: datetime) -> None:
    """Raise `ConflictError` where another one runs for the same people."""
    for other in read_experiments(engine).values():
        if other.name == name or other.declared.assistant != experiment.assistant or not other.epochs:
            continue
        if other.epochs[-1].stage in ENDED:
            continue
        mine, theirs = experiment.layer, other.declared.layer
        if mine and theirs and mine.name == theirs.name and not mine.overlaps(theirs):
            continue
        raise ConflictError(
            f"The experiment {other.name!r} runs for the same assistant. Stop it, or give both separate parts of one"
            " `layer`.",
            param="layer",
        )


def ramp(
    engine: Engine,
    name: str,
    actor: Actor,
    *,
    stage: Stage | None = None,
    coverage: float | None = None,
    weights: Mapping[str, float] | None = None,
) -> Epoch:
    """Go to another stage, or another coverage or split; without any of them, to the next stage."""
    one, last = _running(engine, name)
    if stage is None and coverage is None and weights is None:
        stage = _next_stage(one, last)
    target: EpochStage = stage or last.stage
    if target == "paused":
        raise ConflictError(f"The experiment {name!r} is paused. Resume it first.", param="name")
    if stage and stage not in one.declared.stages:
        raise InvalidRequestError(
            f"The experiment {name!r} has the stages {one.declared.stages}, not {stage!r}.", param="stage"
        )
    split = _checked(one, weights) if weights else dict(last.weights)
    covered = coverage if coverage is not None else _coverage(one, target, last)
    if not 0 < covered <= _PERCENT:
        raise InvalidRequestError(
            f"A coverage of {covered:g} percent is not above 0 and up to 100.", param="coverage"
        )
    return _open(engine, name, one.epochs, actor, target, covered, split)


def _next_stage(one: RunningExperiment, last: Epoch) -> Stage:
    before = STAGES.index(last.stage) if last.stage in STAGES else -1
    later = [stage for stage in one.declared.stages if STAGES.index(stage) > before]
    if not later:
        raise ConflictError(
            f"The experiment {one.name!r} is in its last stage {last.stage!r}. Promote an arm, or stop it.",
            param="stage",
        )
    return later[0]


def _coverage(one: RunningExperiment, stage: EpochStage, last: Epoch) -> float:
    if stage == last.stage:
        return last.coverage
    return one.declared.coverage_of(stage) if stage in STAGES else _PERCENT


def _checked(one: RunningExperiment, weights: Mapping[str, float]) -> dict[str, float]:
    """The weights in the order of the arms. An arm with none gets 0 percent."""
    unknown = sorted(set(weights) - set(one.declared.arms))
    if unknown:
        raise InvalidRequestError(
            f"The experiment {one.name!r} has no arm {unknown[0]!r}: {list(one.declared.arms)}.",
            param="weights",
        )
    split = {arm: float(weights.get(arm, 0.0)) for arm in one.declared.arms}
    if min(split.values()) < 0 or abs(sum(split.values()) - _PERCENT) > 1e-6:
        raise InvalidRequestError(
            f"The weights {split} don't add up to 100 percent, each from 0 on.", param="weights"
        )
    return split


def pause(engine: Engine, name: str, actor: Actor) -> Epoch:
    """Everybody gets the assistant's own variant again, until it is resumed. It holds at once."""
    one, last = _running(engine, name)
    if last.stage == "paused":
        return last
    return _open(engine, name, one.epochs, _at_once(actor), "paused", last.coverage, last.weights)


def resume(engine: Engine, name: str, actor: Actor) -> Epoch:
    """Go on with the stage, the coverage and the split from before the pause."""
    one, last = _running(engine, name)
    if last.stage != "paused":
        raise ConflictError(
            f"The experiment {name!r} isn't paused; it is in the stage {last.stage!r}.", param="name"
        )
    before = [epoch for epoch in one.epochs if epoch.stage != "paused"][-1]
    return _open(engine, name, one.epochs, actor, before.stage, before.coverage, before.weights)


def stop(engine: Engine, name: str, actor: Actor) -> Epoch:
    """End it for good: everybody gets the assistant's own variant. It holds at once."""
    one, last = _running(engine, name)
    return _open(engine, name, one.epochs, _at_once(actor), "stopped", last.coverage, last.weights)


def promote(engine: Engine, name: str, actor: Actor, arm: str) -> Epoch:
    """Everybody who isn't held out gets an arm, until its variant stands in the scope file and this is stopped."""
    one, _ = _running(engine, name)
    if arm not in one.declared.arms:
        raise InvalidRequestError(
            f"The experiment {name!r} has no arm {arm!r}: {list(one.declared.arms)}.", param="arm"
        )
    weights = {other: _PERCENT if other == arm else 0.0 for other in one.declared.arms}
    return _open(engine, name, one.epochs, actor, "promoted", _PERCENT, weights)


def _at_once(actor: Actor) -> Actor:
    return Actor(actor.name, actor.reason, 0.0, actor.now)


def _running(engine: Engine, name: str) -> tuple[RunningExperiment, Epoch]:
    one = read_experiment(engine, name)
    if one is None or not one.epochs:
        raise NotFoundError(f"The experiment {name!r} was not started. Start it first.")
    last = one.epochs[-1]
    if last.stage == "stopped":
        raise ConflictError(
            f"The experiment {name!r} was stopped. Declare another one with a new name.", param="name"
        )
    return one, last


def _open(
    engine: Engine,
    name: str,
    epochs: tuple[Epoch, ...],
    actor: Actor,
    stage: EpochStage,
    coverage: float,
    weights: Mapping[str, float],
) -> Epoch:
    number = epochs[-1].number + 1 if epochs else 1
    begins_at = actor.moment + timedelta(seconds=actor.lead_s)
    epoch = Epoch(number, stage, coverage, dict(weights), begins_at, actor.moment, actor.name, actor.reason)
    add_epoch(engine, name, epoch)
    return epoch
