"""The answer path with its generators and its log."""

import asyncio
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import partial

import aiohttp

from service.answer.evidence import EvidenceFinder
from service.answer.generate import Generator
from service.answer.generate.build import build_generators
from service.answer.generate.openai import OpenAIGenerator
from service.answer.pipeline import AnswerPipeline, Dependencies
from service.answer.record import AnswerLog, insert_rows
from service.answer.sentences import SentenceScorer
from service.answer.spill import SPILL, Spill
from service.answer.understand import ScrubQuery, SearchText
from service.experiments.book import ExperimentBook
from service.feedback.tokens import FeedbackSigner
from service.guard.checks.leak import canary_of
from service.guard.checks.pii import QueryScrubber
from service.opening.corpus import Corpus
from service.opening.feedback import Curation
from service.opening.guards import Guarding
from service.opening.storage import Storage, threads_in
from service.scope import Scope
from service.settings import Settings


@dataclass(frozen=True, slots=True)
class Answering:
    """The answer path, the finder that searches share, and the generators by name."""

    pipeline: AnswerPipeline
    finder: EvidenceFinder
    generators: Mapping[str, Generator]


async def open_answers(
    scope: Scope,
    settings: Settings,
    storage: Storage,
    corpus: Corpus,
    guarding: Guarding,
    book: ExperimentBook,
    curation: Curation,
    stack: AsyncExitStack,
) -> Answering:
    finder = EvidenceFinder(
        corpus.models, SentenceScorer(corpus.calibrations), guarding.cross_encoder, corpus.threads
    )
    session = await stack.enter_async_context(
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0, ttl_dns_cache=60))
    )
    generators = build_generators(scope.generators, settings, session, corpus.embedder)
    for generator in generators.values():
        if isinstance(generator, OpenAIGenerator):
            stack.callback(asyncio.create_task(generator.watch()).cancel)
    spill = Spill(settings.data_dir / SPILL)
    answers = AnswerLog(
        partial(insert_rows, storage.engine),
        database=threads_in(1, "answer-log", stack),
        disk=threads_in(1, "journal", stack),
        spill=spill,
    )
    answers.start()
    stack.push_async_callback(answers.close)
    parts = Dependencies(
        scope=scope,
        live=corpus.live,
        finder=finder,
        generators=generators,
        guards=guarding.assistants,
        record=answers.add,
        sign=FeedbackSigner(storage.secret).sign,
        search_text=_search_text(scope, guarding.query_scrubbers),
        canary=canary_of(storage.secret),
        max_question_chars=settings.max_question_chars,
        choose=book.choose,
        curated=curation.book,
    )
    return Answering(AnswerPipeline(parts), finder, generators)


def _search_text(scope: Scope, scrubbers: Mapping[str, QueryScrubber]) -> dict[str, ScrubQuery]:
    """What each assistant searches for when it is asked; one without the guard searches for what was said."""

    def scrub_with(scrubber: QueryScrubber) -> ScrubQuery:
        return lambda question: SearchText(*scrubber.scrub_query(question))

    return {
        name: scrub_with(scrubbers[assistant.collection])
        for name, assistant in scope.assistants.items()
        if scope.policy_of(name).input["pii"].changes_text
    }
