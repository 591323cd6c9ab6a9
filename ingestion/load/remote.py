"""Files that fsspec opens: s3, gs, abfs, sftp and more. Each needs its own package, which fsspec names."""

import hashlib
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import Any

import fsspec

from ingestion.config import SourceConfig
from ingestion.corpus import Source
from ingestion.errors import EmptySourceError, SourceError
from ingestion.load.limits import MAX_FILE_BYTES


def discover_remote(config: SourceConfig) -> Iterator[Source | tuple[Source, str]]:
    """Files below a URL. Their digest is what the store says of them: ETag, or size and time."""
    try:
        system, root = fsspec.core.url_to_fs(config.path, **config.arguments)
        found = {root: system.info(root)} if system.isfile(root) else system.find(root, detail=True)
    except (ImportError, OSError, ValueError) as exc:
        raise SourceError(f"{config.path!r} cannot be listed: {exc}.") from exc
    if not found:
        raise EmptySourceError(f"There is nothing at {config.path!r}. Check the URL.")
    for path, info in sorted(found.items()):
        relative = path[len(root) :].lstrip("/") or PurePosixPath(path).name
        size = int(info.get("size") or 0)
        source = Source(relative, system.unstrip_protocol(path), _version(info), size)
        if config.arguments and size <= MAX_FILE_BYTES:
            # Credentials must not travel with the source, so its bytes do.
            try:
                yield Source(relative, source.path, source.digest, size, data=system.cat_file(path))
            except OSError as exc:
                yield source, f"It cannot be read: {exc}."
        else:
            yield source


def _version(info: dict[str, Any]) -> str:
    tag = info.get("ETag") or info.get("etag") or info.get("md5Hash")
    if not tag:
        changed = info.get("LastModified") or info.get("mtime") or info.get("updated") or info.get("created")
        tag = f"{info.get('size')}:{changed}"
    return hashlib.sha256(str(tag).encode()).hexdigest()


def read_remote(url: str, limit: int) -> bytes:
    """At most `limit` bytes of a file. Raises `SourceError`."""
    try:
        with fsspec.open(url, "rb") as file:
            data: bytes = file.read(limit + 1)
    except (ImportError, OSError, ValueError) as exc:
        raise SourceError(f"{url!r} cannot be read: {exc}.") from exc
    if len(data) > limit:
        raise SourceError(f"It has more than {limit // 1024**2} MB. Split it.")
    return data
