"""Outlook messages to blocks (MS-OXMSG): subject, who wrote when to whom, the text, and attachments that can be read."""

from collections.abc import Callable, Iterator

from ingestion.corpus import Block, Reading
from ingestion.errors import SourceError
from ingestion.load.html import read_html
from ingestion.load.msg.compressed import decompressed
from ingestion.load.msg.message import Message, open_message
from ingestion.load.rtf import read_rtf
from ingestion.load.text import read_text

_DEEPEST = 3  # messages within messages
_UNREAD = "(not read: {})"


def read_msg(data: bytes, name: str, read: Callable[[bytes, str], Reading]) -> Reading:
    """A message; `read` reads its attachments, by their names. Raises `SourceError` when it is none."""
    with open_message(data) as message:
        return _reading(message, name, read, 0)


def _reading(message: Message, name: str, read: Callable[[bytes, str], Reading], depth: int) -> Reading:
    subject = message.text("subject").strip() or name
    blocks = [Block("heading", subject, level=1)]
    facts = [
        ("From", message.sender),
        ("To", message.text("to")),
        ("Cc", message.text("cc")),
        ("Date", message.date or ""),
    ]
    if any(value for _, value in facts):
        blocks.append(Block("row", "; ".join(f"{key}: {value}" for key, value in facts if value)))
    body = _body(message, name)
    blocks += body.blocks if body else ()
    hidden = list(body.hidden if body else ())
    for attachment in message.attachments():
        blocks.append(Block("heading", f"Attachment: {attachment.name}", level=2))
        try:
            found = _attached(attachment, read, depth)
        except SourceError as exc:
            blocks.append(Block("paragraph", _UNREAD.format(exc)))
        else:
            blocks += found.blocks
            hidden += found.hidden
    return Reading(title=subject, blocks=tuple(blocks), updated=message.date, hidden=tuple(hidden))


def _attached(attachment: Message, read: Callable[[bytes, str], Reading], depth: int) -> Reading:
    inner = attachment.embedded()
    if inner is None:
        return read(attachment.data("file"), attachment.name)
    if depth >= _DEEPEST:
        raise SourceError(f"Messages within messages are read {_DEEPEST} deep.")
    return _reading(inner, attachment.name, read, depth + 1)


def _body(message: Message, name: str) -> Reading | None:
    """The plain text, else the page, else the rich text."""
    for found in _bodies(message, name):
        if any(block.text.strip() for block in found.blocks):
            return found
    return None


def _bodies(message: Message, name: str) -> Iterator[Reading]:
    text = message.text("body")
    if text.strip():
        yield read_text(text.encode(), name)
    page = message.data("html") or message.text("html").encode()
    if page.strip():
        yield read_html(page, name)
    rich = message.data("rtf")
    if rich:
        yield read_rtf(decompressed(rich), name)
