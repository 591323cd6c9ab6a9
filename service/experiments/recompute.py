"""The report again, from exported files and nothing else: the same text, to the byte."""

import json
import tempfile
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, insert

from service.database import open_database
from service.errors import InvalidRequestError, NotFoundError
from service.experiments.columns import FILE_FORMATS, read_rows
from service.experiments.export import DECLARATIONS, DECLARED, METRICS, TABLES, TEXTS, What, columns_of
from service.experiments.report import Question, report_of
from service.experiments.reports import as_json, stage_of
from service.experiments.store import read_experiment
from service.scope import Metric
from service.tables import Base

Metrics = Mapping[str, Metric]
# Of texts that were not exported: the report needs none of them.
_EMPTY: Mapping[str, Any] = {"question": "", "answer": "", "citations": [], "verdicts": []}


def recompute(folder: Path, name: str, as_of: datetime, stage: str | None = None) -> str:
    """The report on an experiment as JSON. Raises `InvalidRequestError` for files that are missing or wrong."""
    with tempfile.TemporaryDirectory() as scratch:
        engine = open_database(f"sqlite:///{scratch}/export.db")
        try:
            Base.metadata.create_all(engine)
            metrics = _declare(engine, folder / DECLARATIONS)
            for what in TABLES:
                _load(engine, what, _file(folder, what))
            running = read_experiment(engine, name)
            if running is None or not running.epochs:
                raise NotFoundError(f"{str(folder)!r} holds no started experiment {name!r}.")
            question = Question(running, metrics, as_of.astimezone(UTC), stage or stage_of(running))
            return as_json(report_of(engine, question))
        finally:
            engine.dispose()


def _file(folder: Path, what: What) -> Path:
    found = [path for form in FILE_FORMATS if (path := folder / f"{what}.{form}").is_file()]
    if not found:
        names = ", ".join(f"{what}.{form}" for form in FILE_FORMATS)
        raise InvalidRequestError(
            f"{str(folder)!r} has none of {names}. Export them: touchstone export all --out FOLDER.",
            param="folder",
        )
    return found[0]


def _load(engine: Engine, what: What, path: Path) -> None:
    table = TABLES[what]
    texts = {name: _EMPTY.get(name) for name in TEXTS[what]}
    # A CSV file doesn't tell an empty text from none at all.
    needed = [column.name for column in table.__table__.columns if not column.nullable]

    def whole(row: dict[str, Any]) -> dict[str, Any]:
        return {**texts, **row, **{name: "" for name in needed if name in row and row[name] is None}}

    expected = set(columns_of(table)) - set(texts)
    with engine.begin() as connection:
        for rows in read_rows(path, columns_of(table)):
            if missing := sorted(expected - set(rows[0])):
                raise InvalidRequestError(
                    f"{str(path)!r} has no column {missing[0]!r}. Export it anew.", param="folder"
                )
            connection.execute(insert(table), [whole(row) for row in rows])


def _declare(engine: Engine, path: Path) -> Metrics:
    """Load what was declared; how metrics are counted."""
    if not path.is_file():
        raise InvalidRequestError(
            f"{str(path)!r} is missing. Export it: touchstone export all --out FOLDER.", param="folder"
        )
    metrics: dict[str, Metric] = {}
    with engine.begin() as connection, path.open(encoding="utf-8") as file:
        for line in file:
            told = json.loads(line)
            name = told.pop("table")
            if name == METRICS:
                metrics = {key: Metric.model_validate(one) for key, one in told[METRICS].items()}
            else:
                connection.execute(insert(DECLARED[name]), _typed(DECLARED[name], told))
    return metrics


def _typed(table: type[Base], told: dict[str, Any]) -> dict[str, Any]:
    kinds = columns_of(table)
    return {
        name: datetime.fromisoformat(value) if kinds[name] == "moment" and value else value
        for name, value in told.items()
    }
