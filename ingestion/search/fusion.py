"""Candidates of two indexes, and the convex combination of their scores. Knows nothing of texts."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from ingestion.index.segment import Vectors
from ingestion.releases.candidates import Positions, Words
from ingestion.releases.release import Release

Floats = npt.NDArray[np.float32]
Mode = Literal["hybrid", "dense", "lexical"]


@dataclass(frozen=True, slots=True)
class Candidates:
    """Positions with their final score and the score of each stage, all of shape `(positions,)`, best first."""

    positions: Positions
    final: Floats
    stages: Mapping[str, Floats]

    def order_by(self, final: Floats, **stages: Floats) -> "Candidates":
        """The same positions by new final scores, best first, with the scores of further stages.

        Of equal ones the first stays first.
        """
        order = np.argsort(-final, kind="stable")
        every = {name: scores[order] for name, scores in {**self.stages, **stages}.items()}
        return Candidates(self.positions[order], final[order], every)


def fuse_candidates(
    release: Release, vector: Vectors, words: Words, *, mode: Mode, limit: int, dense_weight: float
) -> Candidates | None:
    """The nearest `limit` positions of each index, by a weighted mean of scaled scores; None when there are none.

    Cosines and BM25 scores are each scaled to 0-1 over the candidates (Bruch et al. 2023, "An Analysis of
    Fusion Functions for Hybrid Retrieval"). `vector` has the shape `(dimension,)`; the words know the view.
    """
    positions = _propose(release, vector, words, mode=mode, limit=limit)
    if not len(positions):
        return None
    cosines, bm25 = release.index.cosines(vector, positions), words.at(positions)
    fused = dense_weight * scale(cosines) + (1 - dense_weight) * scale(bm25, floor=0.0)
    return Candidates(positions, fused, {"dense": cosines, "lexical": bm25}).order_by(fused, fused=fused)


def _propose(release: Release, vector: Vectors, words: Words, *, mode: Mode, limit: int) -> Positions:
    positions: Positions = np.empty(0, np.int64)
    if mode != "lexical":
        positions, _ = release.searcher.search_dense(vector, limit, words.view)
    if mode != "dense":
        positions = np.union1d(positions, release.searcher.search_lexical(words, limit))
    return positions


def scale(scores: Floats, *, floor: float | None = None) -> Floats:
    """Scores from 0 for the least, or for `floor`, to 1 for the greatest; all 0 where they are equal."""
    low = float(scores.min()) if floor is None else floor
    span = float(scores.max()) - low
    return (scores - low) / span if span > 0 else np.zeros_like(scores)
