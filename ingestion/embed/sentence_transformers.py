"""Any sentence-transformers model as an embedder: torch, on a GPU when there is one."""

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ingestion.embed.late_interaction import LateHead
from ingestion.embed.values import Embeddings, EncodedQuestion, plain_questions, without_tokens
from ingestion.errors import EmbedderError

_BATCH = 32


class SentenceTransformerEmbedder:
    """The reference implementation, and the way to other models."""

    late: LateHead | None = None

    def __init__(self, model: Any, *, name: str, digest: str) -> None:
        self.name = name
        self.languages = _languages(model)
        self.digest = self.weights_digest = digest
        self.dimension = int(model.get_embedding_dimension())
        self._model = model

    def embed(self, texts: list[str]) -> npt.NDArray[np.float32]:
        """Unit vectors, shape `(len(texts), dimension)`."""
        vectors = self._model.encode(
            texts, batch_size=_BATCH, normalize_embeddings=True, show_progress_bar=False
        )
        return np.asarray(vectors, dtype=np.float32).reshape(len(texts), self.dimension)

    def encode(self, texts: list[str]) -> Embeddings:
        """Vectors alone: there is no late interaction."""
        return without_tokens(self.embed(texts))

    def encode_questions(self, texts: list[str]) -> list[EncodedQuestion]:
        """Vectors alone."""
        return plain_questions(self.embed(texts))

    def count_tokens(self, texts: list[str]) -> list[int]:
        """Tokens of each text without special ones."""
        encoded = self._model.tokenizer(texts, add_special_tokens=False, truncation=False)
        return [len(ids) for ids in encoded["input_ids"]]

    def warm(self) -> None:
        """Run the model once."""
        self.embed(["warm"])


def load_sentence_transformer(name: str) -> SentenceTransformerEmbedder:
    """Load a model by folder or hub name. Raises `EmbedderError` without the extra `models`."""
    try:
        from sentence_transformers import SentenceTransformer
    except ImportError as exc:
        raise EmbedderError(
            f"The embedder {name!r} needs torch and sentence-transformers: install the extra `models`,"
            ' or run: pip install torch==2.13.0 "sentence-transformers>=6".'
        ) from exc
    try:
        model = SentenceTransformer(name)
    except (OSError, ValueError) as exc:
        raise EmbedderError(
            f"The embedder {name!r} cannot be loaded: {exc}. Set the collection's `embedder` to builtin, to a model's"
            " folder, or to a model of a hub that can be reached."
        ) from exc
    return SentenceTransformerEmbedder(model, name=name, digest=_digest(name, model))


def _languages(model: Any) -> frozenset[str] | None:
    """The languages that the model's card names; None when it names none, or says it knows many."""
    named = getattr(getattr(model, "model_card_data", None), "language", None) or []
    found = frozenset([named] if isinstance(named, str) else named)
    return found if found and not found & {"multilingual", "multi"} else None


def _digest(name: str, model: Any) -> str:
    """Of the weights' file when the model is a folder, else of its name and revision."""
    weights = Path(name) / "model.safetensors"
    if weights.is_file():
        return hashlib.sha256(weights.read_bytes()).hexdigest()
    revision = getattr(model[0].auto_model.config, "_commit_hash", None) or "unknown"
    return hashlib.sha256(f"{name}@{revision}".encode()).hexdigest()
