"""The answer log: on the disk before the answer's last byte is sent, in the database soon after."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from typing import Any

from sqlalchemy import Engine
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, NotSupportedError, StatementError

from service.answer.journal import Journal, SealedFile
from service.answer.rows import TABLE, TABLES, Row, storable
from service.answer.spill import Spill
from service.errors import NotReadyError
from service.logs import get_logger
from service.metrics import LOG_LOST, LOG_QUEUE, LOG_REFUSED

log = get_logger()
Write = Callable[[Sequence[Row]], None]
Written = asyncio.Future[None]

_BATCH = 500
_PAUSE_S = 0.05
_MAX_BACKOFF_S = 5.0


class AnswerLog:
    """Appends rows to a journal, one flush for all of a moment, and writes the journal's files into the database.

    `write` puts rows into the database, and leaves those as they are that are there already. A row that is kept is in
    one file, until it is in the database; a database that is away leaves that file among the spill files. `disk` is a
    thread for the journal alone, so that no slow database holds up an answer.
    """

    def __init__(self, write: Write, *, database: Executor, disk: Executor, spill: Spill) -> None:
        self._write = write
        self._database, self._disk = database, disk
        self._spill = spill
        self._journal = Journal(spill.path)
        self._new: list[tuple[Row, Written]] = []
        # Rows that the disk did not take: they are durable once the database has them.
        self._homeless: list[tuple[Row, Written]] = []
        self._kept, self._spilled = 0, 0
        self._has_spilled = False
        self._wake_disk, self._wake_database, self._closing = (
            asyncio.Event(),
            asyncio.Event(),
            asyncio.Event(),
        )
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Begin to write; rows that a process left in spill files come too."""
        self._has_spilled = bool(self._spill.files())
        if self._has_spilled:
            self._wake_database.set()
        loop = asyncio.get_running_loop()
        self._tasks = [loop.create_task(self._keep()), loop.create_task(self._store())]

    def add(self, row: Mapping[str, Any]) -> Written:
        """Take a row; the result is there once it is durable, and is a `NotReadyError` when it can't be kept."""
        kept: Written = asyncio.get_running_loop().create_future()
        # Whoever hung up doesn't wait for it.
        kept.add_done_callback(lambda done: done.cancelled() or done.exception())
        self._new.append((storable(row), kept))
        self._wake_disk.set()
        return kept

    async def close(self) -> None:
        """Keep what is left, and write it or leave it to the next start."""
        self._closing.set()
        self._wake_disk.set()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.keep()
        await self.store()
        await self._in(self._disk, self._journal.close)

    async def _keep(self) -> None:
        while not self._closing.is_set():
            await self._wake_disk.wait()
            self._wake_disk.clear()
            await self.keep()
        self._wake_database.set()

    async def keep(self) -> None:
        """Put new rows on the disk. Those that come meanwhile share the next flush."""
        while self._new:
            rows, self._new = self._new, []
            try:
                await self._in(self._disk, self._journal.append, [row for row, _ in rows])
            except Exception as exc:  # noqa: BLE001 - a task that dies would let every later answer wait for ever
                log.error("answer_journal_failed", rows=len(rows), error=type(exc).__name__)
                self._homeless += rows
            else:
                self._kept += len(rows)
                _settle(rows)
            self._wake_database.set()

    async def _store(self) -> None:
        backoff = _PAUSE_S
        while not self._closing.is_set():
            await self._wake_database.wait()
            self._wake_database.clear()
            is_done = await self.store() and await self.recover()
            backoff = _PAUSE_S if is_done else min(2 * backoff, _MAX_BACKOFF_S)
            if not is_done:
                self._wake_database.set()
            # The pause lets rows gather: one transaction for many answers.
            await self._rest(backoff)

    async def _rest(self, seconds: float) -> None:
        try:
            await asyncio.wait_for(self._closing.wait(), seconds)
        except TimeoutError:
            return

    async def store(self) -> bool:
        """Write what was kept since the last time; whether the database took it. Else it waits in a spill file."""
        sealed = await self._in(self._disk, self._journal.seal)
        homeless, self._homeless = self._homeless, []
        rows = [*(sealed.rows if sealed else ()), *(row for row, _ in homeless)]
        if not rows:
            return True
        self._kept = 0
        self._show(len(rows))
        try:
            await self._in(self._database, self._written, rows)
        except Exception as exc:  # noqa: BLE001 - a task that dies would keep every later answer out of the database
            log.warning("answer_log_waits", waiting=len(rows), error=type(exc).__name__)
            self._give_up(sealed, homeless)
            return False
        if sealed:
            await self._in(self._disk, sealed.remove)
        _settle(homeless)
        self._show(0)
        return True

    def _give_up(self, sealed: SealedFile | None, homeless: Sequence[tuple[Row, Written]]) -> None:
        if sealed:
            sealed.release()
            self._spilled += len(sealed.rows)
            self._has_spilled = True
        if homeless:
            LOG_LOST.inc(len(homeless))
            log.error("answer_log_lost", rows=len(homeless))
            _refuse(homeless)
        self._show(0)

    def _show(self, in_hand: int) -> None:
        LOG_QUEUE.set(in_hand + self._kept + self._spilled)

    async def recover(self) -> bool:
        """Write what lies in spill files, of this process or another one that ended; whether the database took it."""
        if not self._has_spilled:
            return True
        # Before, not after: what is spilled in the meantime is not among the files that are read now.
        self._has_spilled = False
        try:
            rows = await self._in(self._database, self._spill.drain, self._written)
        except Exception as exc:  # noqa: BLE001 - as above
            self._has_spilled = True
            log.warning("answer_log_waits", waiting=self._spilled, error=type(exc).__name__)
            return False
        self._spilled = 0
        if rows:
            log.info("answers_recovered", rows=rows)
        return True

    async def _in(self, executor: Executor, work: Callable[..., Any], *arguments: Any) -> Any:
        return await asyncio.get_running_loop().run_in_executor(executor, work, *arguments)

    def _written(self, rows: Sequence[Row]) -> None:
        """Write rows in batches. A row that can't be stored must not hold up the others for ever."""
        for start in range(0, len(rows), _BATCH):
            batch = rows[start : start + _BATCH]
            try:
                self._write(batch)
            except Exception as exc:
                if not _is_refusal(exc):
                    raise
                self._salvage(batch)

    def _salvage(self, rows: Sequence[Row]) -> None:
        """Write rows one by one; those that the database refuses are kept aside for a person."""
        for row in rows:
            try:
                self._write([row])
            except Exception as exc:
                if not _is_refusal(exc):
                    raise
                self._spill.refuse(row)
                LOG_REFUSED.inc()
                log.error("answer_refused", answer_id=row.get("id"), error=type(exc).__name__)


def _settle(rows: Sequence[tuple[Row, Written]]) -> None:
    for _, kept in rows:
        if not kept.done():
            kept.set_result(None)


def _refuse(rows: Sequence[tuple[Row, Written]]) -> None:
    for _, kept in rows:
        if not kept.done():
            kept.set_exception(
                NotReadyError(
                    "The answer can't be recorded: neither the disk nor the database takes it. Try again."
                )
            )


def _is_refusal(exc: Exception) -> bool:
    """Whether the row is wrong; everything else is the database's own trouble, and the row is worth another try."""
    if isinstance(
        exc, DataError | IntegrityError | NotSupportedError | ValueError | TypeError | OverflowError
    ):
        return True
    # What fails before the database sees it, such as a time without a zone.
    return isinstance(exc, StatementError) and not isinstance(exc, DBAPIError)


def insert_rows(engine: Engine, rows: Sequence[Row]) -> None:
    """Write rows in one transaction; a row that is there already is left as it is."""
    insert = postgresql.insert if engine.dialect.name == "postgresql" else sqlite.insert
    with engine.begin() as connection:
        for name, table in TABLES.items():
            mine = [_columns(row) for row in rows if row.get(TABLE, "answers") == name]
            if mine:
                # In the order of their keys: two processes that write the same ones don't lock each other out.
                keys = [column.name for column in table.__table__.primary_key]
                mine.sort(key=lambda row: [row[key] for key in keys])
                connection.execute(insert(table).on_conflict_do_nothing(), mine)


def _columns(row: Row) -> Row:
    return {key: value for key, value in row.items() if key != TABLE}
