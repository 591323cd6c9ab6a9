"""Rows that can't go into the database now, kept in files of whole lines until they can.

Every batch is a file of its own with a name that nobody else gives, written beside its place and moved there, so a
crash leaves no half line. Who writes a file's rows into the database holds a lock on it, which dies with the process;
so several gateways share one folder, and none loses or repeats another's rows.
"""

import fcntl
import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import orjson

from service.logs import get_logger

log = get_logger()
Row = dict[str, Any]
_PARTIAL = ".partial"


class Spill:
    """The files of one folder whose names begin alike."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def put(self, rows: Sequence[Row]) -> None:
        """Keep rows. Raises `OSError` when the disk is full or the folder can't be written."""
        final = self._path.with_name(f"{self._path.name}.{uuid4().hex}")
        partial = final.with_name(f"{final.name}{_PARTIAL}")
        self._path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with partial.open("wb") as file:
                file.writelines(orjson.dumps(row) + b"\n" for row in rows)
                file.flush()
                os.fsync(file.fileno())
            partial.replace(final)
        except BaseException:
            partial.unlink(missing_ok=True)
            raise

    def files(self) -> list[Path]:
        """The files that wait, the oldest name first."""
        found = self._path.parent.glob(f"{self._path.name}*")
        return sorted(path for path in found if path.suffix != _PARTIAL)

    def drain(self, write: Callable[[Sequence[Row]], None]) -> int:
        """Give each file's rows to `write` and remove it; how many rows. What `write` raises leaves the file there."""
        return sum(_drained(path, write) for path in self.files())


def _drained(path: Path, write: Callable[[Sequence[Row]], None]) -> int:
    with (
        suppress(FileNotFoundError, BlockingIOError),
        path.open("rb") as file,
    ):  # another process has or had it
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if not path.exists():
            return 0  # removed between opening and locking
        rows = read_rows(file.read())
        if rows:
            write(rows)
        path.unlink()
        return len(rows)
    return 0


def read_rows(data: bytes) -> list[Row]:
    """Rows of a spill file; a line that a crash cut off is passed over."""
    rows: list[Row] = []
    for line in data.splitlines():
        try:
            row: Row = orjson.loads(line)
            rows.append({**row, "created_at": datetime.fromisoformat(row["created_at"])})
        except (ValueError, KeyError):
            log.warning("spill_line_unreadable")
    return rows
