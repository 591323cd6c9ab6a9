"""Rows on the disk before anybody is told of them: one file at a time, one flush for all rows of a moment.

A journal file lies among the spill files and is locked while its process lives, so that another process, or a later
one, writes the rows of a process that died. Knows nothing of the database.
"""

import fcntl
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import orjson

from ingestion.atomic import sync
from service.answer.rows import Row
from service.answer.spill import PARTIAL, PRIVATE


@dataclass(frozen=True, slots=True)
class SealedFile:
    """A journal file that gets no more rows, and the rows it has."""

    path: Path
    descriptor: int
    rows: tuple[Row, ...]

    def remove(self) -> None:
        """Its rows are in the database."""
        self.path.unlink(missing_ok=True)
        os.close(self.descriptor)

    def release(self) -> None:
        """Leave it among the spill files, for whoever drains them."""
        fcntl.flock(self.descriptor, fcntl.LOCK_UN)
        os.close(self.descriptor)


class Journal:
    """Appends rows to a file of its own. Use it from one thread at a time."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._current: Path | None = None
        self._descriptor = -1
        self._length = 0
        self._rows: list[Row] = []

    def append(self, rows: Sequence[Row]) -> None:
        """Keep rows; on return they survive a power cut. Raises `OSError`, and then keeps none of them."""
        lines = b"".join(orjson.dumps(row) + b"\n" for row in rows)
        if self._current is None:
            self._begin()
        try:
            _write_all(self._descriptor, lines)
            os.fsync(self._descriptor)
        except OSError:
            # What was written of them must not come back: their answers were refused.
            os.ftruncate(self._descriptor, self._length)
            raise
        self._length += len(lines)
        self._rows += rows

    def seal(self) -> SealedFile | None:
        """Hand over what was appended since the last time; None for nothing."""
        if self._current is None or not self._rows:
            return None
        sealed = SealedFile(self._current, self._descriptor, tuple(self._rows))
        self._current, self._rows = None, []
        return sealed

    def close(self) -> None:
        """Let go of a file without rows."""
        if self._current is not None:
            SealedFile(self._current, self._descriptor, ()).remove()
            self._current = None

    def _begin(self) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        path = self._path.with_name(f"{self._path.name}.{uuid4().hex}")
        # Locked before it has its name: nobody may take it for one that a process left behind.
        partial = path.with_name(f"{path.name}{PARTIAL}")
        descriptor = os.open(partial, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_APPEND, PRIVATE)
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        partial.replace(path)
        sync(path.parent)
        self._current, self._descriptor, self._length = path, descriptor, 0


def _write_all(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]
