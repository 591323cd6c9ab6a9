"""Do these passages answer this question? A calibrated guess, made before anything is generated."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ingestion.corpus import Hit
from service.answer.calibrations import AbstentionWeights
from service.answer.sentences import SentenceScores

FEATURES = ("dense", "cosine", "score", "union", "answers")
_LEAST = 1e-6


@dataclass(frozen=True, slots=True)
class Relevance:
    """The probability, between 0 and 1, that the passages answer, and what it rests on.

    Without weights it is 1, below no floor, and 0 where nothing was found.
    """

    probability: float
    dense: float
    cosine: float
    score: float
    union: float
    answers: float


def answerability(
    hits: Sequence[Hit], scored: SentenceScores, answers: float, weights: AbstentionWeights | None
) -> Relevance:
    """Judge the hits of a question by their scored sentences and the probability that the best one answers."""
    if not hits or not scored.sentences:
        return Relevance(0.0, 0.0, 0.0, 0.0, 0.0, 0.0)
    sure = min(max(answers, _LEAST), 1 - _LEAST)
    best = scored.sentences[0]
    seen = {
        "dense": max(hit.scores["dense"] for hit in hits),
        "cosine": best.cosine,
        "score": best.score,
        "union": scored.union,
        "answers": math.log(sure / (1 - sure)),
    }
    return Relevance(_probability(seen, weights) if weights else 1.0, **seen)


def _probability(seen: Mapping[str, float], weights: AbstentionWeights) -> float:
    logit = weights.bias + sum(getattr(weights, name) * seen[name] for name in FEATURES)
    return 1 / (1 + math.exp(-logit))
