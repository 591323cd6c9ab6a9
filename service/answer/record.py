"""The answer log: written in batches, off the hot path, and kept when the database is away."""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Executor

from sqlalchemy import Engine
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import SQLAlchemyError

from service.answer.spill import Row, Spill
from service.database import AWAY
from service.logs import get_logger
from service.metrics import LOG_LOST, LOG_QUEUE
from service.tables import Answer

log = get_logger()
Write = Callable[[Sequence[Row]], None]

# The database is away, not the row wrong: worth another try.
_AWAY = (*AWAY, OSError)
_BATCH = 500
_PAUSE_S = 0.05
_MAX_BACKOFF_S = 5.0
# What fits into memory while the database is away: about 4 kB each.
_MAX_WAITING = 50_000


class AnswerLog:
    """Rows wait in memory until a batch is written; those that can't wait there are spilled, and written later.

    `write` puts rows into the database, and leaves those as they are that are there already. A row is in one place
    at a time: waiting, in the batch that is being written, or in a spill file.
    """

    def __init__(self, write: Write, executor: Executor, spill: Spill, *, most: int = _MAX_WAITING) -> None:
        self._write = write
        self._executor = executor
        self._spill = spill
        self._most = most
        self._waiting: deque[Row] = deque()
        self._has_spilled = False
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to write; rows that a process left in spill files come first."""
        self._has_spilled = bool(self._spill.files())
        if self._has_spilled:
            self._wake.set()
        self._task = asyncio.get_running_loop().create_task(self._run())

    def add(self, row: Row) -> None:
        """Never blocks for the database, never raises."""
        if len(self._waiting) >= self._most:
            self._put_aside([self._waiting.popleft() for _ in range(min(_BATCH, len(self._waiting)))])
        self._waiting.append(row)
        self._wake.set()

    async def close(self) -> None:
        """Write what is left, or spill it."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        while self._waiting and await self._batch():
            pass
        self._put_aside(list(self._waiting))
        self._waiting.clear()

    async def _run(self) -> None:
        backoff = _PAUSE_S
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._waiting or self._has_spilled:
                is_written = await (self._batch() if self._waiting else self._recover())
                backoff = _PAUSE_S if is_written else min(2 * backoff, _MAX_BACKOFF_S)
                # The pause lets rows gather: one transaction for many answers.
                await asyncio.sleep(backoff)

    async def _batch(self) -> bool:
        """Write the oldest rows; whether the database took them. Those of a try that failed or was cancelled wait again."""
        batch = [self._waiting.popleft() for _ in range(min(_BATCH, len(self._waiting)))]
        LOG_QUEUE.set(len(self._waiting) + len(batch))
        loop = asyncio.get_running_loop()
        try:
            await loop.run_in_executor(self._executor, self._written, batch)
        except _AWAY as exc:
            self._waiting.extendleft(reversed(batch))
            log.warning("answer_log_waits", waiting=len(self._waiting), error=type(exc).__name__)
            return False
        except BaseException:
            self._waiting.extendleft(reversed(batch))
            raise
        LOG_QUEUE.set(len(self._waiting))
        return True

    async def _recover(self) -> bool:
        """Write what lies in spill files, of this process or another one that ended."""
        loop = asyncio.get_running_loop()
        # Before, not after: what is spilled in the meantime is not among the files that are read now.
        self._has_spilled = False
        try:
            rows = await loop.run_in_executor(self._executor, self._spill.drain, self._written)
        except _AWAY as exc:
            self._has_spilled = True
            log.warning("answer_log_waits", waiting=len(self._waiting), error=type(exc).__name__)
            return False
        if rows:
            log.info("answers_recovered", rows=rows)
        return True

    def _written(self, rows: Sequence[Row]) -> None:
        """Write rows in batches. A row that can't be stored must not hold up the others for ever."""
        for start in range(0, len(rows), _BATCH):
            batch = rows[start : start + _BATCH]
            try:
                self._write(batch)
            except _AWAY:
                raise
            except SQLAlchemyError:
                self._salvage(batch)

    def _salvage(self, rows: Sequence[Row]) -> None:
        """Write rows one by one; those that the database refuses are counted and left out."""
        for row in rows:
            try:
                self._write([row])
            except _AWAY:
                raise
            except SQLAlchemyError as exc:
                LOG_LOST.inc()
                log.error("answer_refused", answer_id=row["id"], error=type(exc).__name__)

    def _put_aside(self, rows: Sequence[Row]) -> None:
        if not rows:
            return
        try:
            self._spill.put(rows)
            self._has_spilled = True
        except OSError as exc:
            LOG_LOST.inc(len(rows))
            log.error("answer_log_lost", rows=len(rows), error=type(exc).__name__)


def insert_answers(engine: Engine, rows: Sequence[Row]) -> None:
    """Write rows in one transaction; a row that is there already is left as it is."""
    if engine.dialect.name == "postgresql":
        statement: postgresql.Insert | sqlite.Insert = postgresql.insert(Answer).on_conflict_do_nothing()
    else:
        statement = sqlite.insert(Answer).on_conflict_do_nothing()
    with engine.begin() as connection:
        connection.execute(statement, list(rows))
