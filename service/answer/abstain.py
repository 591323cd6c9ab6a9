"""Do these passages answer this question? A calibrated guess, made before anything is generated."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from ingestion.corpus import Hit
from service.answer.sentences import Scored

# Logistic regression on the demo's cases, CLAPNQ's (dev) and XQuAD's, see `python -m evals calibrate`: largest cosine
# of a passage, cosine and score of the best sentence, share of the question's words in all passages.
FEATURES = ("dense", "cosine", "score", "union")
_WEIGHTS = {"dense": 0.25, "cosine": 3.52, "score": 5.05, "union": 2.15}
_BIAS = -12.48


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
    seen = {"dense": dense, "cosine": best.cosine, "score": best.score, "union": scored.union}
    logit = _BIAS + sum(_WEIGHTS[name] * seen[name] for name in FEATURES)
    return Relevance(1 / (1 + math.exp(-logit)), **seen)
