"""Search over the segments of a release, by vectors and by words, within what a caller may see.

A position numbers a passage within the release, segment by segment. Knows nothing of texts.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from ingestion.cache import LruCache
from ingestion.embed.values import Codes
from ingestion.filter import Mask
from ingestion.index.dense import Bitmap
from ingestion.index.ivf import IvfIndex
from ingestion.index.lexical import OTHER, Floats, key_of, terms
from ingestion.index.segment import Rows, Segment, Vectors
from ingestion.view import EVERYTHING, View

Positions = npt.NDArray[np.int64]
# Robertson and Zaragoza 2009. Anserini's values: over chunks of like length they are better than 1.2 and .75
# (XQuAD nDCG@10: de .940 for .934, es .960 for .958; covid-qa answer@5 .716 for .713).
K1, B = 0.9, 0.4
_MAX_TERMS = 128
# Weight of a word that a long message tells beside what it asks.
_BACKGROUND = 0.2
_RECENT_VIEWS, _RECENT_WORDS = 16, 50_000
# Below this many visible passages an exact search takes less time than probing lists of which most is hidden.
_EXACT_BELOW = 50_000


class Searcher(Protocol):
    """Finds candidates: in this process, or on a server beside it."""

    def search_dense(self, vector: Vectors, limit: int, view: View) -> tuple[Positions, Floats]:
        """Positions and cosines of the nearest to a vector of shape `(dimension,)`, best first."""
        ...

    def search_lexical(self, words: "Words", limit: int) -> Positions:
        """Positions with the best scores for some words, best first."""
        ...


@dataclass(frozen=True, slots=True)
class _Sight:
    """What a view shows of each segment, as masks and as bitmaps (None: all of it), and how many passages in all."""

    masks: tuple[Mask | None, ...]
    bitmaps: tuple[Bitmap | None, ...]
    count: int


@dataclass(frozen=True, slots=True)
class _Lengths:
    """How many passages a caller may see, and each segment's length term of BM25: `k1 (1 - b + b length / mean)`."""

    count: int
    norms: tuple[Floats, ...]


class LocalIndex:
    """Everything in this process, memory-mapped. Safe to use from several threads."""

    def __init__(
        self,
        segments: Sequence[Segment],
        dead: Rows,
        languages: Sequence[str],
        dimension: int,
        ivf: IvfIndex | None = None,
    ) -> None:
        self._segments = tuple(segments)
        self._languages = tuple(languages)
        self._dimension = dimension
        self._ivf = ivf
        self._alive = [_alive(segment, dead) for segment in segments]
        sizes = [len(segment.rows) for segment in segments]
        self.offsets: Positions = np.cumsum([0, *sizes], dtype=np.int64)
        self._sights: LruCache[View, _Sight] = LruCache(_RECENT_VIEWS)
        self._bitmaps: LruCache[View, Bitmap] = LruCache(_RECENT_VIEWS)
        self._lengths: LruCache[frozenset[str] | None, _Lengths] = LruCache(_RECENT_VIEWS)
        self._rarities: LruCache[tuple[int, frozenset[str] | None], float] = LruCache(_RECENT_WORDS)

    # Views.

    def count(self, view: View) -> int:
        """How many passages a view shows."""
        return self._sight(view).count

    def positions(self, view: View) -> Positions:
        """All positions that a view shows."""
        masks = self._sight(view).masks
        parts = [
            offset + (np.arange(len(segment.rows)) if mask is None else np.flatnonzero(mask))
            for segment, mask, offset in zip(self._segments, masks, self.offsets, strict=False)
        ]
        return np.concatenate([np.empty(0, np.int64), *parts])

    def _sight(self, view: View) -> _Sight:
        return self._sights.get(view, self._look)

    def _look(self, view: View) -> _Sight:
        masks = []
        count = 0
        for segment, alive in zip(self._segments, self._alive, strict=True):
            mask = segment.mask(view)
            both = alive if mask is None else mask if alive is None else mask & alive
            count += len(segment.rows) if both is None else int(both.sum())
            masks.append(both)
        bitmaps = tuple(None if m is None else np.packbits(m, bitorder="little") for m in masks)
        return _Sight(tuple(masks), bitmaps, count)

    # Vectors.

    def search_dense(self, vector: Vectors, limit: int, view: View) -> tuple[Positions, Floats]:
        """Positions and cosines of the nearest to a vector of shape `(dimension,)`, best first."""
        if self._ivf is None or self._sight(view).count < _EXACT_BELOW:
            return self.search_dense_exactly(vector, limit, view)
        covered = self._probe(self._ivf, vector, limit, view)
        newer = self.search_dense_exactly(vector, limit, view, first=self._ivf.segments)
        return _best([covered, newer], limit)

    def search_dense_exactly(
        self, vector: Vectors, limit: int, view: View, *, first: int = 0
    ) -> tuple[Positions, Floats]:
        """The same without the IVF index: every passage is compared, from the segment numbered `first` on."""
        sight = self._sight(view)
        parts: list[tuple[Positions, Floats]] = []
        for number in range(first, len(self._segments)):
            bitmap = sight.bitmaps[number]
            if bitmap is None or bitmap.any():
                positions, cosines = self._segments[number].dense.search(vector, limit, bitmap)
                parts.append((positions + self.offsets[number], cosines))
        return _best(parts, limit)

    def _probe(self, ivf: IvfIndex, vector: Vectors, limit: int, view: View) -> tuple[Positions, Floats]:
        """The best of what the IVF index proposes, by exact cosines."""
        sight = self._sight(view)
        is_whole = all(mask is None for mask in sight.masks[: ivf.segments])
        bitmap = None if is_whole else self._bitmaps.get(view, self._join)
        share = sight.count / max(1, int(self.offsets[-1]))
        found = ivf.search(vector, limit, bitmap, share)
        return _best([(found, self.cosines(vector, found))], limit)

    def _join(self, view: View) -> Bitmap:
        """One bitmap for all segments."""
        masks = self._sight(view).masks
        parts = [
            np.ones(len(segment.rows), dtype=bool) if mask is None else mask
            for segment, mask in zip(self._segments, masks, strict=True)
        ]
        return np.packbits(np.concatenate(parts), bitorder="little")

    def cosines(self, vector: Vectors, positions: Positions) -> Floats:
        """Exact cosines of a vector with some positions."""
        return self.vectors(positions) @ vector

    def vectors(self, positions: Positions) -> Vectors:
        """The vectors at some positions, shape `(positions, dimension)`."""
        out = np.empty((len(positions), self._dimension), dtype=np.float32)
        for number, chosen, inner in self._by_segment(positions):
            out[chosen] = self._segments[number].dense.take(inner)
        return out

    def codes(self, positions: Positions) -> list[Codes | None]:
        """The token codes at some positions."""
        numbers = np.searchsorted(self.offsets, positions, side="right") - 1
        return [
            self._segments[number].tokens.take(int(position - self.offsets[number]))
            for number, position in zip(numbers.tolist(), positions.tolist(), strict=True)
        ]

    def rows(self, positions: Positions) -> list[int]:
        """The rows of some positions."""
        out = np.empty(len(positions), np.int64)
        for number, chosen, inner in self._by_segment(positions):
            out[chosen] = self._segments[number].rows[inner]
        found: list[int] = out.tolist()
        return found

    def _by_segment(self, positions: Positions) -> list[tuple[int, Mask, Positions]]:
        """For each segment that holds some: its number, which of the positions, and where they are in it."""
        numbers = np.searchsorted(self.offsets, positions, side="right") - 1
        found = []
        for number in np.unique(numbers).tolist():
            chosen = numbers == number
            found.append((number, chosen, positions[chosen] - self.offsets[number]))
        return found

    # Words.

    @property
    def languages(self) -> tuple[str, ...]:
        """The languages in which words are analysed."""
        return self._languages

    def words(self, text: str, view: View, background: str = "") -> "Words":
        """The words of a question, weighted by their rarity among the passages that the caller may see.

        Those of its background, what else its message tells, count for little, and the rarest of them alone.
        """
        counts: Counter[int] = Counter()
        told: set[int] = set()
        for language in self._languages:
            counts.update(key_of(term, language) for term in terms(text, language)[:_MAX_TERMS])
            told.update(key_of(term, language) for term in terms(background, language))
        weights = self._rarest(told - counts.keys(), view.groups)
        weights |= {key: count * self._rarity(key, view.groups) for key, count in counts.items()}
        keys = np.array(sorted(weights), np.uint64)
        return Words(self, view, keys, np.array([weights[key] for key in sorted(weights)], np.float32))

    def _rarest(self, keys: set[int], groups: frozenset[str] | None) -> dict[int, float]:
        """The rarest of some words that are in the index, with their weights as background."""
        rarities = {key: self._rarity(key, groups) for key in keys}
        absent = _rarity_of(0, self._measure(groups).count)
        known = sorted((-rarity, key) for key, rarity in rarities.items() if rarity < absent)
        return {key: -_BACKGROUND * rarity for rarity, key in known[:_MAX_TERMS]}

    def search_lexical(self, words: "Words", limit: int) -> Positions:
        """Positions with the best BM25 scores, best first; those without any of the words are left out."""
        masks = self._sight(words.view).masks
        parts: list[tuple[Positions, Floats]] = []
        least = 0.0
        for number, mask in enumerate(masks):
            scores = words.scores(number)
            if scores is None:
                continue
            found = np.flatnonzero(scores > least if mask is None else (scores > least) & mask)
            if len(found):
                parts = [_best([*parts, (found + self.offsets[number], scores[found])], limit)]
                if len(parts[0][0]) == limit:
                    least = float(parts[0][1][-1])
        return parts[0][0] if parts else np.empty(0, np.int64)

    def rarity(self, term: str, language: str, view: View = EVERYTHING) -> float:
        """Inverse document frequency of a term as BM25 weighs it, among what the caller may see; a language that the
        collection does not declare is analysed as `OTHER`."""
        known = language if language in self._languages else OTHER
        return self._rarity(key_of(term, known), view.groups)

    def frequencies(self, keys: Sequence[int], view: View) -> list[int]:
        """In how many passages that the view's groups may see each word stands."""
        order = np.argsort(np.array(keys, np.uint64))
        wanted = np.array(keys, np.uint64)[order]
        counts = np.zeros(len(keys), np.int64)
        for segment, mask in zip(
            self._segments, self._sight(View(view.groups, None, True)).masks, strict=True
        ):
            for number, positions, _ in segment.words.find(wanted):
                seen = len(positions) if mask is None else np.count_nonzero(mask[positions])
                counts[order[number]] += int(seen)
        found: list[int] = counts.tolist()
        return found

    def _rarity(self, key: int, groups: frozenset[str] | None) -> float:
        return self._rarities.get((key, groups), self._weigh)

    def _weigh(self, key_and_groups: tuple[int, frozenset[str] | None]) -> float:
        key, groups = key_and_groups
        frequency = self.frequencies([key], View(groups, None, True))[0]
        return _rarity_of(frequency, self._measure(groups).count)

    def _measure(self, groups: frozenset[str] | None) -> _Lengths:
        return self._lengths.get(groups, self._measure_lengths)

    def _measure_lengths(self, groups: frozenset[str] | None) -> _Lengths:
        sight = self._sight(View(groups, None, True))
        total = sum(
            float(segment.words.lengths.sum() if mask is None else segment.words.lengths[mask].sum())
            for segment, mask in zip(self._segments, sight.masks, strict=True)
        )
        mean = max(total / max(1, sight.count), 1e-6)
        norms = tuple(K1 * (1 - B + B * segment.words.lengths / mean) for segment in self._segments)
        return _Lengths(sight.count, norms)

    def score_words(self, number: int, words: "Words") -> Floats | None:
        """BM25 of every position of a segment, shape `(rows,)`; None where none of the words is."""
        segment = self._segments[number]
        found = segment.words.find(words.keys)
        if not found:
            return None
        norm = self._measure(words.view.groups).norms[number]
        scores = np.zeros(len(segment.rows), np.float32)
        for index, positions, counts in found:
            weight = words.weights[index] * np.float32(K1 + 1)
            scores[positions] += weight * counts / (counts + norm[positions])
        return scores

    def score_at(self, positions: Positions, words: "Words") -> Floats:
        """BM25 of some positions; 0 where none of the words is."""
        out = np.zeros(len(positions), np.float32)
        for number, chosen, inner in self._by_segment(positions):
            scores = words.scores(number)
            if scores is not None:
                out[chosen] = scores[inner]
        return out


class Words:
    """The words of one question with their weights. Computes the scores of a segment once, when first asked."""

    def __init__(self, index: LocalIndex, view: View, keys: npt.NDArray[np.uint64], weights: Floats) -> None:
        self.view = view
        self.keys = keys
        self.weights = weights
        self._index = index
        self._scores: dict[int, Floats | None] = {}

    def scores(self, number: int) -> Floats | None:
        """BM25 of every position of a segment."""
        if number not in self._scores:
            self._scores[number] = self._index.score_words(number, self)
        return self._scores[number]

    def at(self, positions: Positions) -> Floats:
        """BM25 of some positions."""
        return self._index.score_at(positions, self)


def _rarity_of(frequency: int, count: int) -> float:
    """Inverse document frequency of a word that `frequency` of `count` passages hold."""
    return float(np.log(1 + (count - frequency + 0.5) / (frequency + 0.5)))


def _best(parts: Sequence[tuple[Positions, Floats]], limit: int) -> tuple[Positions, Floats]:
    """The best of all, best first; of equal ones the first."""
    if not parts:
        return np.empty(0, np.int64), np.empty(0, np.float32)
    positions = np.concatenate([part[0] for part in parts])
    scores = np.concatenate([part[1] for part in parts])
    if len(scores) > 4 * limit:
        kept = np.flatnonzero(scores >= np.partition(scores, len(scores) - limit)[len(scores) - limit])
        positions, scores = positions[kept], scores[kept]
    order = np.lexsort((positions, -scores))[:limit]
    return positions[order], scores[order]


def _alive(segment: Segment, dead: Rows) -> Mask | None:
    positions = np.minimum(np.searchsorted(segment.rows, dead), len(segment.rows) - 1)
    positions = positions[segment.rows[positions] == dead]
    if not len(positions):
        return None
    alive = np.ones(len(segment.rows), dtype=bool)
    alive[positions] = False
    return alive
