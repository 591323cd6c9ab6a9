"""A second score for the best candidates: late interaction when the index has it, or any cross-encoder."""

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np

from ingestion.embed import EncodedQuestion, LateHead
from ingestion.errors import EmbedderError
from ingestion.releases.candidates import LocalIndex, Positions
from ingestion.releases.release import Release
from ingestion.search.fusion import Candidates, Floats, scale

_BATCH = 32


class Reranker(Protocol):
    """Reads a question and a passage together."""

    name: str

    def score(self, question: str, texts: Sequence[str]) -> Floats:
        """How well each passage answers; only the order and the distances count."""
        ...


class CrossEncoderReranker:
    """Any sentence-transformers cross-encoder, such as `cross-encoder/ms-marco-MiniLM-L6-v2`."""

    def __init__(self, model: Any, name: str) -> None:
        self.name = name
        self._model = model

    def score(self, question: str, texts: Sequence[str]) -> Floats:
        """One score a passage."""
        pairs = [(question, text) for text in texts]
        found = self._model.predict(pairs, batch_size=_BATCH, show_progress_bar=False)
        return np.asarray(found, np.float32).reshape(len(texts), -1)[:, -1]


def load_reranker(name: str) -> Reranker:
    """A cross-encoder by folder or hub name. Raises `EmbedderError` without the extra `models`."""
    try:
        from sentence_transformers import CrossEncoder
    except ImportError as exc:
        raise EmbedderError(
            f"The reranker {name!r} needs torch and sentence-transformers: install the extra `models`,"
            ' or run: pip install torch==2.13.0 "sentence-transformers>=6".'
        ) from exc
    try:
        return CrossEncoderReranker(CrossEncoder(name), name)
    except (OSError, ValueError) as exc:
        raise EmbedderError(
            f"The reranker {name!r} cannot be loaded: {exc}. Set the variant's `rerank` to late or none, to a model's"
            " folder, or to a model of a hub that can be reached."
        ) from exc


def late_scores(
    head: LateHead | None, index: LocalIndex, question: EncodedQuestion, positions: Positions
) -> Floats | None:
    """Late interaction between a question and some passages; None where the model or the index has none."""
    if head is None or not len(question.tokens) or not len(positions):
        return None
    codes = index.codes(positions)
    known = [one for one in codes if one is not None and len(one)]
    if len(known) < len(codes):
        return None
    starts = np.cumsum([0, *(len(one) for one in known)][:-1], dtype=np.int64)
    return head.score(question.tokens, question.weights, np.concatenate(known), starts)


def cross_scores(reranker: Reranker, release: Release, text: str, positions: Positions) -> Floats:
    """What a reranker makes of a question and each of some passages."""
    return reranker.score(text, [chunk.embedded_text for chunk in release.chunks(positions)])


def rerank(found: Candidates, scores: Floats, *, weight: float) -> Candidates:
    """The first candidates, as many as there are scores, in a new order; the others keep theirs behind them.

    `weight` is that of the second score beside the fused one, which has 1.
    """
    depth = len(scores)
    share = weight / (1 + weight)
    final = (1 - share) * found.final
    final[:depth] += share * scale(scores)
    final[depth:] = np.minimum(final[depth:], final[:depth].min())
    second = np.full(len(final), np.nan, np.float32)
    second[:depth] = scores
    return found.order_by(final, rerank=second)
