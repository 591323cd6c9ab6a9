"""Where the work is done: in this process, in child processes of this machine, or on Ray.

Children are for safety as much as for speed: a file that makes a reader hang or eat memory costs one
child, which is replaced, and one line in the report.
"""

import multiprocessing
import os
import resource
import sys
import time
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from typing import Protocol

import numpy as np

from ingestion.corpus import Source
from ingestion.embed import Embedder, Embeddings
from ingestion.embed.values import without_tokens
from ingestion.errors import IngestionError, SourceError
from ingestion.prepare.preparer import Plan, PreparedDocument, Preparer

# A document gets a minute, and a second more for every 100 kB.
_BASE_S, _BYTES_PER_S = 60.0, 100_000
_MEMORY_BYTES = 3 * 1024**3
_CRASHED = "The reader crashed on it or ran out of memory."
_AHEAD = 16  # sources waiting for each child


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a source could not be prepared."""

    reason: str


Result = tuple[Source, PreparedDocument | Failure]


class Workers(Protocol):
    """Spreads the two costly stages. Both keep the order of what they are given."""

    def prepare(self, plan: Plan, sources: Iterable[Source]) -> Iterator[Result]:
        """Prepare sources. One that can't be prepared is a `Failure`."""
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
        key = repr(plan)
        if key not in self._preparers:
            self._preparers = {key: Preparer(plan, self._embedder)}
        for source in sources:
            yield source, _attempt(self._preparers[key], source)

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


def _attempt(preparer: Preparer, source: Source) -> PreparedDocument | Failure:
    try:
        return preparer.prepare(source)
    except SourceError as exc:
        return Failure(str(exc))
    except MemoryError:
        return Failure(f"Reading it takes more than {_MEMORY_BYTES // 1024**3} GB of memory. Split it.")


@dataclass(slots=True)
class _Child:
    """A process that prepares, and what it has been given."""

    process: SpawnProcess
    pipe: Connection
    given: deque[tuple[int, Source]] = field(default_factory=deque)
    begun: float = 0.0

    @property
    def deadline(self) -> float:
        """When the source in hand has taken too long."""
        return self.begun + allowance_s(self.given[0][1]) if self.given else float("inf")


def allowance_s(source: Source) -> float:
    """Seconds that preparing a source may take."""
    return _BASE_S + source.size_bytes / _BYTES_PER_S


class LocalWorkers:
    """Child processes of this machine prepare, this process embeds."""

    def __init__(self, workers: int = 0, *, time_factor: float = 1.0) -> None:
        self._count = workers or max(1, (os.cpu_count() or 2) // 2)
        self._time_factor = time_factor
        self._children: list[_Child] = []
        self._plan: Plan | None = None
        self._lost: list[tuple[int, Result]] = []

    def prepare(self, plan: Plan, sources: Iterable[Source]) -> Iterator[Result]:
        """In as many children as the engine has; at most a few sources are in the air."""
        self._plan = plan
        waiting = enumerate(sources)
        done: dict[int, Result] = {}
        next_out, taken, exhausted = 0, 0, False
        while True:
            while not exhausted and taken - next_out < self._count * _AHEAD * 2:
                child = self._free()
                if child is None:
                    break
                item = next(waiting, None)
                if item is None:
                    exhausted = True
                    break
                taken += 1
                self._give(child, *item)
            while next_out in done:
                yield done.pop(next_out)
                next_out += 1
            if exhausted and next_out == taken:
                return
            if next_out not in done:
                for number, result in self._collect():
                    done[number] = result

    def embed(self, embedder: Embedder, batches: Iterable[list[str]]) -> Iterator[Embeddings]:
        """In this process; the embedder uses every core by itself."""
        yield from embed_here(embedder, batches)

    def _free(self) -> _Child | None:
        while len(self._children) < self._count:
            self._children.append(self._start())
        child = min(self._children, key=lambda one: len(one.given))
        return child if len(child.given) < _AHEAD else None

    def _start(self) -> _Child:
        context = multiprocessing.get_context("spawn")
        here, there = context.Pipe()
        process = context.Process(target=_child_main, args=(there,), daemon=True)
        with _importable_main():
            process.start()
        there.close()
        return _Child(process, here)

    def _give(self, child: _Child, number: int, source: Source) -> None:
        try:
            child.pipe.send((number, self._plan, source))
        except OSError:
            # It has died. What it had in hand is to blame; this one goes to its successor.
            if child.given:
                self._lost.append(self._lose(child, _CRASHED))
            else:
                self._replace(child)
            self._give(self._children[-1], number, source)
            return
        if not child.given:
            child.begun = time.monotonic()
        child.given.append((number, source))

    def _collect(self) -> Iterator[tuple[int, Result]]:
        while self._lost:
            yield self._lost.pop()
        busy = [child for child in self._children if child.given]
        ready = wait([child.pipe for child in busy], timeout=0.25)
        for child in busy:
            if child.pipe in ready:
                yield self._receive(child)
            elif time.monotonic() > child.begun + (child.deadline - child.begun) * self._time_factor:
                limit = allowance_s(child.given[0][1]) * self._time_factor
                yield self._lose(child, f"Reading it took more than {limit:.0f} s, so it was given up.")

    def _receive(self, child: _Child) -> tuple[int, Result]:
        try:
            number, result = child.pipe.recv()
        except (EOFError, OSError):
            return self._lose(child, _CRASHED)
        if isinstance(result, IngestionError):
            raise result
        _, source = child.given.popleft()
        child.begun = time.monotonic()
        return number, (source, result)

    def _lose(self, child: _Child, reason: str) -> tuple[int, Result]:
        """Replace a child; what it had not begun goes to its successor."""
        number, source = child.given.popleft()
        successor = self._replace(child)
        for later in child.given:
            self._give(successor, *later)
        return number, (source, Failure(reason))

    def _replace(self, child: _Child) -> _Child:
        _stop(child)
        self._children.remove(child)
        successor = self._start()
        self._children.append(successor)
        return successor

    def close(self) -> None:
        """Stop the children."""
        for child in self._children:
            _stop(child)
        self._children = []


def _stop(child: _Child) -> None:
    child.pipe.close()
    if child.process.is_alive():
        child.process.kill()
    child.process.join(10)


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


def _child_main(pipe: Connection) -> None:
    """Prepare whatever comes until the pipe closes."""
    resource.setrlimit(resource.RLIMIT_DATA, (_MEMORY_BYTES, _MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    preparers: dict[str, Preparer] = {}
    with suppress(EOFError, OSError, KeyboardInterrupt):
        while True:
            number, plan, source = pipe.recv()
            try:
                key = repr(plan)
                if key not in preparers:
                    preparers = {key: Preparer(plan)}
                pipe.send((number, _attempt(preparers[key], source)))
            except IngestionError as exc:
                pipe.send((number, exc))
