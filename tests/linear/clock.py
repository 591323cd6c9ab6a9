"""Whether a reader's time grows with a text or faster, in the thread's own processor time."""

import gc
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from tests.linear.texts import Form

# The last two are longer than any window in which something is read.
SMALL, MIDDLE, LARGE = 1_250, 5_000, 20_000
# Four times the text: 4 for time that grows with it, 16 with its square; what no longer fits a processor's cache reaches 7.
MOST_GROWTH = 8.0
# Below this a measurement is noise, and a text of 200,000 characters takes a second at worst.
FLOOR_S = 0.003
# What needs so long for the middle and grows from the small on is not tried with the large: it would take minutes.
_HOPELESS_S = 1.0
# A pattern that tries every way to divide a text would never end.
MOST_S = 20.0
_TRIES = 10


@dataclass(frozen=True, slots=True)
class Growth:
    """A reader and a form of text, with the seconds at 5,000 and at 20,000 characters (None: not tried)."""

    reader: str
    form: str
    middle_s: float
    large_s: float | None

    def __str__(self) -> str:
        large = "hopeless" if self.large_s is None else f"{self.large_s:9.4f}"
        return f"{self.reader:32} {self.middle_s:9.4f} {large:>9}  {self.form}"


@contextmanager
def limited(most_s: float) -> Iterator[None]:
    """Raise `TimeoutError` after so many seconds of the process's own time, within a pattern too; in the main thread."""

    def stop(*_: object) -> None:
        raise TimeoutError

    before = signal.signal(signal.SIGVTALRM, stop)
    signal.setitimer(signal.ITIMER_VIRTUAL, most_s)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)


def seconds(read: Callable[[str], object], text: str) -> float:
    """Processor time of one call in this thread."""
    begun = time.thread_time()
    with limited(MOST_S):
        read(text)
    return time.thread_time() - begun


def growth(name: str, read: Callable[[str], object], form: Form) -> Growth | None:
    """The pair, when its time grows faster than the text in every try; texts differ, so that no cache knows them."""
    best: dict[int, float] = {}

    def measure(size: int, attempt: int) -> float:
        best[size] = min(best.get(size, float("inf")), seconds(read, form.text(size - attempt)))
        return best[size]

    # What a collector does in between is not the reader's.
    gc.disable()
    try:
        for attempt in range(_TRIES):
            small, middle = measure(SMALL, attempt), measure(MIDDLE, attempt)
            if middle > _HOPELESS_S and middle > MOST_GROWTH * small:
                continue
            large = measure(LARGE, attempt)
            if large <= FLOOR_S or large <= MOST_GROWTH * middle:
                return None
    except TimeoutError:
        best.setdefault(MIDDLE, MOST_S)
    finally:
        gc.enable()
    return Growth(name, form.name, best[MIDDLE], best.get(LARGE))
