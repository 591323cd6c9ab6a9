"""The encoder as an OpenVINO graph, from numpy arrays: BERT, mean pooling over the mask, normalisation.

The layers' matrices are stored in int8 with a scale for each row, and computed in f32. The embedding table keeps its four bits:
a text needs few of its rows, which the graph decodes by itself.
"""

from typing import Any

import numpy as np
import numpy.typing as npt
import openvino
from openvino import opset13 as op

from ingestion.embed.multilingual.weights import BLOCK, Floats, Quantised, Weights

_MOST_INT8 = 127
# A byte holds two numbers of four bits; a number is stored with 8 added.
_HIGH, _ZERO = 16, 8
# Far below any score of attention.
_MASKED = 1e9
_LEAST_LENGTH = 1e-12
# Nodes of OpenVINO's Python binding have no types.
Node = Any


def graph_of(weights: Weights) -> openvino.Model:
    """Token ids and a mask in, both int64 of shape `(texts, tokens)`; unit vectors out, shape `(texts, width)`."""
    ids = op.parameter([-1, -1], np.int64, name="input_ids")
    mask = op.parameter([-1, -1], np.int64, name="attention_mask")
    seen = op.convert(mask, np.float32)
    hidden = _embedded(weights, ids)
    bias = op.unsqueeze(op.multiply(op.subtract(seen, _number(1)), _number(_MASKED)), _axes(1, 2))
    for layer in range(weights.shape.layers):
        hidden = _layer(weights, layer, hidden, bias)
    total = op.reduce_sum(op.multiply(hidden, op.unsqueeze(seen, _axes(2))), _axes(1), False)
    # The length of a mean and of a sum differ, their directions don't.
    unit = op.normalize_l2(total, _axes(1), _LEAST_LENGTH, "max")
    return openvino.Model([unit.output(0)], [ids, mask], "multilingual-e5-small")


def _embedded(weights: Weights, ids: Node) -> Node:
    """Vectors of tokens and their positions; all tokens are of the first type."""
    shape, vectors = weights.shape, weights.vectors
    places = vectors["emb.pos"].reshape(shape.positions, shape.width)
    places = places + vectors["emb.type"].reshape(-1, shape.width)[0]
    count = op.squeeze(op.gather(op.shape_of(ids), _axes(1), _number(0, np.int64)), _axes(0))
    numbers = op.range(_number(0, np.int64), count, _number(1, np.int64), "i64")
    hidden = op.add(_rows(weights.matrices["emb.word"], ids), op.unsqueeze(_taken(places, numbers), _axes(0)))
    return _normed(weights, "emb.ln", hidden)


def _rows(table: Quantised, ids: Node) -> Node:
    """Rows of a table in four bits, two numbers a byte, decoded."""
    blocks = table.numbers.reshape(len(table.numbers), -1, BLOCK)
    half = BLOCK // 2
    packed = (blocks[:, :, :half] | (blocks[:, :, half:] << 4)).reshape(len(blocks), -1)
    pairs = op.reshape(op.convert(_taken(packed, ids), np.float32), _axes(0, 0, blocks.shape[1], half), True)
    high = op.floor(op.multiply(pairs, _number(1 / _HIGH)))
    low = op.subtract(pairs, op.multiply(high, _number(_HIGH)))
    numbers = op.subtract(op.concat([low, high], 3), _number(_ZERO))
    scales = op.unsqueeze(op.convert(_taken(table.scales, ids), np.float32), _axes(3))
    return op.reshape(op.multiply(numbers, scales), _axes(0, 0, table.numbers.shape[1]), True)


def _layer(weights: Weights, layer: int, hidden: Node, bias: Node) -> Node:
    """Self-attention and the inner layer, each added to what came in and normed."""
    heads, name = weights.shape.heads, f"l{layer}"
    parts = [
        op.transpose(
            op.reshape(_linear(weights, f"{name}.{part}", hidden), _axes(0, 0, heads, -1), True),
            _axes(0, 2, 1, 3),
        )
        for part in ("q", "k", "v")
    ]
    attended = op.transpose(op.scaled_dot_product_attention(*parts, bias), _axes(0, 2, 1, 3))
    attended = _linear(weights, f"{name}.ao", op.reshape(attended, _axes(0, 0, -1), True))
    hidden = _normed(weights, f"{name}.aln", op.add(hidden, attended))
    inner = op.gelu(_linear(weights, f"{name}.fi", hidden), "erf")
    return _normed(weights, f"{name}.oln", op.add(hidden, _linear(weights, f"{name}.fo", inner)))


def _linear(weights: Weights, name: str, hidden: Node) -> Node:
    """A matrix and its bias, the matrix in int8."""
    decoded = weights.matrices[f"{name}.w"].decoded()
    scales: Floats = np.abs(decoded).max(axis=1, keepdims=True) / _MOST_INT8
    scales[scales == 0] = 1
    small = np.round(decoded / scales).astype(np.int8)
    matrix = op.multiply(op.convert(op.constant(small), np.float32), op.constant(scales))
    return op.add(op.matmul(hidden, matrix, False, True), _wide(weights.vectors[f"{name}.b"]))


def _normed(weights: Weights, name: str, hidden: Node) -> Node:
    """A layer norm."""
    unit = op.mvn(hidden, _axes(-1), True, weights.shape.eps, "inside_sqrt")
    scaled = op.multiply(unit, _wide(weights.vectors[f"{name}.w"]))
    return op.add(scaled, _wide(weights.vectors[f"{name}.b"]))


def _taken(table: npt.NDArray[Any], ids: Node) -> Node:
    return op.gather(op.constant(table), ids, _number(0, np.int64))


def _wide(vector: Floats) -> Node:
    """A vector that is the same for every token of every text."""
    return op.constant(vector.reshape(1, 1, -1))


def _axes(*numbers: int) -> Node:
    return op.constant(np.array(numbers, np.int64))


def _number(value: float, kind: type[np.generic] = np.float32) -> Node:
    return op.constant(np.array(value, kind))
