"""Files of a folder, or those that a pattern names, as sources in a stable order."""

import glob
import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

from ingestion.corpus import Source
from ingestion.errors import EmptySourceError, SourceError
from ingestion.load.limits import MAX_FILE_BYTES

# In the place of a digest: what can't be read, and what is known of it stays as it is.
UNREADABLE = "unreadable"


def discover_files(base: Path, path: str) -> Iterator[Source | tuple[Source, str]]:
    """Every visible file below a folder, or a file, or what a pattern names; ids are relative paths.

    Links are not followed out of the folder. Raises `SourceError` when there is nothing of that name.
    """
    folder = base / path
    if folder.is_file():
        yield _source(folder, folder.name)
    elif folder.is_dir():
        yield from _below(folder)
    elif glob.has_magic(path):
        yield from _matching(base, path)
    else:
        raise EmptySourceError(f"There is no file or folder {str(folder)!r}. Check the path.")


def _below(folder: Path) -> Iterator[Source | tuple[Source, str]]:
    root = folder.resolve()
    files, closed = _walk(folder)
    for path in sorted(files):
        relative = path.relative_to(folder)
        hidden = any(part.startswith(".") for part in relative.parts)
        if not hidden and path.is_file() and path.resolve().is_relative_to(root):
            yield _source(path, relative.as_posix())
    for path, reason in sorted(closed.items()):
        yield Source(path.relative_to(folder).as_posix(), str(path), UNREADABLE, 0), reason


def _walk(folder: Path) -> tuple[list[Path], dict[Path, str]]:
    """Every file below a folder, and the folders below it that can't be listed. Raises `SourceError`."""
    closed: dict[Path, str] = {}

    def note(exc: OSError) -> None:
        path = Path(exc.filename)
        if path == folder:
            raise SourceError(f"{str(folder)!r} cannot be listed: {exc.strerror}. Check its rights.") from exc
        if not any(part.startswith(".") for part in path.relative_to(folder).parts):
            closed[path] = (
                f"It cannot be listed: {exc.strerror}. What was in it before stays. Check its rights."
            )

    files = [Path(parent) / name for parent, _, names in os.walk(folder, onerror=note) for name in names]
    return files, closed


def _matching(base: Path, pattern: str) -> Iterator[Source | tuple[Source, str]]:
    """Files that a pattern names; ids are relative to the part of it that is no pattern."""
    fixed = Path(pattern)
    while glob.has_magic(str(fixed)):
        fixed = fixed.parent
    root = base / fixed
    found = sorted(glob.glob(str(base / pattern), recursive=True))
    if not found:
        raise EmptySourceError(f"No file matches {pattern!r} below {str(base)!r}. Check the pattern.")
    for name in found:
        path = Path(name)
        if path.is_file() and path.resolve().is_relative_to(root.resolve()):
            yield _source(path, path.relative_to(root).as_posix())


def _source(path: Path, name: str) -> Source | tuple[Source, str]:
    name = name.encode("utf-8", "replace").decode()  # a name may hold bytes that are no text
    try:
        size = path.stat().st_size
        if size > MAX_FILE_BYTES:
            # It won't be read, so it isn't hashed either.
            return Source(name, str(path), f"size:{size}:{path.stat().st_mtime_ns}", size)
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as exc:
        return Source(name, str(path), UNREADABLE, 0), f"It cannot be read: {exc.strerror}."
    return Source(name, str(path), digest, size)
