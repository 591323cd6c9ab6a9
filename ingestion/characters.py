"""Characters that no encoding holds: halves of a pair, which JSON may escape one without the other."""

import re

_HALF = re.compile("[\ud800-\udfff]")


def whole(text: str) -> str:
    """The text with `�` for each half of a character. Offsets stay."""
    return text if text.isascii() else _HALF.sub("�", text)
