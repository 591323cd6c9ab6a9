"""An embedder that embeds a text once: guards judge a question for several things, training reads templates again."""

from collections.abc import Callable
from typing import Protocol

import numpy as np

from ingestion.cache import LruCache
from ingestion.embed.values import Vectors


class SentenceEmbedder(Protocol):
    """The part of an embedder that is needed here."""

    def embed(self, texts: list[str]) -> Vectors:
        """Unit vectors, shape `(len(texts), dimension)`."""
        ...


def uncased(text: str) -> str:
    """What an uncased tokenizer makes no difference of."""
    return " ".join(text.lower().split())


class CachedEmbedder:
    """Keeps the vectors of the last `most` texts; None: of all. Safe to use from several threads.

    Texts of the same `key` are the same to the embedder.
    """

    def __init__(
        self, embedder: SentenceEmbedder, most: int | None = None, *, key: Callable[[str], str] = str
    ) -> None:
        self._embedder = embedder
        self._key = key
        self._known: LruCache[str, Vectors] = LruCache(most)

    def embed(self, texts: list[str]) -> Vectors:
        """Unit vectors, shape `(len(texts), dimension)`."""
        keys = [self._key(text) for text in texts]
        # Of texts with one key the last is embedded.
        known = self._known.get_all(dict(zip(keys, texts, strict=True)), self._rows)
        return np.stack([known[key] for key in keys])

    def _rows(self, texts: list[str]) -> list[Vectors]:
        return list(self._embedder.embed(texts))
