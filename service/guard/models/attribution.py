"""Whether evidence supports a claim: features of the two, for a small head.

Words, numbers, names and negations are compared exactly; meaning is compared by sentence vectors, and by token vectors
as in late interaction (each token of the claim with its nearest token of the evidence, as BERTScore's precision, Zhang et
al. 2020). Knows neither thresholds nor what happens to a claim that fails.
"""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ingestion.cache import LruCache
from ingestion.detect.heads import Head
from ingestion.embed import Embedder
from ingestion.text.sentences import sentence_spans
from service.guard.checks.exact import numbers_in
from service.guard.models.cross_encoder import CrossEncoder
from service.guard.rouge import common_words

Floats = npt.NDArray[np.float32]
ATTRIBUTION_DIR = Path(__file__).parent / "attribution-minilm-l6-v2"
_WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)?")
_NEGATION = re.compile(
    r"\b(?:not|no|never|none|nobody|nothing|neither|nor|without|cannot|n't|nicht|kein\w*|nie|niemals|ohne|nunca|jamás|sin|ni|ne|pas|sans|mai|senza|não|sem|niet|geen)\b|n['’]t\b"
    r"|n ' t\b",
    re.IGNORECASE,
)
_FIRST = re.compile(r"\b(?:i|i'm|my|me|we|our|mine)\b|\bi ' ", re.IGNORECASE)
_SECOND = re.compile(r"\byou(?:r|rs)?\b", re.IGNORECASE)
_OPINION = re.compile(
    r"\b(?:think|love|like|hope|guess|believe|wonder|favou?rite|enjoy|agree|sure|great|cool|awesome|nice|haha|lol|wow|yeah|yes|oh|feel|wish|maybe|probably|interesting)\b",
    re.IGNORECASE,
)
_STOP = frozenset(
    "a an the of in on at to for from by with and or but is are was were be been being it its this that these those as he she they we i you his her their our"
    " my your do does did has have had will would can could should may might there here also so very more most than then too just about into over such some any"
    " which who whom what when where how why if not no s t".split()
)
_CACHED = 4_000
_MOST_EVIDENCE = 12
FEATURES = 34


@dataclass(frozen=True, slots=True)
class SentenceAnalysis:
    """A sentence: its vector, its tokens' vectors and its words."""

    vector: Floats
    tokens: Floats
    words: tuple[str, ...]
    names: frozenset[str]
    numbers: frozenset[str]
    is_negated: bool


class Attributor:
    """Judges claims against evidence. Sentences are analysed once and kept; safe to use from several threads."""

    def __init__(
        self, embedder: Embedder, head: Head | None, cross_encoder: CrossEncoder | None = None
    ) -> None:
        self._embedder = embedder
        self._head = head
        self._cross_encoder = cross_encoder
        self._known: LruCache[str, SentenceAnalysis] = LruCache(_CACHED)

    def analyse(self, texts: Sequence[str]) -> list[SentenceAnalysis]:
        """Sentences ready to be compared."""
        known = self._known.get_all({text: text for text in texts}, self._analyse)
        return [known[text] for text in texts]

    def _analyse(self, texts: list[str]) -> list[SentenceAnalysis]:
        late = self._embedder.late
        found = self._embedder.encode(texts)
        analysed = []
        for text, vector, codes in zip(texts, found.vectors, found.codes, strict=True):
            tokens = late.decode(codes) if late is not None and len(codes) else vector[None, :0]
            analysed.append(_analysed(text, vector, tokens))
        return analysed

    def rows(self, claims: Sequence[str], evidence: Sequence[str]) -> Floats:
        """Features of each claim against the sentences of the evidence, shape `(len(claims), FEATURES)`."""
        if not evidence:
            return np.zeros((len(claims), FEATURES), np.float32)
        analysed = self.analyse([*claims, *evidence])
        about = analysed[len(claims) :]
        return np.array(
            [_features(text, one, about) for text, one in zip(claims, analysed, strict=False)], np.float32
        )

    def score(self, claim: str, passages: Sequence[str]) -> float:
        """The probability that the passages support a claim; 0 without passages."""
        if self._head is None:
            raise ValueError("an attributor without a head has features, and no scores")
        if not claim or not passages:
            return 0.0
        words = frozenset(claim.casefold().split())
        sentences = [sentence for passage in passages for sentence in sentences_of(passage)]
        sentences.sort(key=lambda sentence: -len(words & frozenset(sentence.casefold().split())))
        compared = float(self._head.scores(self.rows([claim], sentences[:_MOST_EVIDENCE]))[0])
        if self._cross_encoder is None:
            return compared
        # In reading order: the cross-encoder itself shortens evidence that is too long.
        return _agreed(compared, self._cross_encoder.supports(claim, "\n".join(passages)))


def _agreed(compared: float, read: float) -> float:
    """The weighted mean of two models' log odds, as a probability; the cross-encoder has weight two thirds."""
    odds = [
        math.log(p / (1 - p)) for p in (min(max(compared, 1e-6), 1 - 1e-6), min(max(read, 1e-6), 1 - 1e-6))
    ]
    return 1 / (1 + math.exp(-(odds[0] + 2 * odds[1]) / 3))


def sentences_of(text: str, language: str = "en") -> list[str]:
    """The sentences of a passage."""
    return [text[start:end] for start, end in sentence_spans(text, language)]


def _analysed(text: str, vector: Floats, tokens: Floats) -> SentenceAnalysis:
    words = tuple(word.casefold() for word in _WORD.findall(text))
    names = frozenset(w.casefold() for w in re.findall(r"(?<![.!?] )(?<!^)\b[A-Z][\w'-]+", text))
    return SentenceAnalysis(vector, tokens, words, names, numbers_in(text), bool(_NEGATION.search(text)))


def _features(text: str, claim: SentenceAnalysis, evidence: Sequence[SentenceAnalysis]) -> list[float]:
    cosines = np.stack([one.vector for one in evidence]) @ claim.vector
    order = np.argsort(-cosines)
    overlaps = [_share(claim.words, frozenset(one.words)) for one in evidence]
    best = evidence[max(range(len(evidence)), key=lambda i: overlaps[i] + float(cosines[i]))]
    pooled = frozenset(word for one in evidence for word in one.words)
    missing = [word for word in claim.words if word not in pooled and word not in _STOP]
    content = [word for word in claim.words if word not in _STOP]
    stems = frozenset(word[:5] for word in pooled)
    far = [word for word in missing if word[:5] not in stems]
    numbers = frozenset().union(*(one.numbers for one in evidence))
    names = claim.names
    named = frozenset().union(*(one.names for one in evidence)) | pooled
    size = max(len(claim.words), 1)
    return [
        float(cosines[order[0]]),
        float(cosines[order[1]]) if len(order) > 1 else 0.0,
        float(cosines[order[:3]].mean()),
        float(_unit(np.stack([one.vector for one in evidence]).sum(axis=0)) @ claim.vector),
        *_token_features(claim, evidence, best),
        max(overlaps),
        _share(claim.words, pooled),
        _share(content, pooled),
        len(far) / max(len(content), 1),
        max((_rarity(word) for word in far), default=0.0),
        sum(_rarity(word) for word in far) / max(sum(_rarity(word) for word in content), 1.0),
        _share(_pairs(claim.words), frozenset(pair for one in evidence for pair in _pairs(one.words))),
        _share(_pairs(claim.words), frozenset(_pairs(best.words))),
        _longest_run(claim.words, best.words) / size,
        common_words(claim.words, best.words) / size,
        min(len(claim.numbers), 3) / 3,
        len(claim.numbers - numbers) / max(len(claim.numbers), 1),
        len(claim.numbers - best.numbers) / max(len(claim.numbers), 1),
        min(len(names), 4) / 4,
        len(names - named) / max(len(names), 1),
        float(claim.is_negated),
        float(claim.is_negated != best.is_negated),
        min(size, 40) / 40,
        min(len(evidence), 20) / 20,
        min(math.log1p(len(pooled)) / 6, 1.5),
        float(text.rstrip().endswith("?")),
        float(bool(_FIRST.search(text))),
        float(bool(_SECOND.search(text))),
        float(bool(_OPINION.search(text))),
    ]


def _token_features(
    claim: SentenceAnalysis, evidence: Sequence[SentenceAnalysis], best: SentenceAnalysis
) -> list[float]:
    """Similarity of the claim's tokens to their nearest tokens: mean and minimum, in all evidence and in its best sentence."""
    if not claim.tokens.size:
        return [0.0] * 6
    everything = np.concatenate([one.tokens for one in evidence])
    if not everything.size or not best.tokens.size:
        return [0.0] * 6
    similar = (claim.tokens @ everything.T).max(axis=1)
    near = (claim.tokens @ best.tokens.T).max(axis=1)
    return [
        float(similar.mean()),
        float(similar.min()),
        float(np.quantile(similar, 0.1)),
        float(np.quantile(similar, 0.3)),
        float(near.mean()),
        float(np.quantile(near, 0.2)),
    ]


def _unit(vector: Floats) -> Floats:
    unit: Floats = vector / max(float(np.linalg.norm(vector)), 1e-6)
    return unit


def _share(items: Sequence[object], known: frozenset[object] | frozenset[str]) -> float:
    return sum(item in known for item in items) / len(items) if items else 1.0


def _rarity(word: str) -> float:
    """An estimate of a word's rarity from its length, 0 to 1: long words are mostly rare (Zipf)."""
    return min(len(word), 10) / 10


def _pairs(words: Sequence[str]) -> list[tuple[str, str]]:
    return list(zip(words, words[1:], strict=False))


def _longest_run(one: Sequence[str], other: Sequence[str]) -> int:
    """Length in words of the longest run that both contain."""
    best = 0
    before = [0] * (len(other) + 1)
    for word in one:
        now = [0] * (len(other) + 1)
        for j, candidate in enumerate(other, start=1):
            if candidate == word:
                now[j] = before[j - 1] + 1
                best = max(best, now[j])
        before = now
    return best
