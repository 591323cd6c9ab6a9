"""Experiments in the database: declarations, epochs, alarms. What was written is never changed."""

from collections import defaultdict
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from pydantic import ValidationError
from sqlalchemy import Engine, func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from service.errors import ConflictError
from service.experiments.timeline import Epoch, EpochStage, RunningExperiment
from service.ids import uuid7
from service.logs import get_logger
from service.scope import Experiment
from service.tables import DeclaredExperiment, ExperimentAlarm, ExperimentEpoch, Exposure

log = get_logger()


def newest(engine: Engine) -> object:
    """What differs after every change, whatever the clock does: the declarations' moments, and the epochs, which only grow.

    Cheap to ask; reading a thousand experiments takes tenths of a second of a processor.
    """
    with Session(engine) as session:
        declared = session.execute(select(DeclaredExperiment.name, DeclaredExperiment.created_at)).all()
        epochs = session.scalar(select(func.count()).select_from(ExperimentEpoch))
    return sorted(tuple(row) for row in declared), epochs


def read_experiments(engine: Engine) -> dict[str, RunningExperiment]:
    """Every experiment that was ever started or declared by the API. One that can't be read is left out, and logged."""
    with Session(engine) as session:
        declared = session.scalars(select(DeclaredExperiment).order_by(DeclaredExperiment.name)).all()
        rows = session.scalars(select(ExperimentEpoch).order_by(ExperimentEpoch.epoch)).all()
    epochs: dict[str, list[Epoch]] = defaultdict(list)
    for row in rows:
        epochs[row.experiment].append(_epoch(row))
    found = [_running(one, epochs[one.name]) for one in declared]
    return {one.name: one for one in found if one}


def read_experiment(engine: Engine, name: str) -> RunningExperiment | None:
    """One of them."""
    with Session(engine) as session:
        declared = session.get(DeclaredExperiment, name)
        rows = session.scalars(
            select(ExperimentEpoch).where(ExperimentEpoch.experiment == name).order_by(ExperimentEpoch.epoch)
        ).all()
        return _running(declared, [_epoch(row) for row in rows]) if declared else None


def _epoch(row: ExperimentEpoch) -> Epoch:
    stage: EpochStage = row.stage  # type: ignore[assignment]  # written by `add_epoch` alone
    return Epoch(
        row.epoch,
        stage,
        row.coverage,
        row.weights,
        row.begins_at,
        row.created_at,
        row.created_by,
        row.reason,
    )


def _running(row: DeclaredExperiment, epochs: list[Epoch]) -> RunningExperiment | None:
    try:
        declared = Experiment.model_validate(row.declared)
    except ValidationError as exc:
        log.error("experiment_unreadable", experiment=row.name, errors=exc.error_count())
        return None
    return RunningExperiment(row.name, declared, row.digest, row.variants, tuple(epochs))


def declare(
    engine: Engine,
    name: str,
    experiment: Experiment,
    variants: Mapping[str, str],
    *,
    actor: str,
    now: datetime | None = None,
) -> None:
    """Keep a declaration. One that differs replaces the old one as long as nobody met an arm; then it is refused.

    Raises `ConflictError`.
    """
    declared = experiment.model_dump(mode="json")
    with Session(engine) as session, session.begin():
        known = session.get(DeclaredExperiment, name)
        if known is not None and known.digest == experiment.digest and known.variants == dict(variants):
            return
        if known is not None and _has_exposures(session, name):
            raise ConflictError(
                f"The plan of the experiment {name!r} can't be changed: people have met its arms. Stop it and declare"
                " another one with a new name.",
                param="name",
            )
        row = known or DeclaredExperiment(name=name)
        row.created_at, row.created_by = now or datetime.now(UTC), actor
        row.declared, row.digest, row.variants = declared, experiment.digest, dict(variants)
        session.add(row)


def _has_exposures(session: Session, name: str) -> bool:
    found = session.scalar(
        select(func.count()).select_from(Exposure).where(Exposure.experiment == name).limit(1)
    )
    return bool(found)


def add_epoch(engine: Engine, name: str, epoch: Epoch) -> None:
    """Open an epoch. Raises `ConflictError` where somebody else opened one of that number meanwhile."""
    row = ExperimentEpoch(
        experiment=name,
        epoch=epoch.number,
        stage=epoch.stage,
        coverage=epoch.coverage,
        weights=dict(epoch.weights),
        begins_at=epoch.begins_at,
        created_at=epoch.created_at,
        created_by=epoch.created_by,
        reason=epoch.reason,
    )
    try:
        with Session(engine) as session, session.begin():
            session.add(row)
    except IntegrityError as exc:
        raise ConflictError(
            f"Somebody else changed the experiment {name!r} at the same moment. Look at it and try again."
        ) from exc


def add_alarm(
    engine: Engine,
    experiment: str,
    *,
    kind: str,
    message: str,
    arm: str | None = None,
    detail: Mapping[str, Any] | None = None,
    now: datetime | None = None,
) -> None:
    """Keep what a watch found."""
    row = ExperimentAlarm(
        id=uuid7(),
        experiment=experiment,
        arm=arm,
        kind=kind,
        message=message,
        detail=dict(detail or {}),
        created_at=now or datetime.now(UTC),
    )
    with Session(engine) as session, session.begin():
        session.add(row)


def read_alarms(engine: Engine, experiment: str) -> list[ExperimentAlarm]:
    """What was found of an experiment, the oldest first."""
    with Session(engine, expire_on_commit=False) as session:
        query = select(ExperimentAlarm).where(ExperimentAlarm.experiment == experiment)
        return list(session.scalars(query.order_by(ExperimentAlarm.created_at)))
