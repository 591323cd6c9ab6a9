"""What the name model tells apart, and how a word is written. Shared by training and use."""

import numpy as np
import numpy.typing as npt

LABELS = (
    "PERSON",
    "STREET_ADDRESS",
    "GPE",
    "ORGANIZATION",
    "NRP",
    "DATE_TIME",
    "TITLE",
    "AGE",
    "ZIP_CODE",
    "PHONE_NUMBER",
)
# Tag 0 is "outside"; label i begins with tag 2i+1 and continues with 2i+2.
TAGS = 1 + 2 * len(LABELS)
# MiniLM's words are in small letters; how a word was written is told apart by these shapes.
SHAPES = 7
MAX_TOKENS = 128


def shape_of(word: str) -> int:
    """0 other, 1 small, 2 Capitalised, 3 CAPITALS, 4 a capital alone, 5 miXed, 6 digits."""
    if word.isdigit():
        return 6
    if not any(c.isalpha() for c in word):
        return 0
    if word.islower():
        return 1
    if len(word) == 1:
        return 4
    if word.isupper():
        return 3
    return 2 if word[0].isupper() and word[1:].islower() else 5


def shapes_of(text: str, offsets: list[tuple[int, int]], words: list[int | None]) -> npt.NDArray[np.int64]:
    """The shape of the whole word of each token; `words` numbers the words, None for special tokens."""
    begins: dict[int, int] = {}
    ends: dict[int, int] = {}
    for (start, end), word in zip(offsets, words, strict=True):
        if word is not None:
            begins.setdefault(word, start)
            ends[word] = end
    shapes = {word: shape_of(text[begins[word] : ends[word]]) for word in begins}
    return np.array([0 if word is None else shapes[word] for word in words], dtype=np.int64)
