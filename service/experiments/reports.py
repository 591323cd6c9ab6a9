"""Reports on demand, one at a time in a thread of their own. What was reported a moment ago is not counted again."""

import json
import re
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import Engine

from service.errors import ConflictError, InvalidRequestError, NotFoundError
from service.experiments.columns import FileFormat
from service.experiments.describe import Json
from service.experiments.render.document import document
from service.experiments.report import STAGES, Question, report_of
from service.experiments.store import read_experiment
from service.experiments.tidy import table_of
from service.experiments.timeline import RunningExperiment
from service.scope import Scope
from service.scope.experiments import Stage
from service.threads import within

# How long somebody waits for a report, in seconds; those before him in the thread count.
_WAIT_S = 60.0
_KEPT, _KEEP_S = 32, 60.0
_FILES: Mapping[str, FileFormat] = {"csv": "csv", "parquet": "parquet"}
# What no name of a file should hold, in a header or on a disk.
_UNSAFE = re.compile(r"[^A-Za-z0-9._-]")
# Name, stage, moment, epochs.
_Key = tuple[str, str, datetime, int]


@dataclass(frozen=True, slots=True)
class Asked:
    """Which report is asked for; without a stage that which decides, without a moment the last full minute."""

    name: str
    stage: Stage | None = None
    as_of: datetime | None = None


class Reports:
    """What makes reports. `executor` should have one thread: reports take seconds of a processor."""

    def __init__(
        self,
        engine: Engine,
        scope: Scope,
        executor: Executor,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._engine, self._scope, self._executor, self._clock = engine, scope, executor, clock
        self._kept: OrderedDict[_Key, tuple[float, Json]] = OrderedDict()

    async def find(self, asked: Asked) -> Json:
        """The report. Raises `NotFoundError`, `ConflictError` before the start, `InvalidRequestError` for the future."""
        return await within(_WAIT_S, self._executor, lambda: self.make(asked), "The report")

    async def show(self, report: Json, form: str) -> "Rendered":
        """A report in a format; drawing it takes tens of milliseconds."""
        return await within(_WAIT_S, self._executor, lambda: rendered(report, form), "The report")

    def make(self, asked: Asked) -> Json:
        """The same, in the calling thread."""
        question = question_of(self._engine, self._scope, asked, self._clock())
        key = (asked.name, question.stage, question.as_of, len(question.running.epochs))
        found = self._kept.get(key)
        if found is None or time.monotonic() - found[0] > _KEEP_S:
            found = (time.monotonic(), report_of(self._engine, question))
            self._keep(key, found)
        return found[1]

    def _keep(self, key: _Key, found: tuple[float, Json]) -> None:
        self._kept[key] = found
        self._kept.move_to_end(key)
        if len(self._kept) > _KEPT:
            self._kept.popitem(last=False)


def question_of(engine: Engine, scope: Scope, asked: Asked, now: datetime) -> Question:
    """What was asked for, with what was left out. Raises as `Reports.find` does."""
    name = asked.name
    running = read_experiment(engine, name)
    if running is None and name not in scope.experiments:
        raise NotFoundError(f"There is no experiment {name!r}. GET /v1/experiments lists them.")
    if running is None or not running.epochs:
        raise ConflictError(
            f"The experiment {name!r} was not started, so there is nothing to report. POST"
            f" /v1/experiments/{name}:start begins it.",
            param="name",
        )
    stage = asked.stage or stage_of(running)
    return Question(running, scope.all_metrics, _moment(running, asked.as_of, now), stage)


def _moment(running: RunningExperiment, asked: datetime | None, now: datetime) -> datetime:
    """Up to when data count: what was asked for, else the last full minute. Raises `InvalidRequestError`."""
    begun = running.epochs[0].created_at
    if asked is None:
        return max(begun, now.replace(second=0, microsecond=0))
    if asked > now:
        raise InvalidRequestError(
            f"as_of is {asked.isoformat()!r}, which lies in the future: what isn't there yet can't be counted. Leave it"
            " out for the newest data.",
            param="as_of",
        )
    if asked < begun:
        raise InvalidRequestError(
            f"as_of is {asked.isoformat()!r}, and the experiment was started at {begun.isoformat()!r}. Give a later one.",
            param="as_of",
        )
    return asked.astimezone(UTC)


def stage_of(running: RunningExperiment) -> str:
    """The stage that decides, or the furthest that was reached before it."""
    reached = {epoch.stage for epoch in running.epochs}
    return next((stage for stage in STAGES if stage in reached), "ab")


def as_json(report: Json) -> str:
    """The text of a report: what HTTP sends, what the command prints, what an export gives again."""
    return json.dumps(report, indent=1)


@dataclass(frozen=True, slots=True)
class Rendered:
    """A report in a format: its bytes, their type, and the name of the file."""

    content: bytes
    media_type: str
    file_name: str


def rendered(report: Json, form: str) -> Rendered:
    """As `json`, `csv`, `parquet` or `html`."""
    name = f"{_UNSAFE.sub('_', report['experiment'])}-{report['stage']}.{form}"
    if form in _FILES:
        types = {"csv": "text/csv; charset=utf-8", "parquet": "application/vnd.apache.parquet"}
        return Rendered(table_of(report, _FILES[form]), types[form], name)
    if form == "html":
        return Rendered(document(report).encode(), "text/html; charset=utf-8", name)
    return Rendered(f"{as_json(report)}\n".encode(), "application/json", name)
