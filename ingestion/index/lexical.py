"""Words and where they are: the terms of a text, and the postings of a segment in sorted arrays.

Scores are computed in `ingestion.releases.candidates`: BM25 needs how common a word is among the passages that a
caller may see, which differs from caller to caller.
"""

from collections import Counter
from collections.abc import Sequence
from functools import lru_cache
from hashlib import blake2b
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ingestion.errors import ReleaseError
from ingestion.index.analysis import folded, readable, terms_of_text, terms_of_word, without_runs
from ingestion.index.identifiers import abbreviations, exact, identifiers

# The analysis of texts in a language that the collection does not declare.
OTHER = "other"
_MOST = np.iinfo(np.uint16).max
_FILES = ("keys", "starts", "positions", "counts", "lengths")

Positions = npt.NDArray[np.int32]
Floats = npt.NDArray[np.float32]


def terms(text: str, language: str) -> list[str]:
    """The words of a text as they are indexed in a language, and behind them its identifiers."""
    text = readable(text)
    words = terms_of_text(text, language)
    spaced = without_runs(text)
    for identifier in identifiers(spaced):
        # Letters alone have the form of any other word: `Node.js` is `nodejs`.
        words += terms_of_word(identifier, language) if identifier.isalpha() else (folded(identifier),)
    words += (word for word in abbreviations(spaced) if not terms_of_word(word, language))
    return words


def names(question: str, language: str) -> frozenset[str]:
    """What a question asks for by its very name, as it is indexed in a language (`identifiers.exact`)."""
    found = exact(readable(question))
    return frozenset(
        term for one in found for term in (terms_of_word(one, language) if one.isalpha() else (folded(one),))
    )


@lru_cache(maxsize=500_000)
def key_of(term: str, language: str) -> int:
    """A number for a word in a language: 64 bits, so that two of ten million words hardly ever share one."""
    return int.from_bytes(blake2b(f"{language}\x1f{term}".encode(), digest_size=8).digest(), "little")


class PostingsWriter:
    """Collects the words of passages, which are given in the order of their positions."""

    def __init__(self, languages: Sequence[str]) -> None:
        self._languages = frozenset(languages)
        self._keys: list[npt.NDArray[np.uint64]] = []
        self._counts: list[npt.NDArray[np.uint16]] = []
        self._lengths: list[int] = []

    def add(self, language: str, text: str) -> None:
        """The next passage; one in an undeclared language is analysed without a stemmer."""
        known = language if language in self._languages else OTHER
        found = Counter(terms(text, known))
        self._keys.append(np.array([key_of(term, known) for term in found], np.uint64))
        self._counts.append(np.minimum(np.array(list(found.values()), np.int64), _MOST).astype(np.uint16))
        self._lengths.append(sum(found.values()))

    def write(self, folder: Path) -> list[str]:
        """Write the arrays; the names of the files."""
        sizes = [len(keys) for keys in self._keys]
        keys = np.concatenate([np.empty(0, np.uint64), *self._keys])
        positions = np.repeat(np.arange(len(sizes), dtype=np.int32), sizes)
        counts = np.concatenate([np.empty(0, np.uint16), *self._counts])
        order = np.argsort(keys, kind="stable")
        unique, starts = np.unique(keys[order], return_index=True)
        arrays = {
            "keys": unique,
            "starts": np.append(starts, len(keys)).astype(np.int64),
            "positions": positions[order],
            "counts": counts[order],
            "lengths": np.array(self._lengths, np.uint32),
        }
        for name, array in arrays.items():
            np.save(folder / f"{name}.npy", array)
        return [f"{name}.npy" for name in arrays]


class Postings:
    """The words of a segment, memory-mapped. Safe to use from several threads."""

    def __init__(self, folder: Path) -> None:
        try:
            loaded = [np.load(folder / f"{name}.npy", mmap_mode="r") for name in _FILES]
        except (OSError, ValueError) as exc:
            raise ReleaseError(f"The lexical index in {str(folder)!r} cannot be read.") from exc
        # Views without memmap's Python-side cost for each slice.
        self._keys, self._starts, self._positions, self._counts, lengths = map(np.asarray, loaded)
        self.lengths: Floats = lengths.astype(np.float32)
        ends = len(self._keys) + 1, len(self._positions), len(self._counts)
        if (len(self._starts), int(self._starts[-1]), int(self._starts[-1])) != ends:
            raise ReleaseError(f"The lexical index in {str(folder)!r} disagrees with itself.")

    def find(self, keys: npt.NDArray[np.uint64]) -> list[tuple[int, Positions, npt.NDArray[np.uint16]]]:
        """For those of some keys that are here: which one, the positions it is in, and how often in each."""
        if not len(self._keys):
            return []
        at = np.minimum(np.searchsorted(self._keys, keys), len(self._keys) - 1)
        found = []
        for index in np.flatnonzero(self._keys[at] == keys).tolist():
            begin, end = self._starts[at[index]], self._starts[at[index] + 1]
            found.append((index, self._positions[begin:end], self._counts[begin:end]))
        return found
