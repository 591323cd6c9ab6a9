"""Judges of sentences that only tell: they read what was sent, beside the stream, and hold nobody up."""

import asyncio
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, Future

from service.guard.chain import SentenceGuard, Verdict
from service.guard.failure import SafeJudge, failed
from service.guard.sentence import SentenceStream
from service.policy import Rule

# How much the last piece of work counts in the mean that a wait is foretold by.
_NEW = 0.2
_LONGEST_REST_S = 0.5


class Turns:
    """Watchers' turns in one thread. While others wait for theirs, it rests `rest` times as long as it worked.

    What nobody waits for must not take the processors from those who answer: with 64 streams on two cores they had
    nothing left.
    """

    def __init__(self, executor: Executor, *, rest: float = 0.0) -> None:
        self._executor = executor
        self._rest = rest
        self._lock = threading.Lock()
        self._waiting = 0
        self._mean_s = 0.0

    def submit(self, work: Callable[[], None]) -> "Future[None]":
        """Do this in its turn."""
        with self._lock:
            self._waiting += 1
        return self._executor.submit(self._do, work)

    @property
    def wait_s(self) -> float:
        """How long what is submitted now will take, going by what was."""
        with self._lock:
            return (self._waiting + 1) * self._mean_s * (1 + self._rest)

    def _do(self, work: Callable[[], None]) -> None:
        begun = time.monotonic()
        try:
            work()
        finally:
            took = time.monotonic() - begun
            with self._lock:
                self._waiting -= 1
                self._mean_s += _NEW * (took - self._mean_s)
                has_others = self._waiting > 0
            if has_others and self._rest:
                time.sleep(min(self._rest * took, _LONGEST_REST_S))


class Watcher:
    """Feed it what was sent; `close` waits for the rest, and no longer than `deadline_s`, or not at all when that
    would not do.

    Works in turns of its own, so that judges that decide never wait behind it; without turns at once.
    """

    def __init__(
        self, guards: Sequence[tuple[Rule, SentenceGuard]], turns: Turns | None, deadline_s: float
    ) -> None:
        self._guards = guards
        self._stream = SentenceStream([SafeJudge(guard, rule) for rule, guard in guards])
        self._turns = turns
        self._deadline_s = deadline_s
        self._inbox: deque[str] = deque()
        self._lock = threading.Lock()
        self._late: list[Verdict] = []

    @property
    def verdicts(self) -> list[Verdict]:
        """What was found so far."""
        return [*self._stream.verdicts, *self._late]

    def feed(self, text: str) -> None:
        """Judge this too, in its turn."""
        if not self._guards or not text:
            return
        self._inbox.append(text)
        if self._turns is None:
            self._drain()
        else:
            self._turns.submit(self._drain)

    async def close(self) -> None:
        """Judge the rest; what is not judged in time is told of as `LATE`."""
        if not self._guards:
            return
        if self._turns is None:
            self._finish()
            return
        try:
            if self._turns.wait_s > self._deadline_s:
                raise TimeoutError
            await asyncio.wait_for(asyncio.wrap_future(self._turns.submit(self._finish)), self._deadline_s)
        except TimeoutError as exc:
            self._inbox.clear()
            self._late = [failed(guard.name, "output", rule, exc) for rule, guard in self._guards]

    def _drain(self) -> None:
        # Whoever comes first takes all; the order is that of the inbox.
        with self._lock:
            while self._inbox:
                try:
                    text = self._inbox.popleft()
                except IndexError:  # given up in the meantime
                    return
                self._stream.feed(text)

    def _finish(self) -> None:
        self._drain()
        with self._lock:
            self._stream.close()
