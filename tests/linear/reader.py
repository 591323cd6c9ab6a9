"""What the sweep reads with: a function of a text and the modules whose patterns it runs."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np

from ingestion.artifact import open_artifact
from ingestion.detect.injection import InjectionModel, load_heads
from ingestion.embed.builtin import BUILTIN_DIR
from ingestion.embed.fake import HashEmbedder
from ingestion.embed.values import Vectors


@dataclass(frozen=True, slots=True)
class Reader:
    """A function of a text, the modules whose patterns it runs, and further patterns."""

    name: str
    read: Callable[[str], object]
    modules: tuple[str, ...] = ()
    patterns: Callable[[], list[re.Pattern[str]]] = list


class FlatEmbedder(HashEmbedder):
    """Says the same of every text, at no cost: what is measured is what reads the text before and after."""

    def __init__(self) -> None:
        super().__init__(384)
        self.weights_digest = open_artifact(BUILTIN_DIR, rebuild="").digest
        self.texts: list[str] = []

    def embed(self, texts: list[str]) -> Vectors:
        """The same unit vector for each; `texts` keeps what was asked."""
        self.texts += texts
        out = np.zeros((len(texts), self.dimension), np.float32)
        out[:, 0] = 1
        return out


@cache
def injection_model() -> InjectionModel:
    """The model tier over the flat embedder."""
    embedder = FlatEmbedder()
    return InjectionModel(embedder, load_heads(embedder.weights_digest))
