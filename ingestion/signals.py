"""A command that is told to stop ends in words, frees what it holds, and has the exit status that shells expect."""

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

# What is left of a command that can't let go, such as a library that holds the processor, ends after so long.
_GRACE_S = 10.0


class ToldToStop(BaseException):
    """The process got a signal to end. No `except Exception` keeps it from that."""

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.status = 128 + number


@contextmanager
def stoppable() -> Iterator[None]:
    """Raise `ToldToStop` in the main thread on SIGINT and SIGTERM; a second one ends the process at once.

    Elsewhere than in the main thread nothing changes, because no signal can be heard there.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, _stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _stop(number: int, _: Any) -> None:
    for one in (signal.SIGINT, signal.SIGTERM):
        signal.signal(one, _end)
    hard = threading.Timer(_GRACE_S, os._exit, (128 + number,))
    hard.daemon = True
    hard.start()
    raise ToldToStop(number)


def _end(number: int, _: Any) -> None:
    os._exit(128 + number)
