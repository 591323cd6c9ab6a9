"""What an answer may rest on: the hits of a question with their sentences and their relevance.

Retrieval for an event loop: queries that arrive while one batch is worked on form the next.
"""

import asyncio
import time
from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, replace

from ingestion.corpus import Hit
from ingestion.embed import EncodedQuestion
from ingestion.releases.release import Release
from ingestion.search.retrieve import RetrievalSettings, SearchRequest, retrieve
from ingestion.view import EVERYTHING, View
from service.answer.abstain import Relevance, answerability
from service.answer.sentences import Sentence, SentenceScorer
from service.corpus.embedders import Embedders
from service.guard.chain import Verdict
from service.guard.models.cross_encoder import CrossEncoder
from service.guard.retrieved import vet
from service.scope.policy import Rule


@dataclass(frozen=True, slots=True)
class SearchHits:
    """The hits of a query, the best first, the release they come from, and seconds by stage."""

    hits: tuple[Hit, ...]
    release: Release
    timings: dict[str, float]
    verdicts: tuple[Verdict, ...] = ()


@dataclass(frozen=True, slots=True)
class Evidence:
    """Hits and their sentences, both the best first, and how likely they are to answer."""

    hits: tuple[Hit, ...]
    sentences: tuple[Sentence, ...]
    relevance: Relevance
    release: Release
    timings: dict[str, float]
    verdicts: tuple[Verdict, ...] = ()


@dataclass(slots=True)
class _Waiting:
    query: str
    hints: str
    release: Release
    view: View
    settings: RetrievalSettings
    rules: dict[str, Rule] | None
    is_weighed: bool
    future: asyncio.Future[SearchHits | Evidence]


class EvidenceFinder:
    """Retrieves, and on demand scores and judges, in `executor`, so that the loop stays free.

    No query waits for company: an idle worker takes what is there at once.
    """

    def __init__(
        self,
        embedders: Embedders,
        scorer: SentenceScorer,
        pairs: CrossEncoder,
        executor: Executor,
        *,
        max_batch: int = 32,
    ) -> None:
        self._embedders = embedders
        self._scorer = scorer
        self._pairs = pairs
        self._executor = executor
        self._max_batch = max_batch
        self._waiting: list[_Waiting] = []
        self._worker: asyncio.Task[None] | None = None

    async def search(
        self,
        release: Release,
        query: str,
        settings: RetrievalSettings,
        hints: str = "",
        view: View = EVERYTHING,
        rules: dict[str, Rule] | None = None,
    ) -> SearchHits:
        """The hits of a query within a view. `hints` are words for the lexical index alone; `rules` are the guards of
        the retrieved zone."""
        found = await self._ask(release, query, settings, hints, view, rules, is_weighed=False)
        assert isinstance(found, SearchHits)
        return found

    async def find(
        self,
        release: Release,
        question: str,
        settings: RetrievalSettings,
        hints: str = "",
        view: View = EVERYTHING,
        rules: dict[str, Rule] | None = None,
    ) -> Evidence:
        """The evidence for a question within a view."""
        evidence = await self._ask(release, question, settings, hints, view, rules, is_weighed=True)
        assert isinstance(evidence, Evidence)
        return evidence

    async def _ask(
        self,
        release: Release,
        query: str,
        settings: RetrievalSettings,
        hints: str,
        view: View,
        rules: dict[str, Rule] | None,
        *,
        is_weighed: bool,
    ) -> SearchHits | Evidence:
        loop = asyncio.get_running_loop()
        future: asyncio.Future[SearchHits | Evidence] = loop.create_future()
        self._waiting.append(_Waiting(query, hints, release, view, settings, rules, is_weighed, future))
        if self._worker is None or self._worker.done():
            self._worker = loop.create_task(self._drain())
        return await future

    async def _drain(self) -> None:
        loop = asyncio.get_running_loop()
        while self._waiting:
            batch = self._waiting[: self._max_batch]
            del self._waiting[: self._max_batch]
            try:
                await loop.run_in_executor(self._executor, self._work, batch, loop)
            except Exception as exc:  # noqa: BLE001 - each waiting request must hear of it
                for waiting in batch:
                    _settle(waiting.future, exc)

    def _work(self, batch: Sequence[_Waiting], loop: asyncio.AbstractEventLoop) -> None:
        """Questions to the same model are embedded together; each is answered as soon as it can be."""
        by_model: dict[str, list[_Waiting]] = {}
        for waiting in batch:
            by_model.setdefault(waiting.release.manifest.embedder_digest, []).append(waiting)
        for group in by_model.values():
            begun = time.perf_counter()
            try:
                embedder = self._embedders.of(group[0].release)
                questions = embedder.encode_questions([waiting.query for waiting in group])
            except Exception as exc:  # noqa: BLE001 - each waiting request must hear of it
                for waiting in group:
                    loop.call_soon_threadsafe(_settle, waiting.future, exc)
                continue
            embed_s = time.perf_counter() - begun
            for waiting, question in zip(group, questions, strict=True):
                if not waiting.future.done():
                    loop.call_soon_threadsafe(
                        _settle, waiting.future, self._tried(waiting, question, embed_s)
                    )

    def _tried(
        self, waiting: _Waiting, question: EncodedQuestion, embed_s: float
    ) -> SearchHits | Evidence | Exception:
        """A question that fails takes no other with it."""
        try:
            return self._one(waiting, question, embed_s)
        except Exception as exc:  # noqa: BLE001 - raised again where it is waited for
            return exc

    def _one(self, waiting: _Waiting, question: EncodedQuestion, embed_s: float) -> SearchHits | Evidence:
        begun = time.perf_counter()
        release, view = waiting.release, waiting.view
        request = SearchRequest(waiting.query, question, waiting.hints, waiting.settings, view)
        hits, verdicts = self._vetted(waiting, request)
        searched = time.perf_counter()
        timings = {"embed": embed_s, "search": searched - begun}
        if not waiting.is_weighed:
            return SearchHits(hits, release, timings, verdicts)
        embedder = self._embedders.of(release)
        scored = self._scorer.score(waiting.query, question.vector, hits, release, view, embedder)
        # The question as it was asked, beside the best passage; most of the time of a second look.
        answers = self._pairs.answers(waiting.query, [hits[0].chunk.embedded_text]) if hits else 0.0
        relevance = answerability(hits, scored, answers)
        timings["weigh"] = time.perf_counter() - searched
        return Evidence(hits, scored.sentences, relevance, release, timings, verdicts)

    def _vetted(
        self, waiting: _Waiting, request: SearchRequest
    ) -> tuple[tuple[Hit, ...], tuple[Verdict, ...]]:
        """The hits that the guards let through; others move up into the place of those that they don't."""
        release, settings = waiting.release, waiting.settings
        tools = self._embedders.tools(release)
        hits = retrieve(release, request, tools)
        if not waiting.rules or not hits:
            return tuple(hits), ()
        vetted = vet(hits, waiting.rules, release.documents.trust)
        lost = len(hits) - len(vetted.hits)
        if not lost:
            return vetted.hits, vetted.verdicts
        more = settings.model_copy(update={"top_k": min(settings.top_k + 2 * lost, 50)})
        found = retrieve(release, replace(request, settings=more), tools)
        again = vet(found, waiting.rules, release.documents.trust)
        return again.hits[: settings.top_k], again.verdicts


def _settle(future: asyncio.Future[SearchHits | Evidence], result: SearchHits | Evidence | Exception) -> None:
    if future.done():
        return
    if isinstance(result, Exception):
        future.set_exception(result)
    else:
        future.set_result(result)
