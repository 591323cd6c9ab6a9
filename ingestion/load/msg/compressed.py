"""Compressed RTF of Outlook messages (MS-OXRTFCP)."""

import struct

from ingestion.errors import SourceError
from ingestion.load.limits import MAX_FILE_BYTES

_HEAD = struct.Struct("<IIII")
_COMPRESSED, _PLAIN = 0x75465A4C, 0x414C454D
_WINDOW = 4096
# The specification's first words of the dictionary.
_FIRST = (
    rb"{\rtf1\ansi\mac\deff0\deftab720{\fonttbl;}{\f0\fnil \froman \fswiss \fmodern \fscript \fdecor MS Sans SerifSymbolArial"
    rb"Times New RomanCourier{\colortbl\red0\green0\blue0"
    + b"\r\n"
    + rb"\par \pard\plain\f0\fs20\b\i\u\tab\tx"
)


def decompressed(data: bytes) -> bytes:
    """The RTF. Raises `SourceError` for what is damaged."""
    if len(data) < _HEAD.size:
        raise SourceError("Its rich text is damaged.")
    _, size, kind, _ = _HEAD.unpack_from(data)
    if kind == _PLAIN:
        return data[_HEAD.size : _HEAD.size + size]
    if kind != _COMPRESSED or size > MAX_FILE_BYTES:
        raise SourceError("Its rich text is damaged.")
    out = bytearray(_FIRST)
    position = _HEAD.size
    while position < len(data):
        control = data[position]
        position += 1
        for bit in range(8):
            width = 2 if control >> bit & 1 else 1
            if position + width > len(data):
                return bytes(out[len(_FIRST) :])
            if width == 1:
                out.append(data[position])
            elif not _copy(out, *data[position : position + 2]):
                return bytes(out[len(_FIRST) :])
            position += width
    return bytes(out[len(_FIRST) :])


def _copy(out: bytearray, high: int, low: int) -> bool:
    """Append what the window holds at an offset; False at the end, which refers to the place where writing goes on."""
    offset, length = high << 4 | low >> 4, (low & 0xF) + 2
    end = len(out) % _WINDOW
    if offset == end:
        return False
    start = len(out) - (end - offset) % _WINDOW
    for place in range(start, start + length):
        out.append(out[place] if 0 <= place < len(out) else 0)
    return True
