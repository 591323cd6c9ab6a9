"""Hybrid retrieval over an open release: dense and lexical candidates, fused. Knows nothing of HTTP."""

import numpy as np
import numpy.typing as npt

from ingestion.corpus import Hit
from ingestion.release import Release
from service.scope import RetrievalSettings

Floats = npt.NDArray[np.float32]


def search(
    release: Release, query: str, vector: Floats, settings: RetrievalSettings, hints: str = ""
) -> list[Hit]:
    """The best `top_k` chunks, best first.

    Candidates are the union of both indexes' best rows. Every candidate gets its exact cosine; the
    fused score is the convex combination of both scores, each scaled to 0-1 over the candidates
    (Bruch et al. 2023, "An Analysis of Fusion Functions for Hybrid Retrieval"). `hints` are further
    words for the lexical index alone.
    """
    limit = max(settings.candidates, settings.top_k)
    dense_rows: npt.NDArray[np.int64] = np.empty(0, np.int64)
    lexical_rows: npt.NDArray[np.int64] = np.empty(0, np.int64)
    lexical_scores: Floats = np.empty(0, np.float32)
    if settings.mode != "lexical":
        found, _ = release.dense.search(vector[None, :], limit)
        dense_rows = found[0][found[0] >= 0]
    if settings.mode != "dense":
        lexical_rows, lexical_scores = release.lexical.search(f"{query} {hints}", limit)
    rows = np.union1d(dense_rows, lexical_rows)
    if len(release.superseded) and not settings.include_superseded:
        rows = rows[~np.isin(rows, release.superseded)]
    if not len(rows):
        return []
    cosines = release.dense.score(vector, rows)
    bm25 = np.zeros(len(rows), np.float32)
    known = np.isin(lexical_rows, rows)
    bm25[np.searchsorted(rows, lexical_rows[known])] = lexical_scores[known]
    weight = {"hybrid": settings.dense_weight, "dense": 1.0, "lexical": 0.0}[settings.mode]
    fused = weight * _scale(cosines) + (1 - weight) * _scale(bm25, floor=0.0)
    best = np.argsort(-fused, kind="stable")[: settings.top_k]
    chunks = release.texts.chunks([int(rows[i]) for i in best])
    return [
        Hit(
            chunk,
            float(fused[i]),
            {"dense": float(cosines[i]), "lexical": float(bm25[i]), "fused": float(fused[i])},
        )
        for chunk, i in zip(chunks, best, strict=True)
    ]


def _scale(scores: Floats, *, floor: float | None = None) -> Floats:
    low = float(scores.min()) if floor is None else floor
    high = float(scores.max())
    span = high - low
    return (scores - low) / span if span > 0 else np.zeros_like(scores)
