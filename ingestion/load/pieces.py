"""Text in pieces, as office formats hold it: each stands on the line, above it or below."""

from collections.abc import Iterable
from itertools import groupby
from typing import Literal

from ingestion.load.raised import lowered_text, raised_text

Height = Literal["", "raised", "lowered"]
# Text and where it stands; nothing is the line.
Piece = tuple[str, Height]
_CONTEXT_CHARS = 16


def joined(pieces: Iterable[Piece]) -> str:
    """The text, in which raised and lowered characters can be told."""
    out: list[str] = []
    before = ""
    for height, group in groupby(pieces, key=lambda piece: piece[1]):
        text = "".join(piece[0] for piece in group)
        if height == "raised":
            text = raised_text(before, text) + _end(text)
        elif height == "lowered":
            text = lowered_text(before, text) + _end(text)
        out.append(text)
        before = (before + text)[-_CONTEXT_CHARS:]
    return "".join(out)


def _end(text: str) -> str:
    """White space behind a piece, which parts it from the next one."""
    return text[len(text.rstrip()) :]


def height_of(align: str | None) -> Height:
    """What `superscript` and `subscript` are called here."""
    return "raised" if align == "superscript" else "lowered" if align == "subscript" else ""
