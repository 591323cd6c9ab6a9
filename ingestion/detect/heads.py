"""Small heads on sentence vectors: two layers, their weights in int8. Runs them; `finetune.guards` trains them."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ingestion.artifact import Artifact, open_artifact

HEAD_FILE = "head.npz"
_MOST_LOGIT = 60.0
Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Head:
    """`sigmoid(relu(standardised(x) @ w1 + b1) @ w2 + b2)` with its operating points by name."""

    name: str
    mean: Floats
    scale: Floats
    w1: Floats
    b1: Floats
    w2: Floats
    b2: float
    thresholds: dict[str, float]

    def scores(self, rows: Floats) -> Floats:
        """Probabilities, shape `(len(rows),)`, of rows of features."""
        if not len(rows):
            return np.empty(0, np.float32)
        hidden = np.maximum(((rows - self.mean) / self.scale) @ self.w1 + self.b1, 0)
        return probability(hidden @ self.w2 + self.b2)


def probability(logits: Floats) -> Floats:
    """The logistic function; far out, where float32 overflows, it is what it is at 60."""
    found: Floats = (1 / (1 + np.exp(-np.clip(logits, -_MOST_LOGIT, _MOST_LOGIT)))).astype(np.float32)
    return found


def unpack(name: str, parts: Any, thresholds: dict[str, float]) -> Head:
    """A head from what `pack` made."""
    w1 = parts["w1"].astype(np.float32) * parts["steps"]
    return Head(
        name, parts["mean"], parts["scale"], w1, parts["b1"], parts["w2"], float(parts["b2"][0]), thresholds
    )


def load_head(folder: Path, weights_digest: str) -> Head:
    """The head of an artefact, for the embedder of these weights.

    Raises `EmbedderError` when a file is missing or damaged, or the head was trained on another embedder's vectors.
    """
    artifact = head_artifact(folder)
    artifact.check_embedder(weights_digest)
    thresholds = {key: float(value) for key, value in artifact.facts["thresholds"].items()}
    with np.load(folder / HEAD_FILE) as parts:
        return unpack(artifact.facts["head"], parts, thresholds)


def head_artifact(folder: Path) -> Artifact:
    """The verified artefact of a head. Raises `EmbedderError`."""
    return open_artifact(folder, rebuild=rebuild_command(folder.name.split("-")[0]))


def rebuild_command(name: str) -> str:
    """The command that trains a head and writes its artefact."""
    return f"python -m finetune.guards train --only {name} --data FOLDER"


def is_held_out(key: str) -> bool:
    """Whether a row of a labelled set is kept from training, to measure with: every other one, by its key's hash."""
    return bool(hashlib.sha256(key.encode()).digest()[-1] & 1)
