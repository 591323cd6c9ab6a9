"""The real answer path without HTTP, over a fixed release, with the extractive generator."""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from ingestion.corpus import Hit
from ingestion.embed import Embedder, load_embedder
from ingestion.release import Release
from ingestion.retrieve import Query, RetrievalSettings, Tools, retrieve
from service.answer.abstain import Relevance
from service.answer.answering import Answering, Ask, Reply
from service.answer.embedders import Embedders
from service.answer.evidence import EvidenceFinder
from service.answer.generate.extractive import ExtractiveGenerator
from service.answer.pipeline import AnswerPipeline, Parts
from service.answer.sentences import SentenceScorer
from service.scope import Scope


@dataclass(frozen=True, slots=True)
class Fixed:
    """One release for every collection."""

    release: Release

    def current(self, collection: str, release_id: str | None = None) -> Release:
        """That release."""
        return self.release


@dataclass(frozen=True, slots=True)
class Answered:
    """A reply with the hits that it could rest on."""

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
    questions = embedder.encode_questions(list(queries))
    return [
        retrieve(release, Query(query, question, hints(query)), settings, tools=tools)
        for query, question in zip(queries, questions, strict=True)
    ]


def answer_all(
    scope: Scope, assistant: str, release: Release, embedder: Embedder, questions: Sequence[str]
) -> list[Answered]:
    """Every question through the pipeline, one after the other."""
    return asyncio.run(_answer_all(scope, assistant, release, embedder, questions))


async def _answer_all(
    scope: Scope, assistant: str, release: Release, embedder: Embedder, questions: Sequence[str]
) -> list[Answered]:
    with ThreadPoolExecutor(1) as executor:
        models = Embedders({"builtin": embedder}, load_embedder)
        finder = EvidenceFinder(models, SentenceScorer(), executor)
        parts = Parts(
            scope=scope,
            live=Fixed(release),
            finder=finder,
            generators={"extractive": ExtractiveGenerator(embedder)},
            input_guards={assistant: []},
            output_guards={assistant: []},
            record=lambda row: None,
            sign=lambda answer_id: "",
            max_question_chars=8_000,
        )
        pipeline = AnswerPipeline(parts)
        return [await _answer(pipeline, assistant, question) for question in questions]


async def _answer(pipeline: AnswerPipeline, assistant: str, question: str) -> Answered:
    messages = ({"role": "user", "content": question},)
    answering: Answering = await pipeline.begin(Ask(assistant, messages, "evals", "evals"))
    reply: Reply | None = None
    async for piece in pipeline.stream(answering):
        if isinstance(piece, Reply):
            reply = piece
    if reply is None or answering.evidence is None:
        raise RuntimeError(f"no reply to {question!r}")
    return Answered(reply, answering.evidence.hits, answering.evidence.relevance)
