"""The real answer path without HTTP, over a fixed release, with the extractive generator."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache

from ingestion.config import PiiPolicy
from ingestion.corpus import Hit
from ingestion.embed import Embedder, load_embedder
from ingestion.releases.release import Release
from ingestion.scrub import Scrubber
from ingestion.search.asking import asked_part
from ingestion.search.retrieve import RetrievalSettings, SearchRequest, Tools, retrieve
from service.answer.abstain import Relevance
from service.answer.calibrations import Calibrations, load_calibrations
from service.answer.evidence import EvidenceFinder, EvidenceRequest
from service.answer.generate import Generator
from service.answer.generate.extractive import ExtractiveGenerator
from service.answer.pipeline import AnswerPipeline, Dependencies, done
from service.answer.request import AnswerRequest, RawMessage, Reply
from service.answer.sentences import SentenceScorer
from service.corpus.embedders import Embedders
from service.guard.build import AssistantGuards
from service.guard.chain import Digests
from service.guard.models.cross_encoder import CrossEncoder
from service.guard.texts import RawText, SearchableText
from service.scope import Scope
from service.scope.file import EXTRACTIVE

# A question, or a conversation that ends with one.
Asked = str | Sequence[RawMessage]


@dataclass(frozen=True, slots=True)
class Fixed:
    """One release for every collection."""

    release: Release

    async def serving(self, collection: str, release_id: str | None = None) -> Release:
        """That release."""
        return self.release


@dataclass(frozen=True, slots=True)
class Answered:
    """A reply with the hits that were given to the generator."""

    reply: Reply
    hits: tuple[Hit, ...]
    relevance: Relevance


def rank(
    release: Release,
    embedder: Embedder,
    queries: Sequence[str],
    settings: RetrievalSettings,
    hints: Callable[[str], str] = lambda query: "",
) -> list[list[str]]:
    """Documents for each query, the best first, each once."""
    found = search_all(release, embedder, queries, settings, hints)
    return [list(dict.fromkeys(hit.chunk.document_id for hit in hits)) for hits in found]


def search_all(
    release: Release,
    embedder: Embedder,
    queries: Sequence[str],
    settings: RetrievalSettings,
    hints: Callable[[str], str] = lambda query: "",
) -> list[list[Hit]]:
    """Hits for each query."""
    tools = Tools(embedder.languages, embedder.late)
    questions = embedder.encode_questions([asked_part(query) for query in queries])
    return [
        retrieve(release, SearchRequest(query, question, hints(query), settings), tools)
        for query, question in zip(queries, questions, strict=True)
    ]


def off(scope: Scope, assistant: str) -> AssistantGuards:
    """Only the guards of the retrieved zone, as the scope sets them, so that retrieval is measured and not the other guards."""
    policy = scope.policy_of(assistant)
    scrubber = Scrubber(PiiPolicy(entities=[]), with_names=False)
    nothing = {name: rule.model_copy(update={"action": "off"}) for name, rule in policy.output.items()}
    return AssistantGuards(
        policy.model_copy(update={"output": nothing}),
        input_scrubber=scrubber,
        output_scrubber=scrubber,
        models=None,
        executor=None,
        digests=Digests(b""),
        canary="",
    )


@lru_cache(maxsize=1)
def _cross_encoder() -> CrossEncoder:
    return CrossEncoder(threads=2)


def answer_all(
    scope: Scope,
    assistant: str,
    release: Release,
    embedder: Embedder,
    questions: Sequence[Asked],
    *,
    guards: AssistantGuards | None = None,
    generator: Generator | None = None,
    calibrations: Calibrations | None = None,
) -> list[Answered]:
    """Every question through the pipeline, one after the other; without `guards`, with those of `off`."""
    generators = {EXTRACTIVE: generator or ExtractiveGenerator(embedder)}
    guards = guards or off(scope, assistant)
    answering = answer_with(
        scope, assistant, release, embedder, questions, guards, generators, calibrations=calibrations
    )
    return asyncio.run(answering)


async def answer_with(
    scope: Scope,
    assistant: str,
    release: Release,
    embedder: Embedder,
    questions: Sequence[Asked],
    guards: AssistantGuards,
    generators: Mapping[str, Generator],
    *,
    together: int = 1,
    canary: str = "",
    calibrations: Calibrations | None = None,
) -> list[Answered]:
    """Every question through the pipeline with these generators, so many at a time; `calibrations` are the service's."""
    with ThreadPoolExecutor(1) as executor:
        models = Embedders({"builtin": embedder}, load_embedder)
        scorer = SentenceScorer(calibrations or load_calibrations())
        finder = EvidenceFinder(models, scorer, _cross_encoder(), executor)
        parts = Dependencies(
            scope=scope,
            live=Fixed(release),
            finder=finder,
            generators=generators,
            guards={assistant: guards},
            record=lambda row: done(),
            sign=lambda answer_id, subject: "",
            max_question_chars=8_000,
            canary=canary,
        )
        pipeline, limit = AnswerPipeline(parts), asyncio.Semaphore(together)

        async def ask(question: Asked) -> Answered:
            async with limit:
                return await _answer(pipeline, assistant, question)

        return list(await asyncio.gather(*map(ask, questions)))


def passages_of(
    scope: Scope,
    assistant: str,
    release: Release,
    embedder: Embedder,
    questions: Sequence[str],
    *,
    more: int = 0,
) -> list[tuple[Hit, ...]]:
    """The passages that the answer path gives a generator for each question; `more` than the variant's `top_k`."""
    variant = scope.variants[scope.assistants[assistant].variant]
    settings = variant.retrieval.model_copy(update={"top_k": variant.retrieval.top_k + more})
    rules = scope.policy_of(assistant).retrieved

    async def find(finder: EvidenceFinder) -> list[tuple[Hit, ...]]:
        sought = [EvidenceRequest(release, SearchableText(q), settings, rules=rules) for q in questions]
        return [found.hits for found in await asyncio.gather(*map(finder.search, sought))]

    with ThreadPoolExecutor(1) as executor:
        models = Embedders({"builtin": embedder}, load_embedder)
        finder = EvidenceFinder(models, SentenceScorer(load_calibrations()), _cross_encoder(), executor)
        return asyncio.run(find(finder))


async def _answer(pipeline: AnswerPipeline, assistant: str, question: Asked) -> Answered:
    messages = (RawMessage("user", RawText(question)),) if isinstance(question, str) else tuple(question)
    turn = await pipeline.begin(AnswerRequest(assistant, messages, "evals", "evals"))
    async for piece in pipeline.stream(turn):
        if isinstance(piece, Reply) and piece.evidence is not None:
            return Answered(piece, piece.evidence.hits, piece.evidence.relevance)
    raise RuntimeError(f"no reply to {question!r}")
