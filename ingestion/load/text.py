"""Bytes of unknown encoding to text; plain text to blocks."""

import re

from charset_normalizer import from_bytes

from ingestion.corpus import Block, Reading
from ingestion.errors import SourceError

_UNDERLINE = re.compile(r"^\s*([=\-~*_])\1{2,}\s*$")


def decode(data: bytes) -> str:
    """Text of `data`: UTF-8 (with or without BOM) or UTF-16 by BOM, else the likeliest encoding.

    Raises `SourceError` for binary data.
    """
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return data.decode("utf-16")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        # Detection reads a sample: the encoding of a file doesn't change half-way.
        best = from_bytes(data[:65_536]).best()
        if best is None:
            raise SourceError("It is not text in any known encoding.") from None
        text = data.decode(best.encoding, errors="replace")
    if "\x00" in text:
        raise SourceError("It holds NUL bytes, so it is binary and not text.")
    return text


def read_text(data: bytes, name: str) -> Reading:
    """Paragraphs between blank lines; a line in capitals or underlined is a heading."""
    blocks: list[Block] = []
    for paragraph in re.split(r"\n\s*\n", decode(data).replace("\r\n", "\n")):
        lines = [line for line in paragraph.split("\n") if line.strip()]
        if not lines:
            continue
        underlined = len(lines) > 1 and _UNDERLINE.match(lines[1]) is not None
        if underlined or (len(lines) == 1 and _is_shouted(lines[0])):
            level = 1 if not blocks else 2
            blocks.append(Block("heading", _calm(lines[0]), level=level))
            lines = lines[2 if underlined else 1 :]
        blocks.extend(_body(lines))
    title = blocks[0].text if blocks and blocks[0].kind == "heading" else _first_line(blocks, name)
    return Reading(title=title, blocks=tuple(blocks))


def _body(lines: list[str]) -> list[Block]:
    """Lines that wrap are one paragraph; a line that ends a record stays a line of its own."""
    is_wrapped = len(lines) > 1 and min(len(line) for line in lines[:-1]) >= 60
    if is_wrapped and not any(line[:4].isdigit() for line in lines[1:]):
        return [Block("paragraph", " ".join(lines))]
    return [Block("item" if len(lines) > 1 else "paragraph", line) for line in lines]


def _is_shouted(line: str) -> bool:
    return line.isupper() and 3 < len(line.strip()) <= 60


def _calm(line: str) -> str:
    return line.strip().capitalize() if line.isupper() else line.strip()


def _first_line(blocks: list[Block], name: str) -> str:
    return blocks[0].text if blocks and len(blocks[0].text) <= 80 else name
