"""Copies and near copies: MinHash to find candidates, then a comparison of the texts themselves.

Broder 1997, "On the resemblance and containment of documents"; banding after Leskovec et al., "Mining of
Massive Datasets", chapter 3. Two pages that differ in a number or a name are two pages, however alike.
"""

import re
import zlib
from collections import Counter
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from ingestion.text.particulars import differ

_SHINGLE_WORDS = 5
_HASHES, _BANDS = 64, 16  # candidates from a similarity of about .5 on
_PRIME = np.uint64((1 << 31) - 1)
_SEEDS = np.random.default_rng(1997).integers(1, 1 << 31, size=(2, _HASHES), dtype=np.uint64)
_WORD = re.compile(r"\w+")
NEAR = 0.8  # from here on a text of the same title is another version of it
_SAME = 0.97  # and from here on a copy of it


def words_of(text: str) -> list[str]:
    """The words of a text in small letters."""
    return _WORD.findall(text.casefold())


def _shingles(words: Sequence[str]) -> npt.NDArray[np.uint64]:
    hashes = np.array([zlib.crc32(word.encode()) for word in words] or [0], dtype=np.uint64)
    size = min(_SHINGLE_WORDS, len(hashes))
    mixed = np.zeros(len(hashes) - size + 1, dtype=np.uint64)
    for offset in range(size):
        mixed = mixed * np.uint64(1_000_003) ^ hashes[offset : len(hashes) - size + 1 + offset]
    return np.unique(mixed)


def bands_of(text: str) -> tuple[int, ...]:
    """Sixteen numbers; texts that are alike share at least one of them."""
    shingles = (_shingles(words_of(text)) % _PRIME)[:, None]
    lowest = np.full(_HASHES, _PRIME, dtype=np.uint64)
    for begin in range(0, len(shingles), 4_096):
        part = (shingles[begin : begin + 4_096] * _SEEDS[0] + _SEEDS[1]) % _PRIME
        lowest = np.minimum(lowest, part.min(axis=0))
    rows = lowest.reshape(_BANDS, -1)
    return tuple(zlib.crc32(row.tobytes()) * _BANDS + number for number, row in enumerate(rows))


def resemblance(one: str, other: str) -> float:
    """Jaccard similarity of the shingles of two texts."""
    left, right = _shingles(words_of(one)), _shingles(words_of(other))
    common = len(np.intersect1d(left, right, assume_unique=True))
    return common / (len(left) + len(right) - common)


def is_copy(one: str, other: str) -> bool:
    """Whether two texts say the same: nearly all words are the same, and every number and name is."""
    is_alike = resemblance(one, other) >= _SAME and _figures(one) == _figures(other)
    return is_alike and not differ(one, other)


def _figures(text: str) -> Counter[str]:
    return Counter(word for word in words_of(text) if any(c.isdigit() for c in word))
