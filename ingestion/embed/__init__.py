"""Embedders: texts to unit vectors. The built-in one runs on the CPU without torch."""

from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt

from ingestion.embed.builtin import BUILTIN_DIR, load_builtin

Vectors = npt.NDArray[np.float32]


class Embedder(Protocol):
    """A model that turns texts into vectors; queries and documents go through the same one."""

    name: str
    digest: str
    dimension: int

    def embed(self, texts: list[str]) -> Vectors:
        """Unit vectors, shape `(len(texts), dimension)`."""
        ...

    def count_tokens(self, texts: list[str]) -> list[int]:
        """Tokens of each text, without the special ones."""
        ...

    def warm(self) -> None:
        """Do now what the first call would otherwise wait for."""
        ...


def load_embedder(name: str, *, threads: int = 0) -> Embedder:
    """The built-in embedder, or a sentence-transformers model by folder or hub name.

    Raises `EmbedderError` when it is missing, damaged, or needs a package that is not installed.
    """
    if name == "builtin":
        return load_builtin(BUILTIN_DIR, threads=threads)
    from ingestion.embed.sentence_transformers import load_sentence_transformer  # torch: optional

    return load_sentence_transformer(name)


def builtin_folder() -> Path:
    """Where the built-in embedder's artefact lies."""
    return BUILTIN_DIR
