"""What an answer may rest on: the hits of a question with their sentences and their relevance.

Retrieval for an event loop: queries that arrive while one batch is worked on form the next.
"""

import asyncio
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, replace

from ingestion.corpus import Chunk, Hit
from ingestion.embed import EncodedQuestion
from ingestion.releases.release import Release
from ingestion.search.asking import asked_part
from ingestion.search.retrieve import RetrievalSettings, SearchRequest, retrieve
from ingestion.search.spelling import Vocabulary, respelled
from ingestion.view import EVERYTHING, View
from service.answer.abstain import (
    Relevance,
    about_abbreviation,
    about_asked,
    about_named,
    about_price,
    answerability,
    as_question,
)
from service.answer.sentences import Sentence, SentenceScorer
from service.corpus.embedders import Embedders
from service.feedback.curated.answer import CURATED, CuratedMatch
from service.feedback.curated.book import Lookup
from service.guard.chain import Verdict
from service.guard.checks.attribution import Likely
from service.guard.models.cross_encoder import CrossEncoder
from service.guard.retrieved import vet
from service.guard.texts import SearchableText
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
    curated: CuratedMatch | None = None


def evidence_of(match: CuratedMatch, release: Release, timings: dict[str, float]) -> Evidence:
    """A curated answer in the place of passages: nothing was sought, and nothing is to be doubted."""
    certain = Relevance(1.0, match.score, match.score, match.score, match.score, None)
    return Evidence((_hit_of(match),), (), certain, release, timings, curated=match)


def _hit_of(match: CuratedMatch) -> Hit:
    """A curated answer as the passage that it would be if it stood in a document."""
    name, text = match.curated.name, match.curated.text
    chunk = Chunk(
        id=name,
        document_id=name,
        ordinal=0,
        text=text.answer,
        start=0,
        end=len(text.answer),
        title=text.question,
        source=CURATED,
        language=text.language,
    )
    return Hit(chunk, match.score, {})


def likely_of(evidence: Evidence) -> tuple[Likely, ...]:
    """The sentences of the evidence under their headings, with what they score."""
    found = []
    for one in evidence.sentences:
        chunk = evidence.hits[one.hit].chunk
        found.append(Likely(one.hit + 1, f"{chunk.header}: {chunk.text[one.start : one.end]}", one.score))
    return tuple(found)


@dataclass(frozen=True, slots=True)
class EvidenceRequest:
    """What is sought, in which release, and within what the caller may see.

    `hints` are words for the lexical index alone; `named` is what a follow-up puts in the place of a part of the question
    before it, and `language` the one that it is written in. `rules` are the guards of the retrieved zone. `curated` is
    where a curated answer may take the place of passages.
    """

    release: Release
    text: SearchableText
    settings: RetrievalSettings
    hints: str = ""
    view: View = EVERYTHING
    rules: Mapping[str, Rule] | None = None
    curated: Lookup | None = None
    named: str = ""
    language: str = ""


@dataclass(frozen=True, slots=True)
class _Waiting:
    request: EvidenceRequest
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
        cross_encoder: CrossEncoder,
        executor: Executor,
        *,
        max_batch: int = 32,
    ) -> None:
        self._embedders = embedders
        self._scorer = scorer
        self._cross_encoder = cross_encoder
        self._executor = executor
        self._max_batch = max_batch
        self._waiting: list[_Waiting] = []
        self._worker: asyncio.Task[None] | None = None

    async def search(self, request: EvidenceRequest) -> SearchHits:
        """The hits of a query."""
        found = await self._ask(request, is_weighed=False)
        assert isinstance(found, SearchHits)
        return found

    async def find(self, request: EvidenceRequest) -> Evidence:
        """The evidence for a question."""
        evidence = await self._ask(request, is_weighed=True)
        assert isinstance(evidence, Evidence)
        return evidence

    async def _ask(self, request: EvidenceRequest, *, is_weighed: bool) -> SearchHits | Evidence:
        loop = asyncio.get_running_loop()
        future: asyncio.Future[SearchHits | Evidence] = loop.create_future()
        self._waiting.append(_Waiting(request, is_weighed, future))
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
            by_model.setdefault(waiting.request.release.manifest.embedder_digest, []).append(waiting)
        for group in by_model.values():
            begun = time.perf_counter()
            try:
                group = [replace(waiting, request=_respelled(waiting.request)) for waiting in group]
                embedder = self._embedders.of(group[0].request.release)
                questions = embedder.encode_questions([asked_part(w.request.text) for w in group])
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
        request = waiting.request
        release, view = request.release, request.view
        asked = asked_part(request.text)
        if request.curated is not None:
            match = request.curated.near(request.text, question.vector, release.manifest.embedder_digest)
            if match is not None:
                return evidence_of(match, release, {"embed": embed_s})
        hits, verdicts = self._vetted(request, question)
        searched = time.perf_counter()
        timings = {"embed": embed_s, "search": searched - begun}
        if not waiting.is_weighed:
            return SearchHits(hits, release, timings, verdicts)
        embedder = self._embedders.of(release)
        scored = self._scorer.score(asked, question.vector, hits, release, view, embedder)
        relevance = answerability(
            hits,
            scored,
            self._scorer.calibrations.of(embedder),
            # The question as it was asked, without what a long message tells besides, beside the best passage.
            lambda: self._cross_encoder.answers(
                as_question(asked, hits[0].chunk.language), [hits[0].chunk.embedded_text]
            ),
        )
        for judged in (about_asked, about_price, about_abbreviation):
            relevance = judged(relevance, asked, hits)
        if request.named:
            relevance = about_named(relevance, request.named, hits, request.language)
        timings["weigh"] = time.perf_counter() - searched
        return Evidence(hits, scored.sentences, relevance, release, timings, verdicts)

    def _vetted(
        self, request: EvidenceRequest, question: EncodedQuestion
    ) -> tuple[tuple[Hit, ...], tuple[Verdict, ...]]:
        """The hits that the guards let through; others move up into the place of those that they don't."""
        release, settings = request.release, request.settings
        tools = self._embedders.tools(release)
        sought = SearchRequest(request.text, question, request.hints, settings, request.view)
        hits = retrieve(release, sought, tools)
        if not request.rules or not hits:
            return tuple(hits), ()
        vetted = vet(hits, request.rules, release.documents.trust)
        lost = len(hits) - len(vetted.hits)
        if not lost:
            return vetted.hits, vetted.verdicts
        more = settings.model_copy(update={"top_k": min(settings.top_k + 2 * lost, 50)})
        found = retrieve(release, replace(sought, settings=more), tools)
        again = vet(found, request.rules, release.documents.trust)
        return again.hits[: settings.top_k], again.verdicts


def _respelled(request: EvidenceRequest) -> EvidenceRequest:
    """The request with words put right that stand in no document."""
    index = request.release.index
    text = respelled(request.text, Vocabulary(index, index.languages, request.view))
    return replace(request, text=SearchableText(text))


def _settle(future: asyncio.Future[SearchHits | Evidence], result: SearchHits | Evidence | Exception) -> None:
    if future.done():
        return
    if isinstance(result, Exception):
        future.set_exception(result)
    else:
        future.set_result(result)
