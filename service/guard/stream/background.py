"""Advisory guards: their findings change nothing, so they read text already sent and never delay the stream."""

import asyncio
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, Future

from service.guard.chain import SentenceGuard, Verdict
from service.guard.failure import SafeJudge, failed
from service.guard.stream.sentences import SentenceStream
from service.scope.policy import Rule

_LONGEST_REST_S = 0.5
Work = Callable[[], None]


class BackgroundQueue:
    """Work of all answers' advisory guards, one piece after the other in one thread; at most `limit` pieces wait.

    While pieces of other answers wait, the thread rests `rest` times as long as it worked: nobody waits for this
    work, and with 64 streams on two cores it left the answers no processor.
    """

    def __init__(self, executor: Executor, *, limit: int, rest: float = 0.0) -> None:
        self._executor = executor
        self._limit = limit
        self._rest = rest
        self._lock = threading.Lock()
        self._waiting: dict[Future[None], tuple[object, Work]] = {}
        self._is_at_work = False
        self._count = 0

    @property
    def count(self) -> int:
        """Pieces that wait or are being worked on."""
        return self._count

    def submit(self, owner: object, work: Work) -> "Future[None] | None":
        """Do this in its turn; None when too much waits already. A piece that is cancelled in time is not begun.

        `owner` is the same object for all pieces of one answer.
        """
        done: Future[None] = Future()
        with self._lock:
            if self._count >= self._limit:
                return None
            self._count += 1
            self._waiting[done] = owner, work
            is_idle, self._is_at_work = not self._is_at_work, True
        # However it ends, done, failed or cancelled, a piece leaves the queue: nothing is kept behind a stuck one.
        done.add_done_callback(self._leave)
        if is_idle:
            self._executor.submit(self._work)
        return done

    def _leave(self, done: "Future[None]") -> None:
        with self._lock:
            self._waiting.pop(done, None)
            self._count -= 1

    def _work(self) -> None:
        """Do all that waits, the oldest first."""
        while (piece := self._next()) is not None:
            done, owner, work = piece
            begun = time.monotonic()
            _do(done, work)
            if self._rest and self._has_others(owner):
                time.sleep(min(self._rest * (time.monotonic() - begun), _LONGEST_REST_S))

    def _next(self) -> "tuple[Future[None], object, Work] | None":
        with self._lock:
            for done in self._waiting:
                return done, *self._waiting.pop(done)
            self._is_at_work = False
            return None

    def _has_others(self, owner: object) -> bool:
        with self._lock:
            return any(other is not owner for other, _ in self._waiting.values())


def _do(done: "Future[None]", work: Work) -> None:
    if not done.set_running_or_notify_cancel():
        return
    try:
        work()
    except Exception as exc:  # noqa: BLE001 - raised again where it is waited for
        done.set_exception(exc)
    else:
        done.set_result(None)


class AdvisoryGuards:
    """The advisory guards of one answer. Feed it what was sent; `close` waits for the rest until the deadline.

    An answer has one piece of work in the queue at a time: what is sent in the meantime joins the next one. Without
    a queue, guards judge at once.
    """

    def __init__(
        self, guards: Sequence[tuple[Rule, SentenceGuard]], queue: BackgroundQueue | None, deadline_s: float
    ) -> None:
        self._guards = guards
        self._stream = SentenceStream([SafeJudge(guard, rule) for rule, guard in guards])
        self._queue = queue
        self._deadline_s = deadline_s
        self._inbox: deque[str] = deque()
        self._lock = threading.Lock()
        self._pending: Future[None] | None = None
        self._late: list[Verdict] = []
        self._taken = self._taken_late = 0

    @property
    def verdicts(self) -> list[Verdict]:
        """What was found so far; offsets are characters of what was fed."""
        return [*self._stream.verdicts, *self._late]

    def take(self) -> list[Verdict]:
        """What was found since this was asked last."""
        found, late = self._stream.verdicts[self._taken :], self._late[self._taken_late :]
        self._taken += len(found)
        self._taken_late += len(late)
        return [*found, *late]

    def feed(self, text: str) -> None:
        """Judge this too, in its turn."""
        if not self._guards or not text:
            return
        self._inbox.append(text)
        if self._queue is None:
            self._judge()
        elif self._pending is None or self._pending.done():
            # A full queue takes it with the next piece, or refuses it at the end.
            self._pending = self._queue.submit(self, self._judge)

    async def close(self) -> None:
        """Judge the rest; guards that are not done in time, or that the queue has no room for, are `LATE`."""
        if not self._guards:
            return
        if self._queue is None:
            self._finish()
            return
        try:
            async with asyncio.timeout(self._deadline_s):
                await self._finished(self._queue)
        except Exception as exc:  # noqa: BLE001 - any failure of a guard is the policy's to answer
            self._inbox.clear()
            self._late = [failed(guard.name, "output", rule, exc) for rule, guard in self._guards]

    async def _finished(self, queue: BackgroundQueue) -> None:
        if self._pending is not None:
            await asyncio.wrap_future(self._pending)
        last = queue.submit(self, self._finish)
        if last is None:
            raise TimeoutError
        await asyncio.wrap_future(last)

    def _judge(self) -> None:
        # One thread at a time; the order is that of the inbox.
        with self._lock:
            while self._inbox:
                try:
                    text = self._inbox.popleft()
                except IndexError:  # given up in the meantime
                    return
                self._stream.feed(text)

    def _finish(self) -> None:
        self._judge()
        with self._lock:
            self._stream.close()
