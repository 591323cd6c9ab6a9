"""Late interaction: a question's tokens against a passage's tokens, each with its best partner.

Method: ColBERT (Khattab & Zaharia 2020) over the embedder's own last layer, so that it costs no second run
of a model. Token vectors are projected to 128 dimensions by a trained head and stored as product-quantised
codes of 16 bytes (Jégou et al. 2011). Here is what runs; `finetune.embedder.late_interaction` makes the artefact.
"""

from pathlib import Path
from typing import Any

import faiss
import numpy as np
import numpy.typing as npt

from ingestion.artifact import Artifact, open_artifact
from ingestion.embed.values import Codes, Vectors
from ingestion.errors import EmbedderError

LATE_DIR = Path(__file__).parent / "late-minilm-l6-v2"
LATE_FILE = "head.npz"
REBUILD = "python -m finetune.embedder.late_interaction --data FOLDER"
Floats = npt.NDArray[np.float32]
_TINY = 1e-6


class LateHead:
    """The projection of token vectors, their codes, and how much each token of a question weighs."""

    def __init__(self, artifact: Artifact) -> None:
        path = artifact.folder / LATE_FILE
        try:
            parts = np.load(path)
            projection, mean = parts["projection"], parts["mean"]
            centroids, weights = parts["centroids"], parts["weights"]
        except (OSError, ValueError, KeyError) as exc:
            raise EmbedderError(f"The late-interaction head {str(path)!r} cannot be read: {exc}.") from exc
        self.digest = artifact.files[LATE_FILE]
        self._projection: Floats = projection.astype(np.float32)
        self._mean: Floats = mean.astype(np.float32)
        self._weights: Floats = weights.astype(np.float32)
        # Shape (parts, 256, dimension of a part).
        self._centroids: Floats = np.ascontiguousarray(centroids, np.float32)
        self.code_bytes = int(self._centroids.shape[0])
        self._flat = self._centroids.reshape(-1, self._centroids.shape[2])
        self._steps = np.arange(self.code_bytes, dtype=np.int32) * self._centroids.shape[1]
        self.dimension = int(self._projection.shape[1])
        self._quantizer: Any = faiss.ProductQuantizer(self.dimension, self.code_bytes, 8)
        faiss.copy_array_to_vector(self._centroids.ravel(), self._quantizer.centroids)

    def project(self, hidden: Vectors) -> Vectors:
        """Unit vectors of tokens, shape `(tokens, dimension)`, from the model's last layer."""
        out = (hidden - self._mean) @ self._projection
        unit: Vectors = out / np.maximum(np.linalg.norm(out, axis=1, keepdims=True), _TINY)
        return unit

    def encode(self, hidden: Vectors) -> Codes:
        """Codes of tokens, shape `(tokens, code_bytes)`."""
        codes: Codes = self._quantizer.compute_codes(np.ascontiguousarray(self.project(hidden)))
        return codes

    def decode(self, codes: Codes) -> Vectors:
        """About what was encoded, shape `(tokens, dimension)`."""
        rows = np.take(self._flat, codes + self._steps, axis=0, mode="clip")
        decoded: Vectors = rows.reshape(len(codes), self.dimension)
        return decoded

    def weigh(self, ids: npt.NDArray[np.int64]) -> Floats:
        """Weights of a question's tokens; they sum to 1."""
        weights = self._weights[ids]
        total = float(weights.sum())
        return weights / total if total > 0 else weights

    def score(self, tokens: Vectors, weights: Floats, codes: Codes, starts: npt.NDArray[np.int64]) -> Floats:
        """How well passages fit a question, about -1 to 1 each.

        `codes` holds the tokens of all passages after one another; those of passage `i` begin at
        `starts[i]`, and every passage has one at least.
        """
        similar = tokens @ self.decode(codes).T
        best = np.maximum.reduceat(similar, starts, axis=1)
        scores: Floats = weights @ best
        return scores


def load_late_head(folder: Path, weights_digest: str) -> LateHead:
    """The head for the embedder of these weights. Raises `EmbedderError` when it is damaged or made for another."""
    artifact = open_artifact(folder, rebuild=REBUILD)
    artifact.check_embedder(weights_digest)
    return LateHead(artifact)
