"""Do these passages answer this question? A calibrated guess, made before anything is generated."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from ingestion.corpus import Hit
from service.answer.sentences import SentenceScores

# Logistic regression on the demo's cases, half of CLAPNQ's (dev) and XQuAD's, see `python -m evals calibrate`: largest
# cosine of a passage, cosine and score of the best sentence, share of the question's words in all passages, and log odds
# of the judge of pairs that the best passage answers.
FEATURES = ("dense", "cosine", "score", "union", "answers")
_WEIGHTS = {"dense": -1.54, "cosine": 3.23, "score": 3.58, "union": -1.3, "answers": 0.86}
_BIAS = -5.98
_LEAST = 1e-6


@dataclass(frozen=True, slots=True)
class Relevance:
    """The probability, between 0 and 1, that the passages answer, and what it rests on."""

    probability: float
    dense: float
    cosine: float
    score: float
    union: float
    answers: float


def answerability(hits: Sequence[Hit], scored: SentenceScores, answers: float) -> Relevance:
    """Judge the hits of a question by their scored sentences and the probability that the best one answers."""
    if not hits or not scored.sentences:
        return Relevance(0.0, 0.0, 0.0, 0.0, 0.0, 0.0)
    sure = min(max(answers, _LEAST), 1 - _LEAST)
    dense = max(hit.scores["dense"] for hit in hits)
    best = scored.sentences[0]
    seen = {
        "dense": dense,
        "cosine": best.cosine,
        "score": best.score,
        "union": scored.union,
        "answers": math.log(sure / (1 - sure)),
    }
    logit = _BIAS + sum(_WEIGHTS[name] * seen[name] for name in FEATURES)
    return Relevance(1 / (1 + math.exp(-logit)), **seen)
