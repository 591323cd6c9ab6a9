"""What an answer may rest on: the hits of a question with their sentences and their relevance.

Retrieval for an event loop: queries that arrive while one batch is worked on form the next.
"""

import asyncio
import time
from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import dataclass

from ingestion.corpus import Hit
from ingestion.embed import Embedder
from ingestion.release import Release
from service.answer.abstain import Relevance, judge
from service.answer.retrieve import Floats, search
from service.answer.sentences import Sentence, SentenceScorer
from service.scope import RetrievalSettings


@dataclass(frozen=True, slots=True)
class Found:
    """The hits of a query, the best first, the release they come from, and seconds by stage."""

    hits: tuple[Hit, ...]
    release: Release
    timings: dict[str, float]


@dataclass(frozen=True, slots=True)
class Evidence:
    """Hits and their sentences, both the best first, and how likely they are to answer."""

    hits: tuple[Hit, ...]
    sentences: tuple[Sentence, ...]
    relevance: Relevance
    release: Release
    timings: dict[str, float]


@dataclass(slots=True)
class _Waiting:
    query: str
    hints: str
    release: Release
    settings: RetrievalSettings
    is_weighed: bool
    future: asyncio.Future[Found | Evidence]


class EvidenceFinder:
    """Retrieves, and on demand scores and judges, in `executor`, so that the loop stays free.

    No query waits for company: an idle worker takes what is there at once.
    """

    def __init__(
        self,
        embedder: Embedder,
        scorer: SentenceScorer,
        executor: Executor,
        *,
        max_batch: int = 32,
    ) -> None:
        self._embedder = embedder
        self._scorer = scorer
        self._executor = executor
        self._max_batch = max_batch
        self._waiting: list[_Waiting] = []
        self._worker: asyncio.Task[None] | None = None

    async def search(
        self, release: Release, query: str, settings: RetrievalSettings, hints: str = ""
    ) -> Found:
        """The hits of a query. `hints` are words for the lexical index alone."""
        found = await self._ask(release, query, settings, hints, is_weighed=False)
        assert isinstance(found, Found)
        return found

    async def find(
        self, release: Release, question: str, settings: RetrievalSettings, hints: str = ""
    ) -> Evidence:
        """The evidence for a question."""
        evidence = await self._ask(release, question, settings, hints, is_weighed=True)
        assert isinstance(evidence, Evidence)
        return evidence

    async def _ask(
        self, release: Release, query: str, settings: RetrievalSettings, hints: str, *, is_weighed: bool
    ) -> Found | Evidence:
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Found | Evidence] = loop.create_future()
        self._waiting.append(_Waiting(query, hints, release, settings, is_weighed, future))
        if self._worker is None or self._worker.done():
            self._worker = loop.create_task(self._drain())
        return await future

    async def _drain(self) -> None:
        loop = asyncio.get_running_loop()
        while self._waiting:
            batch = self._waiting[: self._max_batch]
            del self._waiting[: self._max_batch]
            try:
                results = await loop.run_in_executor(self._executor, self._work, batch)
            except Exception as exc:  # noqa: BLE001 - each waiting request must hear of it
                for waiting in batch:
                    if not waiting.future.done():
                        waiting.future.set_exception(exc)
                continue
            for waiting, result in zip(batch, results, strict=True):
                if not waiting.future.done():
                    waiting.future.set_result(result)

    def _work(self, batch: Sequence[_Waiting]) -> list[Found | Evidence]:
        begun = time.perf_counter()
        vectors = self._embedder.embed([waiting.query for waiting in batch])
        embed_s = time.perf_counter() - begun
        return [self._one(w, v, embed_s) for w, v in zip(batch, vectors, strict=True)]

    def _one(self, waiting: _Waiting, vector: Floats, embed_s: float) -> Found | Evidence:
        begun = time.perf_counter()
        hits = tuple(search(waiting.release, waiting.query, vector, waiting.settings, waiting.hints))
        searched = time.perf_counter()
        timings = {"embed": embed_s, "search": searched - begun}
        if not waiting.is_weighed:
            return Found(hits, waiting.release, timings)
        scored = self._scorer.score(waiting.query, vector, hits, waiting.release)
        relevance = judge(hits, scored)
        timings["weigh"] = time.perf_counter() - searched
        return Evidence(hits, scored.sentences, relevance, waiting.release, timings)
