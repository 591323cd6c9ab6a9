"""Files of rows that are not in the database yet: left by a process that died, or by one whose database was away.

Who writes a file's rows into the database holds a lock on it, which dies with the process; so several gateways share
one folder, and none loses or repeats another's rows.
"""

import fcntl
import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path

import orjson

from service.answer.rows import Row, storable
from service.logs import get_logger

log = get_logger()
PARTIAL = ".partial"
PRIVATE = 0o600
SPILL, REFUSED = "answer-log-spill", "answer-log-refused.jsonl"


class Spill:
    """The files of one folder whose names begin alike."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def refused(self) -> Path:
        """The file of rows that the database refuses."""
        return self.path.with_name(REFUSED)

    def refuse(self, row: Row) -> None:
        """Keep a row that the database refuses for a person; it is never read again here. Raises `OSError`."""
        flags = os.O_CREAT | os.O_WRONLY | os.O_APPEND
        with os.fdopen(os.open(self.refused, flags, PRIVATE), "wb") as file:
            file.write(orjson.dumps(row, default=str) + b"\n")
            file.flush()
            os.fsync(file.fileno())

    def files(self) -> list[Path]:
        """The files that wait, the oldest name first."""
        found = self.path.parent.glob(f"{self.path.name}*")
        return sorted(path for path in found if path.suffix != PARTIAL)

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
            rows.append(storable({**row, "created_at": datetime.fromisoformat(row["created_at"])}))
        except (ValueError, KeyError, TypeError):
            log.warning("spill_line_unreadable")
    return rows
