"""Files of a folder as sources, in a stable order."""

import hashlib
from collections.abc import Iterator
from pathlib import Path

from ingestion.corpus import Source
from ingestion.errors import SourceError

MAX_FILE_BYTES = 200 * 1024 * 1024
_BLOCK_BYTES = 1024 * 1024


def discover(place: Path) -> Iterator[Source]:
    """Every visible file below `place`, or `place` itself; ids are paths relative to it.

    Links are not followed out of the folder. Raises `SourceError` when `place` does not exist.
    """
    if place.is_file():
        yield _source(place, place.name)
        return
    if not place.is_dir():
        raise SourceError(f"There is no file or folder {str(place)!r}. Check the path.")
    for path in sorted(place.rglob("*")):
        relative = path.relative_to(place)
        hidden = any(part.startswith(".") for part in relative.parts)
        if not hidden and path.is_file() and path.resolve().is_relative_to(place.resolve()):
            yield _source(path, relative.as_posix())


def _source(path: Path, name: str) -> Source:
    digest = hashlib.sha256()
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            while block := file.read(_BLOCK_BYTES):
                digest.update(block)
    except OSError as exc:
        raise SourceError(f"{str(path)!r} cannot be read: {exc.strerror}.") from exc
    return Source(id=name, path=str(path), digest=digest.hexdigest(), size_bytes=size)


def fetch(source: Source) -> bytes:
    """The bytes of a source. Raises `SourceError` when it is too large or has gone."""
    if source.size_bytes > MAX_FILE_BYTES:
        limit = MAX_FILE_BYTES // 1024**2
        raise SourceError(
            f"It has {source.size_bytes // 1024**2} MB, more than the limit of {limit} MB. Split it."
        )
    try:
        return Path(source.path).read_bytes()
    except OSError as exc:
        raise SourceError(f"{source.path!r} cannot be read: {exc.strerror}.") from exc
