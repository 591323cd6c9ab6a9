"""Embedders: texts to unit vectors. The built-in one runs on the CPU without torch."""

from typing import Protocol

from ingestion.embed.builtin import BUILTIN_DIR, load_builtin
from ingestion.embed.late_interaction import LateHead
from ingestion.embed.values import Embeddings, EncodedQuestion, Vectors

__all__ = [
    "BUILTIN",
    "MULTILINGUAL",
    "Embeddings",
    "Embedder",
    "LateHead",
    "EncodedQuestion",
    "Vectors",
    "load_embedder",
]


# Names of the embedders that come with the service.
BUILTIN, MULTILINGUAL = "builtin", "multilingual"


class Embedder(Protocol):
    """A model that turns texts into vectors; queries and documents go through the same one.

    `digest` is that of all it makes, `weights_digest` that of the model behind its vectors alone: heads and calibrations
    made for those weights fit, with or without late interaction. `languages` are those it was trained for, None when that
    isn't known; `late` is there for models whose tokens can be compared one by one.
    """

    name: str
    digest: str
    weights_digest: str
    dimension: int
    languages: frozenset[str] | None
    late: LateHead | None

    def embed(self, texts: list[str]) -> Vectors:
        """Unit vectors of passages, shape `(len(texts), dimension)`: some models read questions otherwise."""
        ...

    def encode(self, texts: list[str]) -> Embeddings:
        """Vectors of passages, and the codes of their tokens where there is late interaction."""
        ...

    def encode_questions(self, texts: list[str]) -> list[EncodedQuestion]:
        """Questions, one by one the same as together."""
        ...

    def count_tokens(self, texts: list[str]) -> list[int]:
        """Tokens of each text, without the special ones."""
        ...

    def warm(self) -> None:
        """Do now what the first call would otherwise wait for."""
        ...


def load_embedder(name: str, *, threads: int = 0) -> Embedder:
    """The built-in embedder, the multilingual one, or a sentence-transformers model by folder or hub name.

    Raises `EmbedderError` when it is missing, damaged, not built yet, or needs a package that is not installed.
    """
    if name == BUILTIN:
        return load_builtin(BUILTIN_DIR, threads=threads)
    if name == MULTILINGUAL:
        from ingestion.embed.multilingual.embedder import (
            load_multilingual,
        )  # who uses English alone needs none of it

        return load_multilingual(threads=threads)
    from ingestion.embed.sentence_transformers import load_sentence_transformer  # torch: optional

    return load_sentence_transformer(name)
