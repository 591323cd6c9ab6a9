"""E-mails to blocks: subject, who wrote when to whom, the text, forwarded mails, and attachments that can be read."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.errors import MessageError
from email.message import EmailMessage
from email.utils import parsedate_to_datetime

from ingestion.corpus import Block, Reading
from ingestion.errors import SourceError
from ingestion.load.encodings import in_utf8
from ingestion.load.html import read_html
from ingestion.load.limits import LEFT_OUT
from ingestion.load.text import read_text

_HEADERS = ("From", "To", "Cc", "Date")
# What an attachment without a name is called, by its type.
_NAMES = {
    "text/plain": "attachment.txt",
    "text/html": "attachment.html",
    "text/markdown": "attachment.md",
    "text/csv": "attachment.csv",
    "application/json": "attachment.json",
    "application/pdf": "attachment.pdf",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document": "attachment.docx",
    "application/vnd.openxmlformats-officedocument.presentationml.presentation": "attachment.pptx",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": "attachment.xlsx",
}
_SIGNATURES = ("application/pgp-signature", "application/pkcs7-signature", "application/x-pkcs7-signature")
_DEEPEST = 20
_MOST_NAMED = 10

Read = Callable[[bytes, str], Reading]


@dataclass(slots=True)
class _Letter:
    """What has been read of a message so far: blocks, hidden text, and which attachments were left out and why."""

    read: Read
    name: str
    blocks: list[Block] = field(default_factory=list)
    hidden: list[str] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)


def read_eml(data: bytes, name: str, read: Read) -> Reading:
    """A message (RFC 5322); `read` reads its attachments, by their names.

    Raises `SourceError` when it has neither headers nor text.
    """
    try:
        message = message_from_bytes(data, policy=policy.default)
    except (MessageError, ValueError, LookupError) as exc:
        raise SourceError(f"It is no e-mail message: {exc}.") from exc
    if not isinstance(message, EmailMessage) or not message.keys():
        raise SourceError("It has no headers, so it is no e-mail message.")
    letter = _Letter(read, name)
    subject = _take_message(letter, message, depth=1)
    return Reading(
        title=subject,
        blocks=tuple(letter.blocks),
        updated=_date(message),
        hidden=tuple(letter.hidden),
        metadata={LEFT_OUT: _told(letter.left_out)} if letter.left_out else {},
    )


def _take_message(letter: _Letter, message: EmailMessage, depth: int) -> str:
    subject = str(message.get("Subject") or (letter.name if depth == 1 else "Forwarded message"))
    letter.blocks.append(Block("heading", subject, level=min(depth, 6)))
    facts = "; ".join(f"{key}: {message[key]}" for key in _HEADERS if message[key])
    if facts:
        letter.blocks.append(Block("row", facts))
    _take(letter, message, depth)
    return subject


def _take(letter: _Letter, part: EmailMessage, depth: int) -> None:
    """Read a part: of alternatives the plainest, of others all in their order."""
    if depth > _DEEPEST:
        letter.left_out.append("what is forwarded or nested too deeply")
    elif part.get_content_type() == "message/rfc822":
        for inner in _children(part):
            _take_message(letter, inner, depth + 1)
    elif part.get_content_type() == "multipart/alternative":
        _take_alternative(letter, part, depth)
    elif part.is_multipart():
        for inner in _children(part):
            _take(letter, inner, depth + inner.is_multipart())
    elif part.get_content_maintype() == "text" and _is_body(part):
        _take_text(letter, part)
    else:
        _take_attachment(letter, part, depth)


def _children(part: EmailMessage) -> list[EmailMessage]:
    payload = part.get_payload()
    return [one for one in payload if isinstance(one, EmailMessage)] if isinstance(payload, list) else []


def _take_alternative(letter: _Letter, part: EmailMessage, depth: int) -> None:
    """The plain text where there is one that says something, else the last that can be read."""
    choices = _children(part)
    plain = [one for one in choices if one.get_content_type() == "text/plain" and _payload(one).strip()]
    readable = [one for one in choices if one.is_multipart() or one.get_content_type() == "text/html"]
    for chosen in (plain or readable[-1:] or choices[-1:])[:1]:
        _take(letter, chosen, depth + chosen.is_multipart())


def _is_body(part: EmailMessage) -> bool:
    is_shown = (
        part.get_content_subtype() in ("plain", "html") and part.get_content_disposition() != "attachment"
    )
    return is_shown and not part.get_filename()


def _payload(part: EmailMessage) -> bytes:
    payload = part.get_payload(decode=True)
    return payload if isinstance(payload, bytes) else b""


def _take_text(letter: _Letter, part: EmailMessage) -> None:
    data = in_utf8(_payload(part), part.get_content_charset())
    if not data.strip():
        return
    read = read_html if part.get_content_type() == "text/html" else read_text
    reading = read(data, letter.name)
    letter.blocks += reading.blocks
    letter.hidden += reading.hidden


def _take_attachment(letter: _Letter, part: EmailMessage, depth: int) -> None:
    kind = part.get_content_type()
    filename = part.get_filename()
    data = _payload(part)
    if kind in _SIGNATURES or not data.strip():
        return
    name = str(filename or _NAMES.get(kind, ""))
    if part.get_content_maintype() == "text":
        data = in_utf8(data, part.get_content_charset())
    try:
        reading = letter.read(data, name or kind)
    except SourceError as exc:
        letter.left_out.append(f"{name or kind!r}: {str(exc).partition(':')[0].rstrip('.')}")
        return
    title = f"Attachment: {filename}" if filename else "Attachment"
    letter.blocks += [Block("heading", title, level=min(depth + 1, 6)), *reading.blocks]
    letter.hidden += reading.hidden


def _told(left_out: Sequence[str]) -> str:
    more = len(left_out) - _MOST_NAMED
    return "; ".join(left_out[:_MOST_NAMED]) + (f"; and {more} more" if more > 0 else "")


def _date(message: EmailMessage) -> str | None:
    try:
        return parsedate_to_datetime(str(message["Date"])).date().isoformat()
    except (TypeError, ValueError, IndexError):
        return None
