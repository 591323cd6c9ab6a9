"""Feedback events on their way into the database: those that arrive while a commit runs share the next one."""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field

from service.database import AWAY, WAIT_S
from service.errors import NotReadyError
from service.feedback.event import Event, Receipt
from service.feedback.record import Written
from service.logs import get_logger

log = get_logger()
Write = Callable[[Sequence[Event]], list[Written]]
_MOST = 500
_AWAY = "The database can't take feedback just now, and nothing was stored. Send it again with the same Idempotency-Key."
_SLOW = "The database has not answered within {:g} s. Send the request again, with the same Idempotency-Key."


@dataclass(frozen=True, slots=True)
class _Waiting:
    """An event and who waits for its receipt."""

    event: Event
    written: asyncio.Future[Written] = field(
        default_factory=lambda: asyncio.get_running_loop().create_future()
    )


class FeedbackWriter:
    """One transaction for all events of a moment. `write` is asked in `executor`, which should have one thread.

    An event that can't be stored fails for its own sender alone.
    """

    def __init__(self, write: Write, executor: Executor, *, wait_s: float = WAIT_S) -> None:
        self._write = write
        self._executor = executor
        self._wait_s = wait_s
        self._new: list[_Waiting] = []
        self._wake = asyncio.Event()
        self._is_closing = False
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to write."""
        self._task = asyncio.get_running_loop().create_task(self._run())

    async def close(self) -> None:
        """Write what waits, and end."""
        self._is_closing = True
        self._wake.set()
        if self._task is not None:
            await self._task

    async def add(self, event: Event) -> Receipt:
        """Store an event; on return it is durable. Raises `ConflictError`, and `NotReadyError` without a database."""
        (written,) = await self.add_all([event])
        if isinstance(written, Receipt):
            return written
        raise written

    async def add_all(self, events: Sequence[Event]) -> list[Written]:
        """Store several, each by itself, some hundred at a time so that others get their turn. Raises `NotReadyError`."""
        written: list[Written] = []
        for start in range(0, len(events), _MOST):
            written += await self._added(events[start : start + _MOST])
        return written

    async def _added(self, events: Iterable[Event]) -> list[Written]:
        waiting = [_Waiting(event) for event in events]
        self._new += waiting
        self._wake.set()
        try:
            async with asyncio.timeout(self._wait_s):
                return list(await asyncio.gather(*(one.written for one in waiting)))
        except TimeoutError as exc:
            # Those that no commit has begun with are dropped: `gather` has cancelled them.
            raise NotReadyError(_SLOW.format(self._wait_s)) from exc

    async def _run(self) -> None:
        while self._new or not self._is_closing:
            await self._wake.wait()
            if not self._is_closing:
                self._wake.clear()
            while self._new:
                batch, self._new = self._new[:_MOST], self._new[_MOST:]
                await self._commit([one for one in batch if not one.written.done()])

    async def _commit(self, batch: Sequence[_Waiting]) -> None:
        """Write a batch; where that fails for one event's sake, each by itself. It never raises: others wait behind it."""
        if not batch:
            return
        events = [one.event for one in batch]
        loop = asyncio.get_running_loop()
        try:
            found = await loop.run_in_executor(self._executor, self._write, events)
        except AWAY as exc:
            log.warning("feedback_refused", events=len(batch), error=type(exc).__name__)
            _fail(batch, NotReadyError(_AWAY))
        except Exception as exc:  # noqa: BLE001 - a task that dies would let every later event wait for ever
            if len(batch) > 1:
                for one in batch:
                    await self._commit([one])
                return
            log.error("feedback_failed", error=type(exc).__name__)
            _fail(batch, exc)
        else:
            for one, written in zip(batch, found, strict=True):
                if not one.written.done():
                    one.written.set_result(written)


def _fail(batch: Sequence[_Waiting], error: Exception) -> None:
    for one in batch:
        if not one.written.done():
            one.written.set_exception(error)
