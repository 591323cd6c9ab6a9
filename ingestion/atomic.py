"""Files that survive a power cut: written beside their place, flushed, then moved there. Files of their owner alone."""

import os
import secrets
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ingestion.errors import StateError

_PRIVATE = 0o077


def write_atomically(path: Path, text: str) -> None:
    """Replace a file so that a reader sees the old or the new one, also after a power cut."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with temporary.open("w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    sync(path.parent)


def sync(path: Path) -> None:
    """Flush a file or the names in a folder to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """For libraries that write a file by themselves and raise what they like on a full disk. Raises `StateError`."""
    try:
        yield
    except (sqlite3.Error, RuntimeError) as exc:
        raise StateError(
            f"{str(path)!r} can't be written: {exc}. Check the disk's space and rights."
        ) from exc


def create_atomically(path: Path, data: bytes) -> bool:
    """Make a file that is whole or not there, for its owner alone; whether it was made and not there already."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    try:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(temporary, path)  # fails when another process was faster
        except FileExistsError:
            return False
    finally:
        temporary.unlink(missing_ok=True)
    sync(path.parent)
    return True


def keep_private(folder: Path) -> None:
    """From now on, all that this process makes is for its user alone, whatever the umask was; `folder` is, too.

    SQLite gives the files beside a database the rights of the database, and locks and indexes are made by libraries, so that
    the process's umask is the one place that covers all of them. A folder of another user stays as it is.
    """
    os.umask(_PRIVATE)
    folder.mkdir(parents=True, exist_ok=True)
    mode = folder.stat().st_mode
    if mode & _PRIVATE and folder.stat().st_uid == os.geteuid():
        folder.chmod(mode & ~_PRIVATE & 0o7777)


def is_private(path: Path) -> bool:
    """Whether a file is for its owner alone."""
    return not path.stat().st_mode & _PRIVATE
