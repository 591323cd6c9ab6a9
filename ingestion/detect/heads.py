"""Small heads on sentence vectors: two layers, their weights in int8. Runs them; `finetune.guards` trains them."""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ingestion.errors import EmbedderError

HEADS_DIR = Path(__file__).parent / "heads-minilm-l6-v2"
REBUILD = "python -m finetune.guards train --data FOLDER"
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
        found: Floats = 1 / (1 + np.exp(-(hidden @ self.w2 + self.b2)))
        return found


def unpack(name: str, parts: Any, thresholds: dict[str, float]) -> Head:
    """A head from what `pack` made."""
    w1 = parts["w1"].astype(np.float32) * parts["steps"]
    return Head(
        name, parts["mean"], parts["scale"], w1, parts["b1"], parts["w2"], float(parts["b2"][0]), thresholds
    )


def load_heads(folder: Path = HEADS_DIR) -> dict[str, Head]:
    """The heads of an artefact whose files match its manifest. Raises `EmbedderError`."""
    manifest = read_manifest(folder)
    heads: dict[str, Head] = {}
    for name, thresholds in manifest["heads"].items():
        path = folder / f"{name}.npz"
        data = path.read_bytes() if path.is_file() else b""
        if hashlib.sha256(data).hexdigest() != manifest["files"].get(path.name):
            raise EmbedderError(f"{str(path)!r} differs from its manifest. Rebuild it: {REBUILD}")
        with np.load(path) as parts:
            heads[name] = unpack(name, parts, {key: float(value) for key, value in thresholds.items()})
    return heads


def read_manifest(folder: Path = HEADS_DIR) -> dict[str, Any]:
    """The manifest. Raises `EmbedderError` when it can't be read."""
    try:
        found: dict[str, Any] = json.loads((folder / "manifest.json").read_text("utf-8"))
    except (OSError, ValueError) as exc:
        raise EmbedderError(f"No readable manifest in {str(folder)!r}. Rebuild it: {REBUILD}") from exc
    return found


def is_held_out(key: str) -> bool:
    """Whether a row of a labelled set is kept from training, to measure with: every other one, by its key's hash."""
    return bool(hashlib.sha256(key.encode()).digest()[-1] & 1)
