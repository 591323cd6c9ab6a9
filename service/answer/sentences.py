"""Sentences of retrieved passages, scored against a question. Pure CPU work, cached by chunk."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ingestion.cache import LruCache
from ingestion.corpus import Chunk, Hit
from ingestion.embed import Embedder
from ingestion.index.lexical import terms as terms_of
from ingestion.releases.release import Release
from ingestion.text.sentences import sentence_spans
from ingestion.view import View
from service.answer.calibrations import Calibrations
from service.answer.quantities import asks_for_quantity, has_quantity

Floats = npt.NDArray[np.float32]

# A word of the question that stands in the heading counts for every sentence below it, but less.
_HEADING_SHARE = 0.4


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence of a hit: `chunk.text[start:end]`, its score, and the parts of the score."""

    hit: int
    start: int
    end: int
    score: float
    cosine: float
    overlap: float


@dataclass(frozen=True, slots=True)
class SentenceScores:
    """Sentences, the best first, and the weighted share of the question's words in all passages."""

    sentences: tuple[Sentence, ...]
    union: float


# The embedder's digest, the chunk's id, and which characters of the document.
Key = tuple[str, str, int, int]


@dataclass(frozen=True, slots=True)
class _SentenceAnalysis:
    spans: tuple[tuple[int, int], ...]
    vectors: Floats  # of the sentences alone
    placed: Floats  # of the sentences under their headings
    terms: tuple[frozenset[str], ...]
    header: frozenset[str]
    words: frozenset[str]
    quantities: tuple[bool, ...]


class SentenceScorer:
    """Scores sentences with the weights of their embedder; keeps the analyses of the last `size` chunks."""

    def __init__(self, calibrations: Calibrations, *, size: int = 2_000) -> None:
        self.calibrations = calibrations
        self._known: LruCache[Key, _SentenceAnalysis] = LruCache(size)

    def score(
        self,
        question: str,
        vector: Floats,
        hits: Sequence[Hit],
        release: Release,
        view: View,
        embedder: Embedder,
    ) -> SentenceScores:
        """Every sentence of the hits, the best first; `vector` is the question's embedding."""
        analysed = self._analyse([hit.chunk for hit in hits], embedder)
        weights = {
            language: term_weights(question, language, release, view)
            for language in {hit.chunk.language for hit in hits}
        }
        by = self.calibrations.of(embedder).sentences
        wants_quantity = asks_for_quantity(question)
        found: list[Sentence] = []
        words: set[str] = set()
        for index, (hit, one) in enumerate(zip(hits, analysed, strict=True)):
            own = weights[hit.chunk.language]
            words |= one.words
            alone, placed = (one.vectors @ vector).tolist(), (one.placed @ vector).tolist()
            for position, (start, end) in enumerate(one.spans):
                overlap = coverage(own, one.terms[position], one.header)
                score = by.cosine * placed[position] + by.overlap * overlap + by.passage * hit.score
                score += by.quantity * (wants_quantity and one.quantities[position])
                found.append(Sentence(index, start, end, score, alone[position], overlap))
        found.sort(key=lambda sentence: -sentence.score)
        union = max((coverage(own, frozenset(words)) for own in weights.values()), default=0.0)
        return SentenceScores(tuple(found), union)

    def _analyse(self, chunks: Sequence[Chunk], embedder: Embedder) -> list[_SentenceAnalysis]:
        # Neighbours that were joined bear the name of one of them.
        keys = [(embedder.digest, chunk.id, chunk.start, chunk.end) for chunk in chunks]
        known = self._known.get_all(
            dict(zip(keys, chunks, strict=True)), lambda missing: _analysed(missing, embedder)
        )
        return [known[key] for key in keys]


def _analysed(chunks: Sequence[Chunk], embedder: Embedder) -> list[_SentenceAnalysis]:
    """Chunks ready to be compared; the sentences of all are embedded together."""
    spans = [tuple(sentence_spans(chunk.text, chunk.language)) for chunk in chunks]
    texts = [
        text
        for chunk, own in zip(chunks, spans, strict=True)
        for start, end in own
        for text in (chunk.text[start:end], f"{chunk.header}: {chunk.text[start:end]}")
    ]
    vectors = embedder.embed(texts) if texts else np.empty((0, 1), np.float32)
    found = []
    position = 0
    for chunk, own in zip(chunks, spans, strict=True):
        terms = tuple(frozenset(terms_of(chunk.text[s:e], chunk.language)) for s, e in own)
        header = frozenset(terms_of(chunk.header, chunk.language))
        rows = vectors[position : position + 2 * len(own)]
        numbers = tuple(has_quantity(chunk.text[s:e]) for s, e in own)
        found.append(
            _SentenceAnalysis(own, rows[::2], rows[1::2], terms, header, header.union(*terms), numbers)
        )
        position += 2 * len(own)
    return found


def term_weights(question: str, language: str, release: Release, view: View) -> dict[str, float]:
    """The question's words as the index sees them, weighted by rarity in the view; the weights sum to 1."""
    weights = {t: release.index.rarity(t, language, view) for t in terms_of(question, language)}
    total = sum(weights.values())
    return {term: weight / total for term, weight in weights.items()} if total > 0 else {}


def coverage(weights: dict[str, float], terms: frozenset[str], header: frozenset[str] = frozenset()) -> float:
    """The weighted share of the question's words in a text, between 0 and 1."""
    return sum(
        weight if term in terms else weight * _HEADING_SHARE
        for term, weight in weights.items()
        if term in terms or term in header
    )
