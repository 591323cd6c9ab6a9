"""Judges of sentences that only tell: they read what was sent, beside the stream, and hold nobody up."""

import asyncio
import threading
from collections import deque
from collections.abc import Sequence

from service.guard.chain import SentenceGuard, Verdict
from service.guard.sentence import SentenceStream


class Watcher:
    """Feed it what was sent; `close` waits for what is still being judged."""

    def __init__(self, guards: Sequence[SentenceGuard], *, in_thread: bool) -> None:
        self._stream = SentenceStream(guards)
        self._is_idle = not guards
        self._in_thread = in_thread
        self._inbox: deque[str] = deque()
        self._lock = threading.Lock()
        self._running: list[asyncio.Future[None]] = []

    @property
    def verdicts(self) -> list[Verdict]:
        """What was found so far."""
        return list(self._stream.verdicts)

    def feed(self, text: str) -> None:
        """Judge this too, in its turn."""
        if self._is_idle or not text:
            return
        self._inbox.append(text)
        if self._in_thread:
            self._running.append(asyncio.get_running_loop().run_in_executor(None, self._drain))
        else:
            self._drain()

    async def close(self) -> None:
        """Judge the rest."""
        if self._is_idle:
            return
        await asyncio.gather(*self._running)
        if self._in_thread:
            await asyncio.to_thread(self._stream.close)
        else:
            self._stream.close()

    def _drain(self) -> None:
        # Whoever comes first takes all; the order is that of the inbox.
        with self._lock:
            while self._inbox:
                self._stream.feed(self._inbox.popleft())
