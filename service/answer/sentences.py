"""Sentences of retrieved passages, scored against a question. Pure CPU work, cached by chunk."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt

from ingestion.cache import LruCache
from ingestion.corpus import Chunk, Hit
from ingestion.embed import Embedder
from ingestion.index.lexical import names
from ingestion.index.lexical import terms as terms_of
from ingestion.releases.release import Release
from ingestion.search.abbreviations import asked_abbreviation, tells_expansion
from ingestion.text.sentences import sentence_spans
from ingestion.view import View
from service.answer.calibrations import Calibrations
from service.answer.quantities import asks_for_quantity, has_quantity
from service.answer.rewrite.languages import GRAMMARS
from service.answer.statements import asks_for_default, asks_for_definition, tells_default

Floats = npt.NDArray[np.float32]

# A word of the question that stands in the nearest heading counts for every sentence below it, as in the
# sentence itself; one in the title or in a heading further up counts less. A sentence that opens a section whose headings
# have all that the question names says what that is. Chosen on the demo, XQuAD English and questions about manuals: of those
# for a setting's default, two sentences hold .33 where all headings count .4, and .90 so; the other sets keep theirs.
_OWN_SHARE, _HEADING_SHARE = 1.0, 0.4
_UNDER = " › "
_OPENING, _NAMED = 0.5, 0.85
# What sentences lose for each option, setting or code that is asked for by its very name and that their passage lacks while
# another one has it.
_LACKING = 1.0
# What a sentence gains that tells a default where one is asked for, and one that spells out the abbreviation in question.
_DEFAULT, _EXPANSION = 0.4, 0.8


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence of a hit: `chunk.text[start:end]`, its score, and the parts of the score.

    `plain` is the score without what the sentence gains by its place and form: these choose among sentences, and say little of
    whether there is an answer at all.
    """

    hit: int
    start: int
    end: int
    score: float
    cosine: float
    overlap: float
    plain: float


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
    own: frozenset[str]  # of the nearest heading
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
        defines = asks_for_definition(question)
        analysed = self._analyse([hit.chunk for hit in hits], embedder)
        weights = {
            language: term_weights(question, language, release, view)
            for language in {hit.chunk.language for hit in hits}
        }
        # Who asks what something is names it, and nothing else.
        matters = {name: _without_asking(own, name) for name, own in weights.items()} if defines else weights
        by = self.calibrations.of(embedder).sentences
        wants_quantity, tells = asks_for_quantity(question), _told_by(question)
        found: list[Sentence] = []
        words: set[str] = set()
        named_in = {language: names(question, language) for language in weights}
        had = [len(named_in[hit.chunk.language] & one.words) for hit, one in zip(hits, analysed, strict=True)]
        for index, (hit, one) in enumerate(zip(hits, analysed, strict=True)):
            own = weights[hit.chunk.language]
            words |= one.words
            alone, placed = (one.vectors @ vector).tolist(), (one.placed @ vector).tolist()
            named = coverage(matters[hit.chunk.language], one.header)
            lacking = _LACKING * (max(had) - had[index])
            # A title says which document it is, and not that it answers.
            is_section = _UNDER in hit.chunk.header
            for position, (start, end) in enumerate(one.spans):
                overlap = coverage(own, one.terms[position], one.own, one.header)
                said = overlap if is_section else coverage(own, one.terms[position], header=one.header)
                base = by.cosine * (placed[position] - by.origin) + by.passage * hit.score - lacking
                base += by.quantity * (wants_quantity and one.quantities[position])
                opening = _OPENING * (position == 0 and named >= _NAMED)
                score = base + by.overlap * (overlap + opening)
                score += tells(hit.chunk.text[start:end]) if tells else 0.0
                plain = base + by.overlap * said
                found.append(Sentence(index, start, end, score, alone[position], overlap, plain))
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


def _without_asking(weights: dict[str, float], language: str) -> dict[str, float]:
    """The weights of the words that carry meaning, as if the question had no others."""
    plain = _function_terms(language)
    kept = {term: weight for term, weight in weights.items() if term not in plain}
    total = sum(kept.values())
    return {term: weight / total for term, weight in kept.items()} if total > 0 else weights


@cache
def _function_terms(language: str) -> frozenset[str]:
    """The function words of a language as the index has them."""
    grammar = GRAMMARS.get(language)
    return frozenset(terms_of(" ".join(grammar.function_words), language)) if grammar else frozenset()


def _told_by(question: str) -> Callable[[str], float] | None:
    """What a sentence gains by telling what the question asks to be told."""
    abbreviation = asked_abbreviation(question)
    if abbreviation:
        return lambda text: _EXPANSION * tells_expansion(text, abbreviation)
    if asks_for_default(question):
        return lambda text: _DEFAULT * tells_default(text)
    return None


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
        nearest = frozenset(terms_of(chunk.header.rpartition(_UNDER)[2], chunk.language))
        rows = vectors[position : position + 2 * len(own)]
        numbers = tuple(has_quantity(chunk.text[s:e]) for s, e in own)
        found.append(
            _SentenceAnalysis(
                own, rows[::2], rows[1::2], terms, nearest, header, header.union(*terms), numbers
            )
        )
        position += 2 * len(own)
    return found


def term_weights(question: str, language: str, release: Release, view: View) -> dict[str, float]:
    """The question's words as the index sees them, weighted by rarity in the view; the weights sum to 1."""
    weights = {t: release.index.rarity(t, language, view) for t in terms_of(question, language)}
    total = sum(weights.values())
    return {term: weight / total for term, weight in weights.items()} if total > 0 else {}


def coverage(
    weights: dict[str, float],
    terms: frozenset[str],
    own: frozenset[str] = frozenset(),
    header: frozenset[str] = frozenset(),
) -> float:
    """The weighted share of the question's words in a text, between 0 and 1; words of its nearest heading and of the others
    count less."""
    return sum(
        weight * (1.0 if term in terms else _OWN_SHARE if term in own else _HEADING_SHARE)
        for term, weight in weights.items()
        if term in terms or term in header
    )
