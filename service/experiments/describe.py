"""An experiment as the API shows it: what was declared, what it is doing, and how it got there. No figures."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Engine

from service.experiments.store import read_alarms
from service.experiments.timeline import Epoch, RunningExperiment
from service.scope import Experiment, Scope
from service.tables import ExperimentAlarm

Json = dict[str, Any]


def overview(scope: Scope, running: Mapping[str, RunningExperiment], now: datetime) -> list[Json]:
    """Every experiment in a line, those that run first, then by name."""
    names = sorted({*scope.experiments, *running})
    found = [summary(scope, name, running.get(name), now) for name in names]
    return sorted(found, key=lambda one: one["state"] in ("declared", "stopped"))


def summary(scope: Scope, name: str, running: RunningExperiment | None, now: datetime) -> Json:
    """What it is about and its state: `declared` before it was started."""
    declared = declared_of(scope, name, running)
    epochs = running.epochs if running else ()
    in_scope = scope.experiments.get(name)
    return {
        "name": name,
        "hypothesis": declared.hypothesis,
        "assistant": declared.assistant,
        "state": running.state_at(now) if running and epochs else "declared",
        "primary": declared.primary,
        "arms": {arm: {"variant": one.variant, "weight": one.weight} for arm, one in declared.arms.items()},
        "ends": declared.plan.ends.isoformat(),
        "started_at": epochs[0].begins_at.isoformat() if epochs else None,
        "digest": declared.digest,
        # Arms whose variant isn't what it was at the start, which ends their experiment until it is again.
        "changed_variants": _changed(scope, running),
        # The file says something else by now than what runs.
        "differs_from_scope": bool(epochs and in_scope and in_scope.digest != declared.digest),
    }


def _changed(scope: Scope, running: RunningExperiment | None) -> list[str]:
    if running is None or not running.epochs:
        return []
    variants = {arm: scope.variants.get(one.variant) for arm, one in running.declared.arms.items()}
    return [
        arm for arm, variant in variants.items() if variant is None or variant.digest != running.variants[arm]
    ]


def declared_of(scope: Scope, name: str, running: RunningExperiment | None) -> Experiment:
    """What runs, else what the scope declares."""
    if running and (running.epochs or name not in scope.experiments):
        return running.declared
    return scope.experiments[name]


def details(
    scope: Scope, engine: Engine, name: str, running: RunningExperiment | None, now: datetime
) -> Json:
    """The summary with the whole declaration, the epochs and the alarms."""
    declared = declared_of(scope, name, running)
    return {
        **summary(scope, name, running, now),
        "declared": declared.model_dump(mode="json"),
        "epochs": [epoch_as_json(epoch) for epoch in (running.epochs if running else ())],
        "alarms": [alarm_as_json(alarm) for alarm in read_alarms(engine, name)],
    }


def epoch_as_json(epoch: Epoch) -> Json:
    """An epoch with its split and why it was opened."""
    return {
        "epoch": epoch.number,
        "stage": epoch.stage,
        "coverage": epoch.coverage,
        "weights": dict(epoch.weights),
        "begins_at": epoch.begins_at.isoformat(),
        "by": epoch.created_by,
        "reason": epoch.reason,
    }


def alarm_as_json(alarm: ExperimentAlarm) -> Json:
    """What a watch found, and when."""
    return {
        "at": alarm.created_at.isoformat(),
        "kind": alarm.kind,
        "arm": alarm.arm,
        "message": alarm.message,
        "detail": alarm.detail,
    }


def differences(scope: Scope, one: str, other: str) -> list[str]:
    """How two variants differ, a sentence for each key; empty for variants that do the same.

    Raises `KeyError` for an unknown variant.
    """
    first, second = (_flat(scope.variants[name].model_dump(mode="json")) for name in (one, other))
    return [
        f"{key}: {first.get(key)!r} in {one!r}, {second.get(key)!r} in {other!r}"
        for key in sorted({*first, *second})
        if first.get(key) != second.get(key)
    ]


def _flat(value: object, path: str = "") -> Json:
    if isinstance(value, dict) and value:
        found: Json = {}
        for key, one in value.items():
            found |= _flat(one, f"{path}.{key}" if path else str(key))
        return found
    return {path: value}
