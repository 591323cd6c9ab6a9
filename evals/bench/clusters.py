"""Synthetic vectors distributed like those of texts: topics of unequal size, each of low rank, and shared directions."""

import numpy as np
import numpy.typing as npt

Vectors = npt.NDArray[np.float32]
DIMENSION = 384
_BLOCK = 50_000
_OWN, _COMMON, _SHAPES = 32, 48, 64
# With these, inverted lists of 4,096 reach about .95 with 64 probes, which is what real collections of this
# size were measured to do; well parted clusters would flatter every index.
_OWN_SCALE, _COMMON_SCALE = 1.2, 1.05


def clustered(rows: int, *, seed: int = 1) -> Vectors:
    """Unit vectors, shape `(rows, 384)`, in 2,000 topics for a million."""
    rng = np.random.default_rng(seed)
    topics = max(20, rows // 500)
    centres = _unit(rng.normal(size=(topics, DIMENSION)).astype(np.float32))
    sizes = rng.pareto(2.5, topics) + 0.5
    owner = rng.choice(topics, rows, p=sizes / sizes.sum())
    shapes = rng.normal(size=(_SHAPES, _OWN, DIMENSION)).astype(np.float32) / np.sqrt(DIMENSION)
    common = rng.normal(size=(_COMMON, DIMENSION)).astype(np.float32) / np.sqrt(DIMENSION * _COMMON)
    out = np.empty((rows, DIMENSION), np.float32)
    for begin in range(0, rows, _BLOCK):
        own = owner[begin : begin + _BLOCK]
        block = centres[own].copy()
        inner = rng.normal(size=(len(own), _OWN)).astype(np.float32) / np.sqrt(_OWN)
        for shape in range(_SHAPES):
            chosen = own % _SHAPES == shape
            block[chosen] += _OWN_SCALE * (inner[chosen] @ shapes[shape])
        block += _COMMON_SCALE * (rng.normal(size=(len(own), _COMMON)).astype(np.float32) @ common)
        noise = rng.normal(size=block.shape).astype(np.float32)
        block += noise * (0.5 * _OWN_SCALE / np.sqrt(DIMENSION))
        out[begin : begin + _BLOCK] = _unit(block)
    return out


def _unit(vectors: Vectors) -> Vectors:
    unit: Vectors = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return unit
