"""An embedder that embeds a text once: guards judge a question for several things, training reads templates again."""

from collections import OrderedDict
from threading import Lock
from typing import Protocol

import numpy as np
import numpy.typing as npt

Vectors = npt.NDArray[np.float32]


class Embeds(Protocol):
    """The part of an embedder that is needed here."""

    def embed(self, texts: list[str]) -> Vectors:
        """Unit vectors, shape `(len(texts), dimension)`."""
        ...


class Remembering:
    """Keeps the vectors of the last `most` texts; None: of all. Safe to use from several threads."""

    def __init__(self, embedder: Embeds, most: int | None = None) -> None:
        self._embedder = embedder
        self._most = most
        self._known: OrderedDict[str, Vectors] = OrderedDict()
        self._lock = Lock()

    def embed(self, texts: list[str]) -> Vectors:
        """Unit vectors, shape `(len(texts), dimension)`."""
        with self._lock:
            known = {text: self._known[text] for text in texts if text in self._known}
        missing = [text for text in dict.fromkeys(texts) if text not in known]
        if missing:
            known.update(zip(missing, self._embedder.embed(missing), strict=True))
            with self._lock:
                self._known.update((text, known[text]) for text in missing)
                while self._most is not None and len(self._known) > self._most:
                    self._known.popitem(last=False)
        return np.stack([known[text] for text in texts])
