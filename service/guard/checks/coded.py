"""Texts within a text in a code that any reader turns back: Base64, hexadecimal, binary, Morse, escapes, invisible tags."""

import re

from ingestion.detect.decodings import Decoding, decodings_of

# One of these is in every code: a long word, many digits, an escape, a sign of Morse, a character of the tag block.
_MAY_BE_CODED = re.compile(
    r"[A-Za-z0-9+/=_-]{20}|(?:(?:0x|\\x)?[0-9a-fA-F]{2}[ ,:]?){12}|(?:[01]{8}\s?){6}|(?:%|\\u|&#)\w|[.-][ /]+[.-]"
    r"|[\U000e0020-\U000e007e]"
)


def coded(text: str) -> list[Decoding]:
    """What the coded pieces of a text say, and where they stand. Most texts hold none, which costs little to know."""
    if _MAY_BE_CODED.search(text) is None:
        return []
    return [one for one in decodings_of(text) if one.kind in ("decoded", "hidden")]
