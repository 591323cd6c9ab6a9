"""Judges of sentences that only tell: they read what was sent, beside the stream, and hold nobody up."""

import asyncio
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, Future

from service.guard.chain import SentenceGuard, Verdict
from service.guard.failure import SafeJudge, failed
from service.guard.stream.sentences import SentenceStream
from service.scope.policy import Rule

# How much the last piece of work counts in the mean that a wait is foretold by.
_NEW = 0.2
_LONGEST_REST_S = 0.5


class Turns:
    """Watchers' turns in one thread. While other answers wait for theirs, it rests `rest` times as long as it worked.

    What nobody waits for must not take the processors from those who answer: with 64 streams on two cores they had
    nothing left.
    """

    def __init__(self, executor: Executor, *, rest: float = 0.0) -> None:
        self._executor = executor
        self._rest = rest
        self._lock = threading.Lock()
        self._waiting: Counter[int] = Counter()  # by owner, what is being done included
        self._mean_s = 0.0

    def submit(self, owner: int, work: Callable[[], None]) -> "Future[None]":
        """Do this in its turn; `owner` is the same for all work of one answer."""
        with self._lock:
            self._waiting[owner] += 1
        return self._executor.submit(self._do, owner, work)

    def wait_s(self, owner: int) -> float:
        """How long what an owner submits now will take, going by what was."""
        with self._lock:
            rests = self._rest if self._has_others(owner) else 0.0
            return self._mean_s * (1 + self._waiting.total() * (1 + rests))

    def _has_others(self, owner: int) -> bool:
        return self._waiting.total() > self._waiting[owner]

    def _do(self, owner: int, work: Callable[[], None]) -> None:
        begun = time.monotonic()
        try:
            work()
        finally:
            took = time.monotonic() - begun
            with self._lock:
                self._waiting -= Counter({owner: 1})
                self._mean_s += _NEW * (took - self._mean_s)
                has_others = self._has_others(owner)
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
            self._turns.submit(id(self), self._drain)

    async def close(self) -> None:
        """Judge the rest; what is not judged in time is told of as `LATE`."""
        if not self._guards:
            return
        if self._turns is None:
            self._finish()
            return
        try:
            if self._turns.wait_s(id(self)) > self._deadline_s:
                raise TimeoutError
            await asyncio.wait_for(
                asyncio.wrap_future(self._turns.submit(id(self), self._finish)), self._deadline_s
            )
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
