"""The experiments that run, in memory: no request waits for the database to learn its arm.

`watch` keeps it fresh. An epoch begins a few seconds after it was opened, when every process has read it.
"""

import asyncio
from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

from sqlalchemy import Engine

from service.experiments.assign import arm_of, is_covered, is_held_out, is_in_slice
from service.experiments.store import newest, read_experiments
from service.experiments.timeline import Epoch, RunningExperiment
from service.logs import get_logger
from service.scope import Experiment, Scope
from service.scope.experiments import Shadow

log = get_logger()
_REFRESH_S = 2.0
# Conversations older than this began before anything that still runs.
_CONVERSATION = timedelta(days=90)
_VERSION = 7


@dataclass(frozen=True, slots=True)
class Asker:
    """Who asks, and in which conversation. `subject` is a pseudonym; `groups` None stands for all of them."""

    caller: str
    conversation_id: str
    subject: str | None = None
    groups: frozenset[str] | None = frozenset()


@dataclass(frozen=True, slots=True)
class Assignment:
    """The arm of a unit in an epoch of an experiment; `propensity` is the chance that it had to get this arm.

    `shadows` are arms whose answers nobody sees, of which `shadow` says how many are asked. Without an experiment, the
    unit is held out of all of them.
    """

    unit: str | None = None
    stage: str | None = None
    experiment: str | None = None
    arm: str | None = None
    epoch: int | None = None
    variant: str | None = None
    variant_digest: str | None = None
    propensity: float | None = None
    shadows: tuple["Assignment", ...] = ()
    shadow: Shadow | None = None

    @property
    def is_exposure(self) -> bool:
        """Whether the unit meets an arm."""
        return self.stage in ("canary", "ab")


# Of an answer that no experiment has to do with.
UNASSIGNED = Assignment()


class ExperimentBook:
    """What runs. `pseudonym` makes of a subject in a cohort's list what requests carry."""

    def __init__(self, scope: Scope, pseudonym: Callable[[str], str | None]) -> None:
        self._scope = scope
        self._pseudonym = pseudonym
        self._digests = {name: variant.digest for name, variant in scope.variants.items()}
        self._running: dict[str, RunningExperiment] = {}
        self._by_assistant: dict[str, list[RunningExperiment]] = {}
        self._cohorts: dict[str, frozenset[str]] = {}
        self._newest: object = None

    @property
    def running(self) -> Mapping[str, RunningExperiment]:
        """Every experiment that was started, by name."""
        return self._running

    def show(self, experiments: Mapping[str, RunningExperiment]) -> None:
        """Take note of what the database holds."""
        by_assistant: dict[str, list[RunningExperiment]] = {}
        for one in experiments.values():
            if one.epochs and not self.changed_variants(one):
                by_assistant.setdefault(one.declared.assistant, []).append(one)
        self._cohorts = {name: self._subjects(one.declared) for name, one in experiments.items()}
        self._running, self._by_assistant = dict(experiments), by_assistant

    def refresh(self, engine: Engine) -> None:
        """Read the database, where anything in it has changed."""
        found = newest(engine)
        if found != self._newest:
            self.show(read_experiments(engine))
            self._newest = found

    async def watch(self, engine: Engine, executor: Executor, interval_s: float = _REFRESH_S) -> None:
        """Refresh for ever; while the database is away, what was read last stays."""
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(interval_s)
            try:
                await loop.run_in_executor(executor, self.refresh, engine)
            except Exception as exc:  # noqa: BLE001 - a watch that dies would keep a paused arm in use
                log.warning("experiments_not_refreshed", error=type(exc).__name__)

    def changed_variants(self, experiment: RunningExperiment) -> list[str]:
        """Arms whose variant isn't what it was when the experiment began: they are another experiment."""
        return [
            arm
            for arm, digest in experiment.variants.items()
            if self._digests.get(experiment.declared.arms[arm].variant) != digest
        ]

    def choose(self, assistant: str, asker: Asker, now: datetime) -> Assignment | None:
        """The arm that answers, or that the unit is held out; None where nothing runs for it."""
        for one in self._by_assistant.get(assistant, ()):
            found = self._assigned(one, asker, now)
            if found is not None:
                return found
        return None

    def _assigned(self, one: RunningExperiment, asker: Asker, now: datetime) -> Assignment | None:
        current = one.epoch_at(now)
        if current is None or current.stage in ("paused", "stopped"):
            return None
        unit = unit_of(one.declared, asker)
        if is_held_out(unit, self._scope.holdout.percent):
            return Assignment(unit, "holdout")
        if not self._takes_part(one, asker, unit):
            return None
        epoch = _epoch_of(one, current, asker.conversation_id)
        if epoch is None or not is_covered(one.name, unit, epoch.coverage):
            return None
        return _shadowed(one, epoch, unit) if epoch.stage == "shadow" else self._in_arm(one, epoch, unit)

    def _takes_part(self, one: RunningExperiment, asker: Asker, unit: str) -> bool:
        layer, cohort = one.declared.layer, one.declared.cohort
        if layer and not is_in_slice(layer.name, unit, layer.start, layer.end):
            return False
        if cohort is None:
            return True
        is_listed = asker.subject is not None and asker.subject in self._cohorts[one.name]
        return is_listed or bool(asker.groups and asker.groups & set(cohort.groups))

    def _in_arm(self, one: RunningExperiment, epoch: Epoch, unit: str) -> Assignment:
        arm = arm_of(one.name, unit, epoch.weights)
        variant = one.declared.arms[arm].variant
        return Assignment(
            unit,
            epoch.stage,
            one.name,
            arm,
            epoch.number,
            variant,
            one.variants[arm],
            epoch.shares[arm],
        )

    def _subjects(self, experiment: Experiment) -> frozenset[str]:
        listed = experiment.cohort.subjects if experiment.cohort else []
        return frozenset(name for name in map(self._pseudonym, listed) if name)


def _shadowed(one: RunningExperiment, epoch: Epoch, unit: str) -> Assignment:
    """The control answers, and treatments are asked unseen."""
    control = one.declared.control
    return Assignment(
        unit,
        epoch.stage,
        one.name,
        control,
        epoch.number,
        one.declared.arms[control].variant,
        one.variants[control],
        1.0,
        tuple(_unseen(one, epoch, unit, arm) for arm in one.declared.treatments if epoch.weights.get(arm)),
        one.declared.shadow,
    )


def _unseen(one: RunningExperiment, epoch: Epoch, unit: str, arm: str) -> Assignment:
    variant = one.declared.arms[arm].variant
    share = one.declared.shadow.share
    return Assignment(unit, "unseen", one.name, arm, epoch.number, variant, one.variants[arm], share)


def unit_of(experiment: Experiment, asker: Asker) -> str:
    """Who keeps the arm: `s:` a subject, `t:` a tenant, `c:` a conversation. Whoever has no name is his conversation."""
    if experiment.unit == "tenant":
        return f"t:{asker.caller}"
    if experiment.unit == "subject" and asker.subject:
        return f"s:{asker.subject}"
    return f"c:{asker.conversation_id}"


def _epoch_of(one: RunningExperiment, current: Epoch, conversation_id: str) -> Epoch | None:
    """The epoch in which a conversation began, so that it never changes its arm; None for one that began before all.

    Ids that the service gave tell when that was; of others, every message belongs to the epoch that rules.
    """
    began = began_at(conversation_id)
    if began is None or began >= current.begins_at or current.begins_at - began > _CONVERSATION:
        return current
    first = one.epoch_at(began)
    if first is None:
        return None
    return first if first.stage != "paused" else current


def began_at(conversation_id: str) -> datetime | None:
    """When a conversation began, by an id that the service gave it (RFC 9562, version 7); None for other ids."""
    try:
        value = UUID(conversation_id)
    except ValueError:
        return None
    if value.version != _VERSION:
        return None
    return datetime.fromtimestamp((value.int >> 80) / 1_000, UTC)
