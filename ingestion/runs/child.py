"""A process of this machine that answers one message after the other, and that nobody waits for without a bound.

The parent never blocks on the socket, and the child writes only when it has read the whole message, so the two can't
wait for each other. A message has so many seconds of processor time, however busy the machine is, and as many in
which the child sleeps. Knows nothing of documents.
"""

import multiprocessing
import os
import pickle
import resource
import select
import signal
import socket
import struct
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from multiprocessing import resource_tracker
from multiprocessing.context import SpawnProcess
from pathlib import Path
from typing import Any

Work = Callable[[Any], Any]

MEMORY_BYTES = 3 * 1024**3
_SIZE = struct.Struct("!Q")
_PIECE_BYTES = 1 << 20
_TICK_S = 0.25
_START_S = 120.0
_RUNNING = "R"
_STARTING = threading.Lock()  # a start changes the main module for a moment


class ChildError(Exception):
    """A child did not answer."""


class ChildDiedError(ChildError):
    """It ended in the middle of a message."""


class ChildStuckError(ChildError):
    """It used up its processor time, or slept."""


class ChildStartError(ChildError):
    """It ended before it could take a message, so no message is to blame."""


class Child:
    """A process that does a work for each message."""

    def __init__(self, work: Work) -> None:
        """`work` is pickled. Raises `ChildStartError`."""
        self._socket, there = socket.socketpair()
        self._process = multiprocessing.get_context("spawn").Process(
            target=_main, args=(work, there), daemon=True
        )
        try:
            self._start(there)
        except BaseException:
            self.stop()
            raise

    def _start(self, there: socket.socket) -> None:
        try:
            with there, _STARTING, _importable_main(), _without_interrupts():
                self._process.start()
        except OSError as exc:
            raise ChildStartError(f"no process can be started: {exc.strerror}") from exc
        self._socket.setblocking(False)
        try:
            self._receive(_Spent(self._process, _START_S))
        except (ChildError, OSError) as exc:
            raise ChildStartError("the process ends as soon as it is started") from exc

    @property
    def pid(self) -> int:
        """The process's id."""
        return self._process.pid or 0

    @property
    def is_alive(self) -> bool:
        """Whether the process has not ended."""
        return self._process.is_alive()

    def ask(self, message: Any, limit_s: float) -> Any:
        """The answer. Raises `ChildDiedError` or `ChildStuckError`; the child is of no use then."""
        spent = _Spent(self._process, limit_s)
        try:
            self._send(pickle.dumps((limit_s, message), pickle.HIGHEST_PROTOCOL), spent)
            return self._receive(spent)
        except OSError as exc:
            raise ChildDiedError("the process ended") from exc

    def _send(self, body: bytes, spent: "_Spent") -> None:
        left = memoryview(_SIZE.pack(len(body)) + body)
        while left:
            self._wait(select.POLLOUT, spent)
            left = left[self._socket.send(left[:_PIECE_BYTES]) :]

    def _receive(self, spent: "_Spent") -> Any:
        (size,) = _SIZE.unpack(self._read(_SIZE.size, spent))
        return pickle.loads(self._read(size, spent))

    def _read(self, size: int, spent: "_Spent") -> bytes:
        found = bytearray()
        while len(found) < size:
            self._wait(select.POLLIN, spent)
            piece = self._socket.recv(min(size - len(found), _PIECE_BYTES))
            if not piece:
                raise ChildDiedError("the process ended")
            found += piece
        return bytes(found)

    def _wait(self, event: int, spent: "_Spent") -> None:
        poll = select.poll()
        poll.register(self._socket, event)
        while not poll.poll(_TICK_S * 1000):
            spent.check()

    def kill(self) -> None:
        """End the process; whoever waits for its answer hears of it. May be called from any thread."""
        with suppress(ValueError, AttributeError, OSError):  # it was never started, or is closed already
            self._process.kill()

    def stop(self) -> None:
        """End the process and free what belongs to it."""
        self.kill()
        self._socket.close()
        if self._process.pid is not None:
            self._process.join(10)


class _Spent:
    """What a child has spent on a message: seconds of a processor, and seconds of sleep."""

    def __init__(self, process: SpawnProcess, limit_s: float) -> None:
        self._process = process
        self._limit_s = limit_s
        self._begun_s, _ = _processor(process.pid)
        self._used_s, self._asleep_s, self._seen = self._begun_s, 0.0, time.monotonic()

    def check(self) -> None:
        """Raise `ChildStuckError` when either is used up."""
        used, state = _processor(self._process.pid)
        now = time.monotonic()
        if used <= self._used_s and state != _RUNNING:
            # A machine that was suspended has not let it sleep: a look counts for no more than a few ticks.
            self._asleep_s += min(now - self._seen, 4 * _TICK_S)
        self._used_s, self._seen = used, now
        if max(used - self._begun_s, self._asleep_s) > self._limit_s:
            raise ChildStuckError(f"it took more than {self._limit_s:.0f} s")


def _processor(pid: int | None) -> tuple[float, str]:
    """Seconds of a processor that a process has used, and its state; without /proc it counts as asleep."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text("ascii", "replace")
    except OSError:
        return 0.0, ""
    fields = stat.rpartition(")")[2].split()
    ticks = int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK"), fields[0]


@contextmanager
def _without_interrupts() -> Iterator[None]:
    """A child inherits that it hears of no SIGINT, also while it imports: a terminal sends it to all, and the parent
    ends its children."""
    resource_tracker.ensure_running()  # when it starts beside a child, it lets the signal through again
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


class _importable_main:
    """Children import the main module again, which can't be done for one that was read from standard input."""

    def __enter__(self) -> None:
        main = sys.modules["__main__"]
        self._file = getattr(main, "__file__", None)
        self._spec = getattr(main, "__spec__", None)
        if self._spec is not None:
            main.__spec__ = None
        if self._file is not None:
            del main.__file__

    def __exit__(self, *_: object) -> None:
        main = sys.modules["__main__"]
        if self._spec is not None:
            main.__spec__ = self._spec
        if self._file is not None:
            main.__file__ = self._file


def _main(work: Work, pipe: socket.socket) -> None:
    """Answer whatever comes until the parent is gone."""
    resource.setrlimit(resource.RLIMIT_DATA, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with suppress(EOFError, OSError), pipe.makefile("rb") as reading:
        _write(pipe, None)
        while True:
            limit_s, message = _read(reading)
            _bound_processor(limit_s)
            _write(pipe, work(message))


def _bound_processor(limit_s: float) -> None:
    """Let the kernel end this process when it goes on for long after the limit: its parent may be gone."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    wanted = int(used.ru_utime + used.ru_stime + 2 * limit_s) + 10
    resource.setrlimit(
        resource.RLIMIT_CPU, (wanted if hard == resource.RLIM_INFINITY else min(wanted, hard), hard)
    )


def _read(reading: Any) -> Any:
    head = reading.read(_SIZE.size)
    if len(head) < _SIZE.size:
        raise EOFError
    (size,) = _SIZE.unpack(head)
    body = reading.read(size)
    if len(body) < size:
        raise EOFError
    return pickle.loads(body)


def _write(pipe: socket.socket, answer: Any) -> None:
    body = pickle.dumps(answer, pickle.HIGHEST_PROTOCOL)
    pipe.sendall(_SIZE.pack(len(body)))
    pipe.sendall(body)
