"""A two-layer network trained with Adam (Kingma & Ba 2015), in numpy: seconds for tens of thousands of rows, the same
result on every run."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ingestion.detect.heads import probability

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Recipe:
    """How a head is trained; `drop` is the share of hidden units left out at each step (Srivastava et al. 2014)."""

    hidden: int = 64
    epochs: int = 12
    batch: int = 256
    rate: float = 2e-3
    decay: float = 1e-3
    drop: float = 0.3
    seed: int = 7


@dataclass(frozen=True, slots=True)
class Weights:
    """`sigmoid(relu(standardised(x) @ w1 + b1) @ w2 + b2)`; inputs are standardised by `mean` and `scale`."""

    mean: Floats
    scale: Floats
    w1: Floats
    b1: Floats
    w2: Floats
    b2: float

    def scores(self, rows: Floats) -> Floats:
        """Probabilities, shape `(len(rows),)`."""
        hidden = np.maximum(((rows - self.mean) / self.scale) @ self.w1 + self.b1, 0)
        return probability(hidden @ self.w2 + self.b2)


def train(rows: Floats, labels: Floats, weights: Floats, recipe: Recipe = Recipe()) -> Weights:
    """Fit to `labels` of 0 and 1, each row weighing `weights`."""
    rng = np.random.default_rng(recipe.seed)
    mean = rows.mean(axis=0)
    scale = rows.std(axis=0) + 1e-3
    data = ((rows - mean) / scale).astype(np.float32)
    width = rows.shape[1]
    parameters = [
        (rng.standard_normal((width, recipe.hidden)) * np.sqrt(2 / width)).astype(np.float32),
        np.zeros(recipe.hidden, np.float32),
        (rng.standard_normal(recipe.hidden) * np.sqrt(1 / recipe.hidden)).astype(np.float32),
        np.zeros(1, np.float32),
    ]
    first = [np.zeros_like(p) for p in parameters]
    second = [np.zeros_like(p) for p in parameters]
    steps = recipe.epochs * -(-len(data) // recipe.batch)
    step = 0
    for _ in range(recipe.epochs):
        order = rng.permutation(len(data))
        for begin in range(0, len(order), recipe.batch):
            step += 1
            some = order[begin : begin + recipe.batch]
            keep = (rng.random(recipe.hidden) >= recipe.drop).astype(np.float32) / (1 - recipe.drop)
            slopes = _slopes(parameters, data[some], labels[some], weights[some], keep)
            rate = recipe.rate * (1 - (step - 1) / steps)
            for i, slope in enumerate(slopes):
                first[i] = 0.9 * first[i] + 0.1 * slope
                second[i] = 0.999 * second[i] + 0.001 * slope**2
                change = first[i] / (1 - 0.9**step) / (np.sqrt(second[i] / (1 - 0.999**step)) + 1e-8)
                shrink = recipe.decay * parameters[i] if parameters[i].ndim == 2 else 0.0
                parameters[i] = parameters[i] - rate * (change + shrink)
    w1, b1, w2, b2 = parameters
    return Weights(mean, scale, w1, b1, w2, float(b2[0]))


def together(members: Sequence[Weights]) -> Weights:
    """One network that says what several, trained on the same rows, say on average."""
    first, count = members[0], len(members)
    return Weights(
        first.mean,
        first.scale,
        np.concatenate([one.w1 for one in members], axis=1),
        np.concatenate([one.b1 for one in members]),
        (np.concatenate([one.w2 for one in members]) / count).astype(np.float32),
        sum(one.b2 for one in members) / count,
    )


def _slopes(
    parameters: list[Floats], rows: Floats, labels: Floats, weights: Floats, keep: Floats
) -> list[Floats]:
    """Gradients of the weighted cross-entropy."""
    w1, b1, w2, b2 = parameters
    before = rows @ w1 + b1
    hidden = np.maximum(before, 0) * keep
    scores = probability(hidden @ w2 + b2)
    error = (scores - labels) * weights / len(rows)
    back = np.outer(error, w2) * keep * (before > 0)
    return [rows.T @ back, back.sum(axis=0), hidden.T @ error, np.array([error.sum()], np.float32)]


def pack(weights: Weights) -> dict[str, npt.NDArray[Any]]:
    """Weights as they are stored: the first layer as int8 with a scale for each hidden unit, the rest as float32."""
    steps = np.maximum(np.abs(weights.w1).max(axis=0), 1e-8) / 127
    return {
        "mean": weights.mean.astype(np.float32),
        "scale": weights.scale.astype(np.float32),
        "w1": np.round(weights.w1 / steps).astype(np.int8),
        "steps": steps.astype(np.float32),
        "b1": weights.b1.astype(np.float32),
        "w2": weights.w2.astype(np.float32),
        "b2": np.array([weights.b2], np.float32),
    }
