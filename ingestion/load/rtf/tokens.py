"""RTF as tokens: braces, control words, bytes of text."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

_TOKEN = re.compile(
    rb"(?P<brace>[{}])"
    rb"|\\(?P<word>[A-Za-z]{1,32})(?P<number>-?[0-9]{1,10})? ?"
    rb"|\\'(?P<byte>[0-9A-Fa-f]{2})"
    rb"|\\(?P<symbol>[^A-Za-z])"
    rb"|(?P<text>[^\\{}\r\n\x00]+)",
    re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class Token:
    """`word` is a control word or symbol, with its number, or a brace; `data` are bytes in the code page of their font."""

    kind: Literal["brace", "word", "text"]
    word: str = ""
    number: int | None = None
    data: bytes = b""


def tokens(data: bytes) -> Iterator[Token]:
    """The tokens of a document; line ends between them and binary data are left out."""
    position, end = 0, len(data)
    while position < end:
        found = _TOKEN.match(data, position)
        if found is None:
            position += 1
            continue
        position = found.end()
        token = _token(found)
        if token.word == "bin" and token.number and token.number > 0:
            position += token.number
        else:
            yield token


def _token(found: re.Match[bytes]) -> Token:
    if found["text"]:
        return Token("text", data=found["text"])
    if found["byte"]:
        return Token("text", data=bytes([int(found["byte"], 16)]))
    if found["brace"]:
        return Token("brace", found["brace"].decode())
    if found["symbol"]:
        return Token("word", found["symbol"].decode("latin-1"))
    return Token("word", found["word"].decode(), int(found["number"]) if found["number"] else None)
