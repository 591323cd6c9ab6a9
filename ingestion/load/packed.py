"""A file that gzip packed, as the file inside. Bounded in size and in how far it unpacks."""

import gzip
import io
import zlib

from ingestion.errors import SourceError
from ingestion.load.limits import MAX_FILE_BYTES

_MAX_RATIO = 1_000  # gzip packs a run of one character to a thousandth, and text to a tenth
_SMALL_BYTES = 1024 * 1024


def unpacked(data: bytes) -> bytes:
    """The bytes inside. Raises `SourceError` when they are damaged or far too many."""
    limit = min(MAX_FILE_BYTES, max(_SMALL_BYTES, _MAX_RATIO * len(data)))
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(data)) as file:
            found = file.read(limit + 1)
    except (OSError, EOFError, zlib.error) as exc:
        raise SourceError(f"It is damaged or not packed by gzip: {exc}. Pack it anew.") from exc
    if len(found) > limit:
        raise SourceError(f"It has more than {limit // 1024**2} MB when unpacked. Split it.")
    return found
