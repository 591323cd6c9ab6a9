"""An embedder that embeds a text once: guards judge a question for several things, training reads templates again."""

from collections import OrderedDict
from collections.abc import Callable
from threading import Lock
from typing import Protocol

import numpy as np
import numpy.typing as npt

Vectors = npt.NDArray[np.float32]


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
        self._most = most
        self._key = key
        self._known: OrderedDict[str, Vectors] = OrderedDict()
        self._lock = Lock()

    def embed(self, texts: list[str]) -> Vectors:
        """Unit vectors, shape `(len(texts), dimension)`."""
        keys = [self._key(text) for text in texts]
        with self._lock:
            known = {key: self._known[key] for key in keys if key in self._known}
        missing = {key: text for key, text in zip(keys, texts, strict=True) if key not in known}
        if missing:
            found = dict(zip(missing, self._embedder.embed(list(missing.values())), strict=True))
            known |= found
            with self._lock:
                self._known.update(found)
                while self._most is not None and len(self._known) > self._most:
                    self._known.popitem(last=False)
        return np.stack([known[key] for key in keys])
