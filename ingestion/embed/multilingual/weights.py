"""The file that multilingual-e5-small comes in: a tokenizer's pieces and rules, and the weights of a BERT encoder.

Little-endian throughout: a header, pieces with scores, replacements of single characters, a directory of tensors, and the
tensors. Matrices are Q4_0: of every 32 weights a scale in fp16 and 32 numbers of four bits, the first sixteen in the low
halves of the bytes; a weight is `scale * (number - 8)`. Vectors are f32.
"""

import math
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ingestion.errors import EmbedderError

Floats = npt.NDArray[np.float32]
BLOCK = 32
# A block as it lies in the file.
_BLOCK_BYTES = 2 + BLOCK // 2
_MAGIC, _VERSION = b"E5S1", 1
_ZERO = 8
_F32, _Q4 = 0, 1


@dataclass(frozen=True, slots=True)
class Shape:
    """The sizes of the encoder; `eps` is that of its layer norms."""

    width: int
    layers: int
    heads: int
    inner: int
    vocabulary: int
    positions: int
    eps: float


@dataclass(frozen=True, slots=True)
class Pieces:
    """The Unigram model: pieces and their scores by id, and what single characters are replaced by before."""

    texts: tuple[str, ...]
    scores: tuple[float, ...]
    begin: int
    end: int
    pad: int
    unknown: int
    replaced: Mapping[int, str]


@dataclass(frozen=True, slots=True)
class Quantised:
    """A matrix in four bits: `numbers` of shape `(rows, columns)`, from 0 to 15, and `scales`, `(rows, columns / 32)`."""

    numbers: npt.NDArray[np.uint8]
    scales: npt.NDArray[np.float16]

    def decoded(self) -> Floats:
        """The weights, shape `(rows, columns)`."""
        rows, columns = self.numbers.shape
        blocks = self.numbers.reshape(rows, columns // BLOCK, BLOCK).astype(np.float32) - _ZERO
        weights: Floats = (blocks * self.scales.astype(np.float32)[:, :, None]).reshape(rows, columns)
        return weights


@dataclass(frozen=True, slots=True)
class Weights:
    """All that the file holds."""

    shape: Shape
    pieces: Pieces
    vectors: Mapping[str, Floats]
    matrices: Mapping[str, Quantised]


class _Cursor:
    """Reads one thing after the other."""

    def __init__(self, data: bytes) -> None:
        self.data, self.place = data, 0

    def values(self, form: str) -> tuple[float, ...]:
        """Numbers in `struct`'s notation."""
        found = struct.unpack_from(f"<{form}", self.data, self.place)
        self.place += struct.calcsize(f"<{form}")
        return found

    def integers(self, form: str) -> list[int]:
        """The same, all of them whole numbers."""
        return [int(value) for value in self.values(form)]

    def array(self, kind: str, count: int) -> npt.NDArray[np.generic]:
        """`count` numbers of a numpy type; a view of the file."""
        found = np.frombuffer(self.data, kind, count, self.place)
        self.place += found.nbytes
        return found

    def text(self, length: int) -> bytes:
        """So many bytes."""
        self.place += length
        return self.data[self.place - length : self.place]


def read_weights(data: bytes) -> Weights:
    """The content of the file. Raises `EmbedderError` when it is none of these files, or a damaged one."""
    try:
        return _read(_Cursor(data))
    except (struct.error, ValueError, KeyError, IndexError) as exc:
        raise EmbedderError(f"The weights of the multilingual embedder can't be read: {exc}.") from exc


def _read(cursor: _Cursor) -> Weights:
    if cursor.text(len(_MAGIC)) != _MAGIC or cursor.integers("I") != [_VERSION]:
        raise ValueError("it does not begin as such a file does")
    width, layers, heads, inner, vocabulary, positions, _ = cursor.integers("7i")
    (eps,), (block,) = cursor.values("f"), cursor.integers("i")
    if block != BLOCK:
        raise ValueError(f"blocks of {block} weights, not of {BLOCK}")
    shape = Shape(width, layers, heads, inner, vocabulary, positions, eps)
    pieces = _pieces(cursor)
    vectors: dict[str, Floats] = {}
    matrices: dict[str, Quantised] = {}
    for name, kind, count, place in _directory(cursor):
        if kind == _F32:
            vectors[name] = np.frombuffer(cursor.data, "<f4", count, place)
        elif kind == _Q4:
            matrices[name] = _quantised(cursor.data, place, count, _columns(name, shape))
        else:
            raise ValueError(f"tensor {name!r} is of kind {kind}")
    return Weights(shape, pieces, vectors, matrices)


def _pieces(cursor: _Cursor) -> Pieces:
    count, begin, end, pad, unknown = cursor.integers("5i")
    (length,) = cursor.integers("Q")
    offsets = [int(one) for one in cursor.array("<u4", count + 1)]
    scores = tuple(float(one) for one in cursor.array("<f4", count))
    together = cursor.text(length)
    texts = tuple(together[a:b].decode() for a, b in zip(offsets, offsets[1:], strict=False))
    return Pieces(texts, scores, begin, end, pad, unknown, dict(_replacements(cursor)))


def _replacements(cursor: _Cursor) -> Sequence[tuple[int, str]]:
    (count, _) = cursor.integers("iI")
    found = []
    for _ in range(count):
        character, length = cursor.integers("IB")
        found.append((character, "".join(map(chr, cursor.integers(f"{length}I")))))
    return found


def _directory(cursor: _Cursor) -> Sequence[tuple[str, int, int, int]]:
    """Name, kind, number of weights and place of each tensor."""
    (count,) = cursor.integers("i")
    found = []
    for _ in range(count):
        (length,) = cursor.integers("H")
        name = cursor.text(length).decode()
        kind, size, place, _ = cursor.integers("BIQQ")
        found.append((name, kind, size, place))
    return found


def _columns(name: str, shape: Shape) -> int:
    """The inputs of a matrix: only the second of the inner layer has more than the width."""
    return shape.inner if name.endswith(".fo.w") else shape.width


def _quantised(data: bytes, place: int, count: int, columns: int) -> Quantised:
    blocks = math.ceil(count / BLOCK)
    raw = np.frombuffer(data, np.uint8, blocks * _BLOCK_BYTES, place).reshape(blocks, _BLOCK_BYTES)
    scales = np.ascontiguousarray(raw[:, :2]).view("<f2").reshape(-1, columns // BLOCK)
    halves = raw[:, 2:]
    numbers = np.concatenate([halves & 0x0F, halves >> 4], axis=1)
    return Quantised(numbers.reshape(-1, columns), scales)
