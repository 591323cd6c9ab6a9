"""The bytes of a source: at hand, in a file, in a bucket, or inside an archive. Bounded in size."""

import io
import zipfile
from pathlib import Path

from ingestion.corpus import Source
from ingestion.errors import SourceError
from ingestion.load.limits import MAX_FILE_BYTES


def fetch(source: Source) -> bytes:
    """The bytes of a source. Raises `SourceError` when it is too large or has gone."""
    if source.size_bytes < 0:
        raise SourceError("Its name leads out of its archive, so it is not unpacked. Pack it anew.")
    if source.size_bytes > MAX_FILE_BYTES:
        limit = MAX_FILE_BYTES // 1024**2
        raise SourceError(
            f"It has {source.size_bytes // 1024**2} MB, more than the limit of {limit} MB. Split it."
        )
    data = source.data if source.data is not None else _open(source.path)
    for name in source.inner:
        data = _member(data, name)
    return data


def _open(path: str) -> bytes:
    if "://" in path:
        from ingestion.load.remote import read_remote  # fsspec: optional

        return read_remote(path, MAX_FILE_BYTES)
    try:
        return Path(path).read_bytes()
    except OSError as exc:
        raise SourceError(f"{path!r} cannot be read: {exc.strerror}.") from exc


def _member(data: bytes, name: str) -> bytes:
    """A member of an archive, however much it claims to hold."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive, archive.open(name) as member:
            found = member.read(MAX_FILE_BYTES + 1)
    except RuntimeError as exc:
        raise SourceError("It is protected by a password in its archive.") from exc
    except (zipfile.BadZipFile, KeyError, OSError, EOFError, NotImplementedError, ValueError) as exc:
        raise SourceError(f"It cannot be taken out of its archive: {exc}.") from exc
    if len(found) > MAX_FILE_BYTES:
        raise SourceError(f"It has more than {MAX_FILE_BYTES // 1024**2} MB when unpacked. Split it.")
    return found
