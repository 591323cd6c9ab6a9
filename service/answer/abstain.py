"""Do these passages answer this question? A calibrated guess, made before anything is generated."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from ingestion.corpus import Hit
from service.answer.sentences import Scored

# Logistic regression on the demo's cases and CLAPNQ's (dev, balanced): largest cosine of a passage,
# cosine and score of the best sentence, share of the question's words in all passages.
_DENSE, _COSINE, _SCORE, _UNION, _BIAS = 1.51, 3.73, 4.08, 2.78, -12.2


@dataclass(frozen=True, slots=True)
class Relevance:
    """The probability, between 0 and 1, that the passages answer, and what it rests on."""

    probability: float
    dense: float
    cosine: float
    score: float
    union: float


def judge(hits: Sequence[Hit], scored: Scored) -> Relevance:
    """Judge the hits of a question by their scored sentences."""
    if not hits or not scored.sentences:
        return Relevance(0.0, 0.0, 0.0, 0.0, 0.0)
    dense = max(hit.scores["dense"] for hit in hits)
    best = scored.sentences[0]
    logit = _BIAS + _DENSE * dense + _COSINE * best.cosine + _SCORE * best.score + _UNION * scored.union
    return Relevance(1 / (1 + math.exp(-logit)), dense, best.cosine, best.score, scored.union)
