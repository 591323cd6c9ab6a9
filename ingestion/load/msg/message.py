"""The properties of an Outlook message, which lie in a compound file (MS-CFB) as a stream each."""

import io
import struct
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from olefile import OleFileIO

from ingestion.errors import SourceError
from ingestion.load.limits import MAX_FILE_BYTES

# MS-OXPROPS: ids of properties by what they are here.
_IDS: Mapping[str, int] = {
    "subject": 0x0037, "to": 0x0E04, "cc": 0x0E03, "body": 0x1000, "html": 0x1013, "rtf": 0x1009, "sender": 0x0C1A,
    "sender_address": 0x5D01, "sender_x500": 0x0C1F, "file": 0x3701, "name": 0x3707, "short_name": 0x3704, "display": 0x3001,
}  # fmt: skip
_UNICODE, _BYTES_TEXT, _BINARY, _STORAGE = "001F", "001E", "0102", "000D"
_SUBMITTED, _DELIVERED, _CODE_PAGE, _INTERNET_CODE_PAGE = 0x0039, 0x0E06, 0x3FFD, 0x3FDE
_TIME, _LONG = 0x0040, 0x0003
_PROPERTIES = "__properties_version1.0"
_ATTACHED = "__attach_version1.0_#"
_ENTRY = struct.Struct("<HHI8s")
# How long the head of the list of properties is: of the message of the file, of one within it, of an attachment.
_HEADS = (32, 24, 8)
_EPOCH = datetime(1601, 1, 1, tzinfo=UTC)
_MOST_ATTACHMENTS = 1_000
_UTF8 = 65_001


@contextmanager
def open_message(data: bytes) -> Iterator["Message"]:
    """The message in `data`. Raises `SourceError` when it is none."""
    try:
        file = OleFileIO(io.BytesIO(data))
    except (OSError, ValueError, IndexError, struct.error) as exc:
        raise SourceError("The file is damaged or no Outlook message (.msg).") from exc
    with file:
        message = Message(file, (), _HEADS[0])
        if not file.exists(_PROPERTIES):
            raise SourceError(
                "The file is an old Office file, not an Outlook message (.msg). Check its name."
            )
        yield message


@dataclass(frozen=True, slots=True)
class Message:
    """A message or an attachment: a storage of the file, whose list of properties begins behind a head of so many bytes."""

    file: OleFileIO
    path: tuple[str, ...]
    head: int

    def data(self, name: str) -> bytes:
        """A property of bytes; empty when there is none."""
        return self._stream(f"__substg1.0_{_IDS[name]:04X}{_BINARY}")

    def text(self, name: str) -> str:
        """A property of text; empty when there is none."""
        found = self._stream(f"__substg1.0_{_IDS[name]:04X}{_UNICODE}")
        if found:
            return found.decode("utf-16-le", "replace").rstrip("\0")
        return self._decoded(self._stream(f"__substg1.0_{_IDS[name]:04X}{_BYTES_TEXT}")).rstrip("\0")

    @property
    def sender(self) -> str:
        """Name and address of who wrote it."""
        name, address = self.text("sender"), self.text("sender_address")
        if not address and "@" in self.text("sender_x500"):
            address = self.text("sender_x500")
        return f"{name} <{address}>" if name and address and name != address else name or address

    @property
    def date(self) -> str | None:
        """The day on which it was sent, else on which it came (ISO 8601)."""
        fixed = self._fixed()
        for key in (_SUBMITTED, _DELIVERED):
            if (key, _TIME) in fixed:
                ticks = int.from_bytes(fixed[key, _TIME], "little")
                try:
                    return (_EPOCH + timedelta(microseconds=ticks // 10)).date().isoformat()
                except OverflowError:
                    return None
        return None

    @property
    def name(self) -> str:
        """The name of an attachment."""
        return self.text("name") or self.text("short_name") or self.text("display") or "without a name"

    def attachments(self) -> Iterator["Message"]:
        """What is attached, in the order of its numbers."""
        depth = len(self.path)
        storages = {
            entry[depth]
            for entry in self.file.listdir()
            if len(entry) > depth + 1 and tuple(entry[:depth]) == self.path
        }
        for storage in sorted(one for one in storages if one.startswith(_ATTACHED))[:_MOST_ATTACHMENTS]:
            yield Message(self.file, (*self.path, storage), _HEADS[2])

    def embedded(self) -> "Message | None":
        """The message that is attached as such."""
        path = (*self.path, f"__substg1.0_{_IDS['file']:04X}{_STORAGE}")
        return Message(self.file, path, _HEADS[1]) if self.file.exists([*path, _PROPERTIES]) else None

    def _stream(self, name: str) -> bytes:
        path = [*self.path, name]
        if not self.file.exists(path):
            return b""
        try:
            found: bytes = self.file.openstream(path).read(MAX_FILE_BYTES)
        except (OSError, ValueError, IndexError, struct.error) as exc:
            raise SourceError(f"Its part {name!r} is damaged: {exc}.") from exc
        return found

    def _fixed(self) -> dict[tuple[int, int], bytes]:
        """Properties of a fixed length by id and type."""
        data = self._stream(_PROPERTIES)[self.head :]
        whole = data[: len(data) // _ENTRY.size * _ENTRY.size]
        return {(key, kind): value for kind, key, _, value in _ENTRY.iter_unpack(whole)}

    def _decoded(self, data: bytes) -> str:
        fixed = self._fixed() if data else {}
        for key in (_CODE_PAGE, _INTERNET_CODE_PAGE):
            page = int.from_bytes(fixed.get((key, _LONG), b"")[:4], "little")
            try:
                return data.decode("utf-8" if page == _UTF8 else f"cp{page}")
            except (LookupError, UnicodeDecodeError):
                continue
        return data.decode("cp1252", "replace")
