"""Answers, exposures, feedback and experiments as files that anybody can count again. Rows are streamed, never held."""

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import IO, Any, Literal

from sqlalchemy import (
    JSON,
    Boolean,
    ColumnElement,
    Engine,
    Float,
    Integer,
    Select,
    and_,
    or_,
    select,
    true,
)
from tqdm import tqdm

from service.database import without_limit
from service.errors import NotFoundError
from service.experiments.columns import Columns, FileFormat, Kind, writer_of
from service.experiments.report import BEFORE
from service.experiments.store import read_experiments
from service.experiments.timeline import RunningExperiment
from service.scope import Metric
from service.tables import (
    Answer,
    Base,
    DeclaredExperiment,
    ExperimentAlarm,
    ExperimentEpoch,
    Exposure,
    FeedbackEvent,
    UtcDateTime,
)

What = Literal["answers", "exposures", "feedback"]
TABLES: dict[What, type[Base]] = {"answers": Answer, "exposures": Exposure, "feedback": FeedbackEvent}
# What people and documents said: left out unless it is asked for.
TEXTS: dict[What, tuple[str, ...]] = {
    "answers": ("question", "answer", "citations", "verdicts"),
    "exposures": (),
    "feedback": ("comment", "correction"),
}
# What an experiment is, in one file of JSON lines.
DECLARATIONS = "experiments.jsonl"
DECLARED: dict[str, type[Base]] = {
    "experiments": DeclaredExperiment,
    "experiment_epochs": ExperimentEpoch,
    "experiment_alarms": ExperimentAlarm,
}
METRICS = "metrics"
_BATCH = 5_000


@dataclass(frozen=True, slots=True)
class Extent:
    """What is exported: all experiments or one, with or without texts, in which format."""

    experiment: RunningExperiment | None = None
    form: FileFormat = "csv"
    has_text: bool = False


def extent_of(engine: Engine, experiment: str | None, form: FileFormat, *, has_text: bool) -> Extent:
    """Raises `NotFoundError` for an experiment that was not started."""
    if experiment is None:
        return Extent(None, form, has_text)
    running = read_experiments(engine).get(experiment)
    if running is None or not running.epochs:
        raise NotFoundError(f"The experiment {experiment!r} was not started. `experiments list` shows them.")
    return Extent(running, form, has_text)


def export(engine: Engine, what: What, extent: Extent, file: IO[bytes]) -> int:
    """Write a table's rows in the order of their time; how many there were."""
    columns = columns_of(TABLES[what], () if extent.has_text else TEXTS[what])
    writer = writer_of(extent.form, file, columns, strange=TEXTS[what])
    count = 0
    with engine.connect() as connection, tqdm(desc=what, unit=" rows", unit_scale=True, disable=None) as bar:
        without_limit(connection)
        streamed = connection.execution_options(yield_per=_BATCH).execute(_query(what, columns, extent))
        for rows in streamed.partitions():
            writer.write([dict(row._mapping) for row in rows])
            count += len(rows)
            bar.update(len(rows))
    writer.close()
    return count


def columns_of(table: type[Base], left_out: tuple[str, ...] = ()) -> Columns:
    """The columns of a table with their kinds."""
    return {column.name: _kind(column) for column in table.__table__.columns if column.name not in left_out}


def _kind(column: ColumnElement[Any]) -> Kind:
    kinds: list[tuple[type[Any], Kind]] = [
        (UtcDateTime, "moment"),
        (JSON, "json"),
        (Boolean, "boolean"),
        (Integer, "integer"),
        (Float, "float"),
    ]
    return next((kind for of, kind in kinds if isinstance(column.type, of)), "text")


def _query(what: What, columns: Columns, extent: Extent) -> Select[Any]:
    table = TABLES[what].__table__
    query = select(*(table.c[name] for name in columns)).where(_holds(what, extent.experiment))
    orders: dict[What, tuple[Any, ...]] = {
        "answers": (Answer.created_at, Answer.id),
        "exposures": (Exposure.experiment, Exposure.epoch, Exposure.unit),
        "feedback": (FeedbackEvent.received_at, FeedbackEvent.event_id),
    }
    return query.order_by(*orders[what])


def _holds(what: What, one: RunningExperiment | None) -> ColumnElement[bool]:
    """Of an experiment also the answers to its subjects from before it, which its report adjusts by."""
    if one is None:
        return true()
    if what == "exposures":
        return Exposure.experiment == one.name
    if what == "feedback":
        return FeedbackEvent.answer_id.in_(select(Answer.id).where(Answer.experiment == one.name))
    begun = one.epochs[0].begins_at
    before = and_(
        Answer.assistant == one.declared.assistant,
        Answer.created_at >= begun - BEFORE,
        Answer.created_at < begun,
        Answer.subject.is_not(None),
    )
    return or_(Answer.experiment == one.name, before)


def export_declarations(
    engine: Engine, metrics: Mapping[str, Metric], extent: Extent, file: IO[bytes]
) -> int:
    """Write what was declared, the epochs, the alarms, and how metrics are counted; the number of lines."""
    count = 0
    with engine.connect() as connection:
        for name, table in DECLARED.items():
            columns = table.__table__.c
            key = columns["name"] if name == "experiments" else columns["experiment"]
            chosen = key == extent.experiment.name if extent.experiment else true()
            ordered = select(table.__table__).where(chosen).order_by(*table.__table__.primary_key)
            for row in connection.execute(ordered):
                file.write(_line({"table": name, **{key: _plain(v) for key, v in row._mapping.items()}}))
                count += 1
    told = {name: metric.model_dump(mode="json") for name, metric in metrics.items()}
    file.write(_line({"table": METRICS, METRICS: told}))
    return count + 1


def _plain(value: object) -> object:
    return value.isoformat() if isinstance(value, datetime) else value


def _line(value: object) -> bytes:
    return f"{json.dumps(value, ensure_ascii=False)}\n".encode()


@contextmanager
def new_file(path: Path) -> Iterator[IO[bytes]]:
    """A file that is there when it is whole, and otherwise not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with temporary.open("wb") as file:
            yield file
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
