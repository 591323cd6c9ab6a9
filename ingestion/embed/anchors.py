"""How alike an embedder sees texts that have nothing in common: some, such as E5, from .7 up. Cosines are told by that.

Thresholds and weights of cosines were chosen with the built-in embedder; here they are carried over to any other.
"""

from dataclasses import dataclass

import numpy as np

from ingestion.embed.values import Vectors

# The mean similarity of unrelated questions by the built-in embedder.
_UNRELATED = 0.077

# Questions with nothing in common.
ANCHORS = (
    "How do I reset my password?",
    "What does delivery to Spain cost?",
    "Is the swimming pool heated in winter?",
    "Who painted the ceiling of the chapel?",
    "When does the last train leave?",
    "Can I claim travel expenses?",
    "Why is my screen flickering?",
    "How long do I boil an egg?",
    "Which vaccinations does a puppy need?",
    "Where is the invoice for March?",
    "How many seats does the van have?",
    "Do I need a visa for Japan?",
)


@dataclass(frozen=True, slots=True)
class CosineScale:
    """Cosines of an embedder and those of the built-in one that mean the same: `unrelated` is 1 on neither's."""

    unrelated: float

    @property
    def slope(self) -> float:
        """What a step of this embedder is worth in steps of the built-in one."""
        return (1 - _UNRELATED) / (1 - self.unrelated)

    @property
    def origin(self) -> float:
        """The cosine of this embedder that means 0."""
        return 1 - 1 / self.slope

    def of_builtin(self, cosine: float) -> float:
        """The cosine that is as far from unrelated to equal as `cosine` is by the built-in embedder."""
        return self.unrelated + (1 - self.unrelated) * (cosine - _UNRELATED) / (1 - _UNRELATED)


def scale_of(questions: Vectors, passages: Vectors | None = None) -> CosineScale:
    """From the vectors of `ANCHORS` as questions, and as passages where the two are to be compared."""
    similar = questions @ (questions if passages is None else passages).T
    count = len(similar)
    return CosineScale(float((similar.sum() - np.trace(similar)) / (count * (count - 1))))
