"""Where the work is done: in this process, in child processes of this machine, or on Ray.

Children are for safety as much as for speed: a file that makes a reader hang or eat memory costs one
child, which is replaced, and one line in the report.
"""

import os
import threading
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import numpy as np

from ingestion.corpus import Source
from ingestion.embed import Embedder, Embeddings
from ingestion.embed.values import without_tokens
from ingestion.errors import IngestionError, SourceError, StoppedError, WorkersError
from ingestion.prepare.preparer import Plan, PreparedDocument, Preparer
from ingestion.runs.child import MEMORY_BYTES, Child, ChildError, ChildStartError, ChildStuckError

# A document gets a minute, and a second more for every 20 kB: a PDF of 300 pages takes 70 s where a processor is slow.
_BASE_S, _BYTES_PER_S, _MOST_S = 60.0, 20_000, 3_600.0
_STARTS = 3  # tries before a pool says that it can't work
_CRASHED = "The reader crashed on it or ran out of memory."
_AHEAD = 16  # sources that wait or are done, for each child


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a source could not be prepared."""

    reason: str


Result = tuple[Source, PreparedDocument | Failure]
Outline = tuple[str, ...]
Task = Literal["prepare", "outline"]


class Workers(Protocol):
    """Spreads the two costly stages. Both keep the order of what they are given."""

    def prepare(self, plan: Plan, sources: Iterable[Source]) -> Iterator[Result]:
        """Prepare sources. One that can't be prepared is a `Failure`."""
        ...

    def outline(self, plan: Plan, sources: Iterable[Source]) -> Iterator[tuple[Source, Outline | Failure]]:
        """Keys of the texts at each source's edges (`Preparer.outline`)."""
        ...

    def embed(self, embedder: Embedder, batches: Iterable[list[str]]) -> Iterator[Embeddings]:
        """Vectors and token codes of each batch of texts."""
        ...

    def close(self) -> None:
        """Stop whatever was started."""
        ...


def texts_of(group: Sequence[PreparedDocument]) -> list[str]:
    """What is embedded of a group."""
    return [chunk.embedded_text for one in group for chunk in one.chunks]


class InlineWorkers:
    """Everything in this process: for tests and for a few trusted documents."""

    def __init__(self, embedder: Embedder | None = None) -> None:
        self._embedder = embedder
        self._preparers: dict[str, Preparer] = {}

    def prepare(self, plan: Plan, sources: Iterable[Source]) -> Iterator[Result]:
        """One after the other."""
        return self.do("prepare", plan, sources)

    def outline(self, plan: Plan, sources: Iterable[Source]) -> Iterator[tuple[Source, Outline | Failure]]:
        """One after the other."""
        return self.do("outline", plan, sources)

    def do(self, task: Task, plan: Plan, sources: Iterable[Source]) -> Iterator[tuple[Source, Any]]:
        """A task of a preparer for each source."""
        key = repr(plan)
        if key not in self._preparers:
            self._preparers = {key: Preparer(plan, self._embedder)}
        for source in sources:
            yield source, _attempt(self._preparers[key], task, source)

    def embed(self, embedder: Embedder, batches: Iterable[list[str]]) -> Iterator[Embeddings]:
        """One batch after the other."""
        yield from embed_here(embedder, batches)

    def close(self) -> None:
        """Nothing was started."""


def embed_here(embedder: Embedder, batches: Iterable[list[str]]) -> Iterator[Embeddings]:
    """Embed batches with an embedder of this process."""
    for texts in batches:
        none = without_tokens(np.empty((0, embedder.dimension), np.float32))
        yield embedder.encode(texts) if texts else none


def _attempt(preparer: Preparer, task: Task, source: Source) -> Any:
    try:
        return preparer.outline(source) if task == "outline" else preparer.prepare(source)
    except SourceError as exc:
        return Failure(str(exc))
    except MemoryError:
        return Failure(f"Reading it takes more than {MEMORY_BYTES // 1024**3} GB of memory. Split it.")


def allowance_s(source: Source) -> float:
    """Seconds of a processor that preparing a source may take."""
    return min(_BASE_S + source.size_bytes / _BYTES_PER_S, _MOST_S)


class _Preparing:
    """What a child does: a task for a source. It keeps the preparer of the last plan."""

    def __init__(self) -> None:
        self._key = ""
        self._preparer: Preparer | None = None

    def __call__(self, job: tuple[Task, Plan, Source]) -> Any:
        task, plan, source = job
        try:
            if self._preparer is None or self._key != repr(plan):
                self._preparer, self._key = Preparer(plan), repr(plan)
            return _attempt(self._preparer, task, source)
        except IngestionError as exc:
            return exc


class LocalWorkers:
    """Child processes of this machine prepare, this process embeds. A thread waits for each child."""

    def __init__(self, workers: int = 0, *, time_factor: float = 1.0) -> None:
        self._count = workers or max(1, (os.cpu_count() or 2) // 2)
        self._time_factor = time_factor
        self._threads = ThreadPoolExecutor(self._count, "reader")
        self._lock = threading.Lock()
        self._idle: list[Child] = []
        self._busy: list[Child] = []
        self._is_closed = False
        self._trouble = ""

    @property
    def trouble(self) -> str:
        """Why no source can be prepared just now; empty when they can, as far as is known."""
        return self._trouble

    @property
    def pids(self) -> list[int]:
        """The processes."""
        with self._lock:
            return [child.pid for child in (*self._idle, *self._busy)]

    def prepare(self, plan: Plan, sources: Iterable[Source]) -> Iterator[Result]:
        """In as many children as the engine has; at most a few sources are in the air.

        Raises `StoppedError` when it is closed meanwhile, `WorkersError` when no child can be started.
        """
        return self._do("prepare", plan, sources)

    def outline(self, plan: Plan, sources: Iterable[Source]) -> Iterator[tuple[Source, Outline | Failure]]:
        """As they are prepared, and raises the same."""
        return self._do("outline", plan, sources)

    def _do(self, task: Task, plan: Plan, sources: Iterable[Source]) -> Iterator[tuple[Source, Any]]:
        waiting: deque[tuple[Source, Future[Any]]] = deque()
        try:
            for source in sources:
                waiting.append((source, self._submit(task, plan, source)))
                while waiting and (waiting[0][1].done() or len(waiting) >= self._count * _AHEAD):
                    yield _first(waiting)
            while waiting:
                yield _first(waiting)
        finally:
            for _, future in waiting:
                future.cancel()

    def _submit(self, task: Task, plan: Plan, source: Source) -> "Future[Any]":
        with self._lock:
            self._check_open()
            return self._threads.submit(self._attend, task, plan, source)

    def embed(self, embedder: Embedder, batches: Iterable[list[str]]) -> Iterator[Embeddings]:
        """In this process; the embedder uses every core by itself. Raises `StoppedError` when it is closed meanwhile."""
        for texts in batches:
            self._check_open()
            yield from embed_here(embedder, [texts])

    def _attend(self, task: Task, plan: Plan, source: Source) -> Any:
        """Have a child do a task. One that does not answer is replaced."""
        child = self._take()
        limit_s = allowance_s(source) * self._time_factor
        try:
            result = child.ask((task, plan, source), limit_s)
        except ChildError as exc:
            self._drop(child)
            if isinstance(exc, ChildStuckError):
                return Failure(f"Reading it took more than {limit_s:.0f} s, so it was given up.")
            return Failure(_CRASHED)
        except BaseException:
            self._drop(child)
            raise
        self._give_back(child)
        if isinstance(result, IngestionError):
            raise result
        return result

    def _take(self) -> Child:
        """A child that lives, for one source."""
        while True:
            with self._lock:
                self._check_open()
                child = self._idle.pop() if self._idle else None
                if child is not None and child.is_alive:
                    self._busy.append(child)
                    return child
            if child is None:
                break
            child.stop()
        child = self._started()
        with self._lock:
            if not self._is_closed:
                self._busy.append(child)
                return child
        child.stop()
        raise _stopped()

    def _started(self) -> Child:
        for _ in range(_STARTS):
            try:
                child = Child(_Preparing())
            except ChildStartError as exc:
                self._trouble = str(exc)
            else:
                self._trouble = ""
                return child
        raise WorkersError(
            f"Documents can't be read just now: {self._trouble}. Look at the limits on memory and processes."
        )

    def _give_back(self, child: Child) -> None:
        with self._lock:
            self._busy.remove(child)
            if not self._is_closed:
                self._idle.append(child)
                return
        child.stop()

    def _drop(self, child: Child) -> None:
        with self._lock:
            self._busy.remove(child)
            is_closed = self._is_closed
        child.stop()
        if is_closed:
            raise _stopped()

    def _check_open(self) -> None:
        if self._is_closed:
            raise _stopped()

    def close(self) -> None:
        """Stop the children, also those at work; what they had in hand raises `StoppedError`."""
        with self._lock:
            self._is_closed = True
            idle, self._idle = self._idle, []
            for child in self._busy:
                child.kill()
        for child in idle:
            child.stop()
        self._threads.shutdown(cancel_futures=True)


def _first(waiting: "deque[tuple[Source, Future[Any]]]") -> tuple[Source, Any]:
    source, future = waiting.popleft()
    try:
        return source, future.result()
    except CancelledError:
        raise _stopped() from None


def _stopped() -> StoppedError:
    return StoppedError("The service is stopping, so it was not read. Send it again.")
