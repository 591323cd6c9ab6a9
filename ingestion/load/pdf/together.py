"""Lines of a paragraph as one text: words that a line's end divides become whole."""

import re
from collections.abc import Iterable

_HYPHENS = "\u00ad\u2010-"
_CJK = re.compile("[\u1100-\u11ff\u3000-\u30ff\u3400-\u9fff\uac00-\ud7af\uf900-\ufaff\uff00-\uffef]")


def joined(first: str, second: str, words: frozenset[str] = frozenset()) -> str:
    """Two lines of a paragraph as one text. A word that is divided at the line's end becomes whole.

    A hyphen before a small letter divides a word, unless `words` (those of the document) know it with its hyphen.
    """
    return together((first, second), words)


def together(lines: Iterable[str], words: frozenset[str] = frozenset()) -> str:
    """The lines of a paragraph as one text."""
    parts: list[str] = []
    for line in lines:
        if parts and line:
            cut, glue = _joint(parts[-1], line, words)
            parts[-1] = parts[-1][: len(parts[-1]) - cut]
            parts.append(glue + line)
        elif line:
            parts.append(line)
    return "".join(parts)


def _joint(first: str, second: str, words: frozenset[str]) -> tuple[int, str]:
    """How many letters go from the end of a line, and what comes between it and the next."""
    last, before = first[-1], first[-2:-1]
    if last in _HYPHENS and second[0].islower() and before.isalpha():
        one, other = _end_word(first[:-1]), _first_word(second)
        is_compound = f"{one}-{other}" in words and f"{one}{other}" not in words
        return (0, "") if is_compound or _is_address(first) else (1, "")
    if last == "/" and before.strip():
        return 0, ""
    if _is_address(first) and last in "-_.?=&" and not second[0].isspace():
        return int(
            last == "-" and not before.isalnum()
        ), ""  # no name ends so: the hyphen marks the line's end
    return 0, "" if _CJK.match(last) and _CJK.match(second[0]) else " "


def _end_word(text: str) -> str:
    return re.split(r"[^\w-]", text[-60:])[-1].casefold()


def _first_word(text: str) -> str:
    return re.split(r"[^\w-]", text[:60], maxsplit=1)[0].casefold()


def _is_address(text: str) -> bool:
    last = text[-200:].rpartition(" ")[2]
    return "://" in last or last.startswith(("www.", "--")) or last.count("/") > 1
