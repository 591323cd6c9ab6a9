"""Masks of personal data in a question: they are no words to look for."""

import re

_MASK = re.compile(r"<[A-Z_]{3,}(?:_\d+)?>")


def has_masks(text: str) -> bool:
    """Whether something personal was taken out of a text."""
    return bool(_MASK.search(text))


def without_masks(text: str) -> str:
    """A text without its masks; itself where nothing else is in it."""
    return " ".join(_MASK.sub(" ", text).split()) or text


def lines_without_masks(text: str) -> str:
    """A text without its masks, which keeps its lines."""
    return _MASK.sub(" ", text)
