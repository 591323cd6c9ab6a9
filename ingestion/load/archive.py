"""What a ZIP archive or a mailbox holds, as sources of their own. Bounded in number, size and depth."""

import hashlib
import io
import re
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from email import message_from_bytes, policy
from pathlib import PurePosixPath

from ingestion.corpus import Source
from ingestion.errors import SourceError
from ingestion.load.fetch import fetch
from ingestion.load.limits import MAX_FILE_BYTES

MAX_MEMBERS = 10_000
MAX_TOTAL_BYTES = 1024**3
MAX_DEPTH = 2
MAX_RATIO = 200  # ordinary text shrinks to a tenth; a bomb to a thousandth
# How an entry of a ZIP file's directory begins (APPNOTE 4.3.12), and how many times too many are beyond doubt.
_ENTRY, _CERTAINLY = b"PK\x01\x02", 10
# What may be the line between two messages: who sent the one behind it, and when. The first line of its headers follows.
_SEPARATOR = re.compile(rb"^From ([^\n]*)\n(?=[!-9;-~]+:|>From )", re.MULTILINE)
_TIME, _YEAR = re.compile(rb"\d\d:\d\d"), re.compile(rb"(?:19|20)\d\d")
_SENDER_ALONE = re.compile(rb"(?:[^\s@]+@[^\s@]+|-)\s*")
# How a mailbox writes a line of a message that begins with `From `.
_QUOTED = re.compile(rb"^>(?=>*From )", re.MULTILINE)


def is_container(path: str) -> bool:
    """Whether a file holds other files."""
    return PurePosixPath(path).suffix.lower() in (".zip", ".mbox")


def members(source: Source) -> Iterator[Source]:
    """The files of a container, those of containers within it too. Raises `SourceError` for a bad container."""
    name = (source.inner or (source.path,))[-1]
    if PurePosixPath(name).suffix.lower() == ".mbox":
        yield from _messages(source)
    else:
        yield from _files(source)


def _files(source: Source) -> Iterator[Source]:
    if len(source.inner) >= MAX_DEPTH:
        raise SourceError(f"Archives within archives are read {MAX_DEPTH} deep. Unpack it.")
    data = fetch(source)
    check_directory(data)
    try:
        archive = zipfile.ZipFile(io.BytesIO(data))
    except (zipfile.BadZipFile, ValueError, OSError) as exc:
        raise SourceError(f"The archive is damaged or no ZIP file: {exc}.") from exc
    with archive:
        infos = [info for info in archive.infolist() if not info.is_dir()]
        check_sizes(infos, len(data))
        for info in infos:
            if info.filename.startswith("__MACOSX/"):
                continue
            path = PurePosixPath(info.filename.replace("\\", "/"))
            if path.is_absolute() or ".." in path.parts:
                shown = info.filename.replace("..", "__")
                yield replace(
                    source,
                    id=f"{source.id}!/{shown.lstrip('/')}",
                    inner=(*source.inner, info.filename),
                    digest="unsafe name",
                    size_bytes=-1,
                )
                continue
            member = replace(
                source,
                id=f"{source.id}!/{path}",
                inner=(*source.inner, info.filename),
                digest=hashlib.sha256(f"{info.CRC}:{info.file_size}:{path}".encode()).hexdigest(),
                size_bytes=info.file_size,
            )
            if path.suffix.lower() == ".zip":
                yield from _inner(member)
            else:
                yield member


def _inner(member: Source) -> Iterator[Source]:
    """Files of an archive within an archive; if it can't be opened, the archive itself, to be reported."""
    try:
        yield from list(_files(member))
    except SourceError:
        yield member


def check_directory(data: bytes) -> None:
    """Refuse a directory that has far too many entries before it is read, which takes half a gigabyte for a million.

    Archives that are stored in this one have entries too, so that only many times the limit say something.
    """
    entries = data.count(_ENTRY)
    if entries > _CERTAINLY * MAX_MEMBERS:
        raise SourceError(f"The archive holds {entries} files, more than the limit of {MAX_MEMBERS}.")


def check_sizes(infos: list[zipfile.ZipInfo], packed: int) -> None:
    """Raise `SourceError` for too many files, or for more bytes than an honest archive of that size unpacks to."""
    total = sum(info.file_size for info in infos)
    if len(infos) > MAX_MEMBERS:
        raise SourceError(f"The archive holds {len(infos)} files, more than the limit of {MAX_MEMBERS}.")
    if total > MAX_TOTAL_BYTES or total > MAX_RATIO * max(packed, 1024):
        raise SourceError(
            f"The archive would unpack {packed} bytes to {total}: it looks like a bomb. Unpack it yourself."
        )


def _messages(source: Source) -> Iterator[Source]:
    """Messages of a mailbox (RFC 4155), told apart by their `From ` lines. A sentence that begins so divides nothing."""
    data = fetch(source)
    if not data.startswith(b"From "):
        raise SourceError("It does not begin with a `From ` line, so it is no mailbox.")
    for number, body in enumerate(_bodies(data), start=1):
        if number > MAX_MEMBERS:
            raise SourceError(f"The mailbox holds more than {MAX_MEMBERS} messages. Split it.")
        message = message_from_bytes(body[:65_536], policy=policy.compat32)
        digest = hashlib.sha256(body).hexdigest()
        key = hashlib.sha256(str(message.get("Message-ID") or digest).encode()).hexdigest()[:12]
        yield replace(
            source,
            id=f"{source.id}!/{key}.eml",
            path=f"{key}.eml",
            digest=digest,
            size_bytes=min(len(body), MAX_FILE_BYTES + 1),
            data=_QUOTED.sub(b"", body),
            inner=(),
        )


def _bodies(data: bytes) -> Iterator[bytes]:
    """What stands between the separators; the first line is one, whatever it says."""
    start = data.find(b"\n") + 1
    for found in _SEPARATOR.finditer(data, start):
        if _divides(found[1], is_behind_blank=data.endswith((b"\n\n", b"\n\r\n"), 0, found.start())):
            yield data[start : found.start() - 1]
            start = found.end()
    yield data[start:]


def _divides(said: bytes, *, is_behind_blank: bool) -> bool:
    """Whether it names a time and a year, or behind a blank line a sender alone."""
    is_dated = _TIME.search(said) is not None and _YEAR.search(said) is not None
    return is_dated or (is_behind_blank and _SENDER_ALONE.fullmatch(said) is not None)
