"""A file of weights as small as can be, in the form of the real one, and what it means in plain numpy."""

import math
import struct
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]
WIDTH, LAYERS, HEADS, INNER, POSITIONS = 64, 1, 2, 96, 24
EPS = 1e-12
PIECES = (
    ("<s>", 0.0), ("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), ("▁", -3.0), ("s", -4.0), ("▁query", -5.0), ("▁passage", -5.0),
    (":", -3.5), ("▁fan", -6.0), ("fan", -7.0), ("é", -6.5), ("fi", -6.5), ("～", -6.5), ("▁f", -6.0), ("a", -5.0), ("n", -5.0),
    ("扇", -8.0), ("<mask>", 0.0),
)  # fmt: skip
UNKNOWN = 3
# Rows that no piece has.
ROWS = len(PIECES) + 3
REPLACED = {0x1: "", 0x9: " ", 0x200B: " ", 0xFB01: "fi"}
_MATRICES = {"q.w": (WIDTH, WIDTH), "k.w": (WIDTH, WIDTH), "v.w": (WIDTH, WIDTH), "ao.w": (WIDTH, WIDTH),
             "fi.w": (INNER, WIDTH), "fo.w": (WIDTH, INNER)}  # fmt: skip
_VECTORS = {"q.b": WIDTH, "k.b": WIDTH, "v.b": WIDTH, "ao.b": WIDTH, "fi.b": INNER, "fo.b": WIDTH,
            "aln.w": WIDTH, "aln.b": WIDTH, "oln.w": WIDTH, "oln.b": WIDTH}  # fmt: skip


class TinyE5:
    """The file, and the weights that are in it."""

    def __init__(self, seed: int = 0) -> None:
        self._random = np.random.default_rng(seed)
        self.tensors: dict[str, Floats] = {}
        self._blobs: list[tuple[str, int, int, bytes]] = []
        self._matrix("emb.word", ROWS, WIDTH)
        for name, size in {
            "emb.pos": POSITIONS * WIDTH,
            "emb.type": 2 * WIDTH,
            "emb.ln.w": WIDTH,
            "emb.ln.b": WIDTH,
        }.items():
            self._vector(name, size)
        for layer in range(LAYERS):
            for name, (rows, columns) in _MATRICES.items():
                self._matrix(f"l{layer}.{name}", rows, columns)
            for name, size in _VECTORS.items():
                self._vector(f"l{layer}.{name}", size)
        self.file = self._written()

    def _vector(self, name: str, size: int) -> None:
        values = self._random.normal(1 if name.endswith("ln.w") else 0, 0.3, size).astype("<f4")
        self.tensors[name] = values
        self._blobs.append((name, 0, size, values.tobytes()))

    def _matrix(self, name: str, rows: int, columns: int) -> None:
        blocks = rows * columns // 32
        numbers = self._random.integers(0, 16, (blocks, 32)).astype(np.uint8)
        scales = self._random.uniform(0.01, 0.05, blocks).astype("<f2")
        self.tensors[name] = ((numbers.astype(np.float32) - 8) * scales.astype(np.float32)[:, None]).reshape(
            rows, columns
        )
        packed = numbers[:, :16] | (numbers[:, 16:] << 4)
        blob = b"".join(s.tobytes() + p.tobytes() for s, p in zip(scales, packed, strict=True))
        self._blobs.append((name, 1, rows * columns, blob))

    def _written(self) -> bytes:
        texts = [text.encode() for text, _ in PIECES]
        offsets = np.cumsum([0, *map(len, texts)])
        rules = b"".join(
            struct.pack(f"<IB{len(to)}I", character, len(to), *map(ord, to))
            for character, to in REPLACED.items()
        )
        head = [
            b"E5S1", struct.pack("<I7ifi", 1, WIDTH, LAYERS, HEADS, INNER, ROWS, POSITIONS, 2, EPS, 32),
            struct.pack("<5iQ", len(PIECES), 0, 2, 1, UNKNOWN, int(offsets[-1])),
            offsets.astype("<u4").tobytes(), np.array([score for _, score in PIECES], "<f4").tobytes(), *texts,
            struct.pack("<iI", len(REPLACED), len(rules)), rules, struct.pack("<i", len(self._blobs)),
        ]  # fmt: skip
        directory_bytes = sum(2 + len(name) + 21 for name, *_ in self._blobs)
        place = -(-(sum(map(len, head)) + directory_bytes) // 64) * 64
        directory, body = [], b""
        for name, kind, count, blob in self._blobs:
            directory.append(struct.pack("<H", len(name)) + name.encode())
            directory.append(struct.pack("<BIQQ", kind, count, place + len(body), len(blob)))
            body += blob + bytes(-len(blob) % 64)
        start = b"".join([*head, *directory])
        return start + bytes(place - len(start)) + body


def reference(
    tensors: dict[str, Floats], ids: Sequence[int], *, layers: int, heads: int, width: int, eps: float
) -> Floats:
    """The unit vector of a text by the definition of BERT, in float64."""
    t = {name: values.astype(np.float64) for name, values in tensors.items()}
    hidden = t["emb.word"][list(ids)] + t["emb.pos"].reshape(-1, width)[: len(ids)] + t["emb.type"][:width]

    def normed(name: str, x: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        mean, spread = x.mean(axis=1, keepdims=True), x.var(axis=1, keepdims=True)
        return (x - mean) / np.sqrt(spread + eps) * t[f"{name}.w"] + t[f"{name}.b"]

    def linear(name: str, x: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        return x @ t[f"{name}.w"].T + t[f"{name}.b"]

    hidden = normed("emb.ln", hidden)
    for layer in range(layers):
        name = f"l{layer}"
        q, k, v = (np.split(linear(f"{name}.{part}", hidden), heads, axis=1) for part in "qkv")
        seen = []
        for one in range(heads):
            scores = q[one] @ k[one].T / math.sqrt(width // heads)
            shares = np.exp(scores - scores.max(axis=1, keepdims=True))
            seen.append(shares / shares.sum(axis=1, keepdims=True) @ v[one])
        hidden = normed(f"{name}.aln", hidden + linear(f"{name}.ao", np.concatenate(seen, axis=1)))
        inner = linear(f"{name}.fi", hidden)
        inner = inner * (1 + np.vectorize(math.erf)(inner / math.sqrt(2))) / 2
        hidden = normed(f"{name}.oln", hidden + linear(f"{name}.fo", inner))
    pooled = hidden.mean(axis=0)
    return (pooled / np.linalg.norm(pooled)).astype(np.float32)
