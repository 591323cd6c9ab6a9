"""Do these passages answer this question? A calibrated guess, made before anything is generated.

It is made in two looks: most questions are decided by scores that retrieval has anyway, and only for the rest does the
cross-encoder read the best passage, which takes several times as long as everything else.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from ingestion.corpus import Hit
from service.answer.calibrations import AbstentionWeights, Calibration, FirstLook
from service.answer.sentences import SentenceScores

FIRST_FEATURES = ("dense", "cosine", "score", "union")
FEATURES = (*FIRST_FEATURES, "answers")
_LEAST = 1e-6


@dataclass(frozen=True, slots=True)
class Relevance:
    """The probability, between 0 and 1, that the passages answer, and what it rests on.

    Without weights it is 1, below no floor, and 0 where nothing was found. `answers` is None where the first look was sure.
    """

    probability: float
    dense: float
    cosine: float
    score: float
    union: float
    answers: float | None


def answerability(
    hits: Sequence[Hit], scored: SentenceScores, fitted: Calibration, read: Callable[[], float]
) -> Relevance:
    """Judge the hits of a question by their scored sentences, and where these leave a doubt by `read`, which gives the
    probability that the best passage answers."""
    if not hits or not scored.sentences:
        return Relevance(0.0, 0.0, 0.0, 0.0, 0.0, None)
    best = scored.sentences[0]
    seen = {
        "dense": max(hit.scores["dense"] for hit in hits),
        "cosine": best.cosine,
        "score": best.score,
        "union": scored.union,
    }
    if fitted.abstention is None:
        return Relevance(1.0, **seen, answers=None)
    first = fitted.first_look
    if first is not None:
        probability = _probability(seen, first, FIRST_FEATURES)
        if not first.least <= probability <= first.most:
            return Relevance(probability, **seen, answers=None)
    sure = min(max(read(), _LEAST), 1 - _LEAST)
    seen["answers"] = math.log(sure / (1 - sure))
    return Relevance(_probability(seen, fitted.abstention, FEATURES), **seen)


def _probability(
    seen: Mapping[str, float], weights: AbstentionWeights | FirstLook, features: Sequence[str]
) -> float:
    logit = weights.bias + sum(getattr(weights, name) * seen[name] for name in features)
    return 1 / (1 + math.exp(-logit))
