"""E-mails to blocks: subject, who wrote when to whom, the text, and attachments that can be read."""

from collections.abc import Callable, Iterator
from email import message_from_bytes, policy
from email.errors import MessageError
from email.message import EmailMessage
from email.utils import parsedate_to_datetime

from ingestion.corpus import Block, Reading
from ingestion.errors import SourceError
from ingestion.load.html import read_html
from ingestion.load.text import read_text

_HEADERS = ("From", "To", "Cc", "Date")


def read_eml(data: bytes, name: str, read: Callable[[bytes, str], Reading]) -> Reading:
    """A message (RFC 5322); `read` reads its attachments, by their names.

    Raises `SourceError` when it has neither headers nor text.
    """
    try:
        message = message_from_bytes(data, policy=policy.default)
    except (MessageError, ValueError, LookupError) as exc:
        raise SourceError(f"It is no e-mail message: {exc}.") from exc
    if not isinstance(message, EmailMessage) or not message.keys():
        raise SourceError("It has no headers, so it is no e-mail message.")
    subject = str(message.get("Subject") or name)
    blocks = [Block("heading", subject, level=1)]
    facts = "; ".join(f"{key}: {message[key]}" for key in _HEADERS if message[key])
    if facts:
        blocks.append(Block("row", facts))
    body, hidden = _body(message, name)
    blocks += body
    for part in message.iter_attachments():
        blocks += _attachment(part, read)
    return Reading(title=subject, blocks=tuple(blocks), updated=_date(message), hidden=hidden)


def _body(message: EmailMessage, name: str) -> tuple[list[Block], tuple[str, ...]]:
    part = message.get_body(preferencelist=("plain", "html"))
    if part is None:
        return [], ()
    payload = part.get_payload(decode=True)
    data = payload if isinstance(payload, bytes) else b""
    charset = part.get_content_charset()
    if charset:
        try:
            data = data.decode(charset, errors="replace").encode()
        except LookupError:
            pass  # an invented name of a charset: the bytes are guessed like those of any file
    if not data.strip():
        return [], ()
    reading = read_html(data, name) if part.get_content_type() == "text/html" else read_text(data, name)
    return list(reading.blocks), reading.hidden


def _attachment(part: object, read: Callable[[bytes, str], Reading]) -> Iterator[Block]:
    if not isinstance(part, EmailMessage) or not part.get_filename():
        return
    name = str(part.get_filename())
    yield Block("heading", f"Attachment: {name}", level=2)
    payload = part.get_payload(decode=True)
    try:
        yield from read(payload if isinstance(payload, bytes) else b"", name).blocks
    except SourceError as exc:
        yield Block("paragraph", f"(not read: {exc})")


def _date(message: EmailMessage) -> str | None:
    try:
        return parsedate_to_datetime(str(message["Date"])).date().isoformat()
    except (TypeError, ValueError, IndexError):
        return None
