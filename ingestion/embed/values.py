"""What an embedder makes of documents and of questions."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Vectors = npt.NDArray[np.float32]
Codes = npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Embeddings:
    """Unit vectors of texts, shape `(texts, dimension)`, and the codes of each text's tokens.

    Codes have the shape `(tokens, code_bytes)`; without late interaction they have no rows.
    """

    vectors: Vectors
    codes: tuple[Codes, ...]


@dataclass(frozen=True, slots=True)
class EncodedQuestion:
    """A question's unit vector, shape `(dimension,)`, and for late interaction its tokens.

    `tokens` has the shape `(tokens, late dimension)`; `weights` sum to 1, rare tokens weigh more.
    """

    vector: npt.NDArray[np.float32]
    tokens: Vectors
    weights: npt.NDArray[np.float32]


_NO_TOKENS = np.empty((0, 0), np.float32)
_NO_WEIGHTS = np.empty(0, np.float32)
NO_CODES: Codes = np.empty((0, 0), np.uint8)


def without_tokens(vectors: Vectors) -> Embeddings:
    """Vectors of a model that has no late interaction."""
    return Embeddings(vectors, (NO_CODES,) * len(vectors))


def plain_questions(vectors: Vectors) -> list[EncodedQuestion]:
    """Questions of a model that has no late interaction."""
    return [EncodedQuestion(vector, _NO_TOKENS, _NO_WEIGHTS) for vector in vectors]


def pack_codes(codes: Sequence[Codes]) -> bytes:
    """Codes as bytes: the width, the number of texts, the tokens of each, and all rows."""
    width = max((one.shape[1] for one in codes), default=0)
    head = np.array([width, len(codes), *(len(one) for one in codes)], np.int32)
    return head.tobytes() + b"".join(one.tobytes() for one in codes)


def unpack_codes(blob: bytes) -> tuple[Codes, ...]:
    """What `pack_codes` packed."""
    if not blob:
        return ()
    width, count = np.frombuffer(blob, np.int32, 2).tolist()
    lengths = np.frombuffer(blob, np.int32, count, offset=8)
    rows = np.frombuffer(blob, np.uint8, offset=8 + 4 * count).reshape(-1, width or 1)
    return tuple(np.split(rows, np.cumsum(lengths)[:-1])) if count else ()
