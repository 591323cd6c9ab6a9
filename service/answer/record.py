"""The answer log: written in batches, off the hot path, and kept when the database is away."""

import asyncio
import os
from collections.abc import Sequence
from concurrent.futures import Executor
from datetime import datetime
from pathlib import Path
from typing import Any

import orjson
from sqlalchemy import Engine
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import InterfaceError, OperationalError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from service.logs import get_logger
from service.metrics import LOG_LOST, LOG_QUEUE
from service.tables import Answer

log = get_logger()
Row = dict[str, Any]

# The database is away, not the row wrong: worth another try.
_AWAY = (OperationalError, InterfaceError, PoolTimeoutError, OSError)
_BATCH = 500
_PAUSE_S = 0.05
_MAX_BACKOFF_S = 5.0
# What fits into memory while the database is away: about 4 kB each.
_MAX_WAITING = 50_000


class AnswerLog:
    """Rows wait in memory until a batch is written. On shutdown without a database they go to a
    spill file, which the next start reads."""

    def __init__(self, engine: Engine, executor: Executor, spill: Path) -> None:
        self._engine = engine
        self._executor = executor
        self._spill = spill
        self._waiting: list[Row] = []
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._recovered: list[Path] = []

    def start(self) -> None:
        """Begin to write; rows that the last process left in the spill file come first."""
        self._recovered = sorted(self._spill.parent.glob(f"{self._spill.name}*"))
        for path in self._recovered:
            self._waiting += read_spill(path)
        if self._waiting:
            self._wake.set()
        self._task = asyncio.get_running_loop().create_task(self._run())

    def add(self, row: Row) -> None:
        """Never blocks, never raises."""
        if len(self._waiting) >= _MAX_WAITING:
            self._to_spill(self._waiting[:_BATCH])
            del self._waiting[:_BATCH]
        self._waiting.append(row)
        self._wake.set()

    async def close(self) -> None:
        """Write what is left, or spill it."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        while self._waiting and await self._write():
            pass
        if self._waiting:
            self._to_spill(self._waiting)
            self._waiting.clear()

    async def _run(self) -> None:
        backoff = _PAUSE_S
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._waiting:
                written = await self._write()
                backoff = _PAUSE_S if written else min(2 * backoff, _MAX_BACKOFF_S)
                # The pause lets rows gather: one transaction for many answers.
                await asyncio.sleep(backoff)

    async def _write(self) -> bool:
        batch = self._waiting[:_BATCH]
        LOG_QUEUE.set(len(self._waiting))
        loop = asyncio.get_running_loop()
        try:
            await loop.run_in_executor(self._executor, insert_answers, self._engine, batch)
        except _AWAY as exc:
            log.warning("answer_log_waits", waiting=len(self._waiting), error=type(exc).__name__)
            return False
        except SQLAlchemyError:
            # A row that can't be stored must not hold up the others for ever.
            await loop.run_in_executor(self._executor, self._salvage, batch)
        del self._waiting[: len(batch)]
        LOG_QUEUE.set(len(self._waiting))
        if not self._waiting:
            # Only now is what the last process left behind safe in the database.
            while self._recovered:
                self._recovered.pop().unlink(missing_ok=True)
        return True

    def _salvage(self, rows: Sequence[Row]) -> None:
        """Write rows one by one; those that the database refuses are counted and left out."""
        for row in rows:
            try:
                insert_answers(self._engine, [row])
            except _AWAY:
                self._to_spill([row])
            except SQLAlchemyError as exc:
                LOG_LOST.inc()
                log.error("answer_refused", answer_id=row["id"], error=type(exc).__name__)

    def _to_spill(self, rows: Sequence[Row]) -> None:
        try:
            with self._spill.with_suffix(f".{os.getpid()}").open("ab") as file:
                file.writelines(orjson.dumps(row) + b"\n" for row in rows)
                file.flush()
                os.fsync(file.fileno())
        except OSError as exc:
            LOG_LOST.inc(len(rows))
            log.error("answer_log_lost", rows=len(rows), error=type(exc).__name__)


def insert_answers(engine: Engine, rows: Sequence[Row]) -> None:
    """Write rows in one transaction; a row that is there already is left as it is."""
    if engine.dialect.name == "postgresql":
        statement: Any = postgresql.insert(Answer).on_conflict_do_nothing()
    else:
        statement = sqlite.insert(Answer).on_conflict_do_nothing()
    with engine.begin() as connection:
        connection.execute(statement, list(rows))


def read_spill(path: Path) -> list[Row]:
    """Rows of a spill file; a line that a crash cut off is passed over."""
    rows: list[Row] = []
    try:
        data = path.read_bytes()
    except FileNotFoundError:  # another worker was faster
        return rows
    for line in data.splitlines():
        try:
            row: Row = orjson.loads(line)
            rows.append({**row, "created_at": datetime.fromisoformat(row["created_at"])})
        except (ValueError, KeyError):
            log.warning("spill_line_unreadable")
    return rows
