"""An embedder for tests and trials: no model, the same vectors on every machine, texts that share words are near.

Method: feature hashing (Weinberger et al. 2009). Knows nothing of meaning: synonyms are strangers to it.
"""

import re
from hashlib import blake2b

import numpy as np
import numpy.typing as npt

from ingestion.embed.late_interaction import LateHead
from ingestion.embed.values import Embeddings, EncodedQuestion, Vectors, plain_questions, without_tokens

_TOKEN = re.compile(r"\w+|[^\w\s]")
# A text without words has a vector of unit length too.
_NO_WORDS = "\0"


class HashEmbedder:
    """Sums a fixed random direction for each word; `seed` makes another embedder of the same shape."""

    languages: frozenset[str] | None = None
    late: LateHead | None = None

    def __init__(self, dimension: int = 64, *, seed: int = 0) -> None:
        self.name = "hash"
        self.dimension = dimension
        self.digest = self.weights_digest = f"hash-{dimension}-{seed}"
        self._seed = seed
        self._directions: dict[str, npt.NDArray[np.float32]] = {}

    def embed(self, texts: list[str]) -> Vectors:
        """Unit vectors, shape `(len(texts), dimension)`."""
        out = np.empty((len(texts), self.dimension), np.float32)
        for row, text in enumerate(texts):
            total = sum(map(self._direction, _tokens(text) or [_NO_WORDS]), np.zeros(self.dimension))
            out[row] = total / np.linalg.norm(total)
        return out

    def encode(self, texts: list[str]) -> Embeddings:
        """Vectors alone: there is no late interaction."""
        return without_tokens(self.embed(texts))

    def encode_questions(self, texts: list[str]) -> list[EncodedQuestion]:
        """Vectors alone."""
        return plain_questions(self.embed(texts))

    def count_tokens(self, texts: list[str]) -> list[int]:
        """Words and signs of each text."""
        return [len(_tokens(text)) for text in texts]

    def warm(self) -> None:
        """Nothing is loaded."""

    def _direction(self, word: str) -> npt.NDArray[np.float32]:
        if word not in self._directions:
            digest = blake2b(f"{self._seed}\x1f{word}".encode("utf-8", "surrogatepass"), digest_size=8)
            rng = np.random.default_rng(int.from_bytes(digest.digest(), "little"))
            self._directions[word] = rng.normal(size=self.dimension).astype(np.float32)
        return self._directions[word]


def _tokens(text: str) -> list[str]:
    return _TOKEN.findall(text.lower())
