"""Vectors of questions for what nobody waits for within an answer: gaps, and the book of curated answers.

Work goes through the thread of the model a few questions at a time, so that those who ask meanwhile get their turn.
"""

import asyncio
import hashlib
from collections.abc import Mapping, Sequence
from concurrent.futures import Executor

import numpy as np

from ingestion.cache import LruCache
from ingestion.embed import Embedder, Vectors

# A question takes two milliseconds, so that who asks waits some 30 ms for a batch.
_TOGETHER = 16
_KNOWN = 20_000


class QuestionVectors:
    """Unit vectors of questions, by the embedder of their collection. Keeps those of the last 20,000 (30 MB)."""

    def __init__(self, embedders: Mapping[str, Embedder], executor: Executor) -> None:
        self._embedders = dict(embedders)
        self._executor = executor
        # The cache holds digests, not what people wrote.
        self._known: LruCache[tuple[str, bytes], Vectors] = LruCache(_KNOWN)

    def digest(self, collection: str) -> str:
        """That of the collection's embedder: vectors of another one can't be compared."""
        return self._embedders[collection].digest

    async def of(self, collection: str, texts: Sequence[str]) -> Vectors:
        """Shape `(len(texts), dimension)`."""
        loop, embedder = asyncio.get_running_loop(), self._embedders[collection]
        rows: list[Vectors] = []
        for start in range(0, len(texts), _TOGETHER):
            batch = texts[start : start + _TOGETHER]
            rows += await loop.run_in_executor(self._executor, self._rows, embedder, batch)
        return np.stack(rows) if rows else np.empty((0, embedder.dimension), np.float32)

    def _rows(self, embedder: Embedder, texts: Sequence[str]) -> list[Vectors]:
        def made(missing: list[str]) -> list[Vectors]:
            if embedder.late is None:
                return [question.vector for question in embedder.encode_questions(missing)]
            # Twice as fast where tokens are compared too, and the same but for rounding: cosines of .9997 and more.
            return list(embedder.embed(missing))

        keys = [(embedder.digest, hashlib.blake2b(text.encode(), digest_size=16).digest()) for text in texts]
        known = self._known.get_all(dict(zip(keys, texts, strict=True)), made)
        return [known[key] for key in keys]
