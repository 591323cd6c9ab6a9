"""Where the time of a run goes: seconds by stage, and an embedder that is clocked."""

import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager

from ingestion.embed import Embedder, Embeddings, EncodedQuestion
from ingestion.index.segment import Vectors


class Timings:
    """Seconds by stage, summed over documents and processes."""

    def __init__(self) -> None:
        self._seconds: defaultdict[str, float] = defaultdict(float)

    def add(self, stage: str, seconds: float) -> None:
        """Add seconds to a stage."""
        self._seconds[stage] += seconds

    @contextmanager
    def timed(self, stage: str) -> Iterator[None]:
        """Add the seconds of a block to a stage."""
        begun = time.perf_counter()
        try:
            yield
        finally:
            self.add(stage, time.perf_counter() - begun)

    def rounded(self) -> dict[str, float]:
        """Stages by name, to the millisecond."""
        return {stage: round(seconds, 3) for stage, seconds in sorted(self._seconds.items())}


class TimedEmbedder:
    """An embedder whose work on documents counts as the stage `embed`."""

    def __init__(self, embedder: Embedder, timings: Timings) -> None:
        self._embedder, self._timings = embedder, timings
        self.name, self.digest, self.dimension = embedder.name, embedder.digest, embedder.dimension
        self.weights_digest = embedder.weights_digest
        self.languages, self.late = embedder.languages, embedder.late

    def embed(self, texts: list[str]) -> Vectors:
        """Vectors of texts."""
        return self.encode(texts).vectors

    def encode(self, texts: list[str]) -> Embeddings:
        """Vectors and codes of texts."""
        with self._timings.timed("embed"):
            return self._embedder.encode(texts)

    def encode_questions(self, texts: list[str]) -> list[EncodedQuestion]:
        """Questions."""
        return self._embedder.encode_questions(texts)

    def count_tokens(self, texts: list[str]) -> list[int]:
        """Tokens of each text."""
        return self._embedder.count_tokens(texts)

    def warm(self) -> None:
        """Compile what is compiled at first use."""
        self._embedder.warm()
