"""Judges of sentences that only tell: they read what was sent, beside the stream, and hold nobody up."""

import asyncio
import threading
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Executor

from service.guard.chain import SentenceGuard, Verdict
from service.guard.failure import SafeJudge, failed
from service.guard.sentence import SentenceStream
from service.policy import Rule


class Watcher:
    """Feed it what was sent; `close` waits for the rest, and no longer than `deadline_s`.

    Works in threads of its own, so that judges that decide never wait behind it; without an executor at once.
    """

    def __init__(
        self, guards: Sequence[tuple[Rule, SentenceGuard]], executor: Executor | None, deadline_s: float
    ) -> None:
        self._guards = guards
        self._stream = SentenceStream([SafeJudge(guard, rule) for rule, guard in guards])
        self._executor = executor
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
        if self._executor is None:
            self._drain()
        else:
            self._executor.submit(self._drain)

    async def close(self) -> None:
        """Judge the rest; what is not judged in time is told of as `LATE`."""
        if not self._guards:
            return
        if self._executor is None:
            self._finish()
            return
        try:
            await asyncio.wait_for(asyncio.wrap_future(self._executor.submit(self._finish)), self._deadline_s)
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
