"""The application: a table of contents. Everything is made here, at start, and nowhere else."""

import asyncio
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

import aiohttp
from fastapi import FastAPI
from fastapi.middleware.cors import CORSMiddleware
from sqlalchemy import Engine

from ingestion.atomic import keep_private
from ingestion.embed import Embedder, load_embedder
from ingestion.releases.release import collection_folder
from ingestion.scrub import Scrubber
from ingestion.scrub.pseudonyms import pseudonyms_of
from ingestion.search.rerank import Reranker, load_reranker
from ingestion.settings import load_settings
from ingestion.text.language import guess_language
from service.answer.arms import ArmWatch
from service.answer.calibrations import Calibrations, load_calibrations
from service.answer.evidence import EvidenceFinder
from service.answer.generate import Generator
from service.answer.generate.build import build_generators
from service.answer.generate.openai import OpenAIGenerator
from service.answer.pipeline import AnswerPipeline, Dependencies
from service.answer.record import AnswerLog, insert_rows
from service.answer.rewrite import standalone
from service.answer.sentences import SentenceScorer
from service.answer.spill import SPILL, Spill
from service.answer.understand import ScrubQuery, SearchText
from service.auth import KeyRing
from service.corpus.documents import Library
from service.corpus.embedders import Embedders
from service.corpus.live import LiveReleases
from service.database import migrate, open_database
from service.deps import State
from service.experiments.book import ExperimentBook
from service.experiments.canary import CanaryWatch
from service.feedback.curated.book import CuratedBook
from service.feedback.desk import FeedbackDesk
from service.feedback.gaps.finder import GapFinder, Threads
from service.feedback.intake import Identities
from service.feedback.limits import Limits
from service.feedback.record import write
from service.feedback.tokens import FeedbackSigner, Pseudonyms, secret_of
from service.feedback.vectors import QuestionVectors
from service.feedback.webhooks import open_webhooks
from service.feedback.writer import FeedbackWriter
from service.guard.build import AssistantGuards, policies_of
from service.guard.chain import Digests
from service.guard.checks.leak import canary_of
from service.guard.checks.pii import QueryScrubber
from service.guard.marking import show_measured
from service.guard.models.cross_encoder import CrossEncoder
from service.guard.models.tier import Models
from service.guard.passages import PassageMasks
from service.guard.remarks import RemarkMasks
from service.guard.selftest import SelfTest
from service.guard.stream.background import BackgroundQueue
from service.handlers import add_error_handlers
from service.logs import configure_logs
from service.middleware import KeepLocal, LimitBody, LimitUploads, Observe, cors
from service.openapi import described
from service.patience import Drain, Patience, Stopping
from service.routes import (
    chat,
    curated,
    documents,
    experiments,
    feedback,
    feedback_files,
    forward,
    gaps,
    health,
    page,
    records,
    responses,
    search,
)
from service.scope import Scope, load_scope
from service.settings import Settings
from service.start import SayWhy, leave_out_echo
from service.threads import one_thread_each, processors, rest_of

_SWITCH_S = 0.0005
_UPLOADS = 8  # of the largest, that may wait in memory together
# A piece of advisory work takes 10 to 100 ms, and an answer waits for its last one no longer than a quarter of a second.
_ADVISORY_A_CORE = 2
T = TypeVar("T")
Scrubbers = Mapping[str, Scrubber]


def create_app(settings: Settings | None = None) -> FastAPI:
    """The application. Without an argument, settings come from the environment."""
    settings = settings or load_settings(Settings)
    engine = open_database(settings.database())
    keys, stopping = KeyRing(engine), Stopping(settings.stop_grace_s)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[Mapping[str, Any]]:
        stopping.listen()
        async with AsyncExitStack() as stack:
            yield {"touchstone": await _start(settings, keys, stopping, stack)}

    app = FastAPI(
        title="Touchstone",
        version="0.1.0",
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        summary="Answers from a company's own documents, with the source of every sentence.",
    )
    feedback_routes = (feedback, feedback_files, records, gaps, curated)
    for module in (chat, responses, forward, search, documents, experiments, *feedback_routes, health, page):
        app.include_router(module.router)
    app.openapi = described(app)  # type: ignore[method-assign]  # as FastAPI's documentation does
    add_error_handlers(app)
    app.add_middleware(LimitUploads, max_bytes=_UPLOADS * settings.max_upload_bytes)
    app.add_middleware(
        LimitBody, max_bytes=settings.max_body_bytes, max_upload_bytes=settings.max_upload_bytes
    )
    app.add_middleware(KeepLocal, is_open=lambda _: keys.has_keys)
    app.add_middleware(Drain, stopping=stopping)
    app.add_middleware(Patience, body_s=settings.body_timeout_s, reader_s=settings.reader_timeout_s)
    if settings.origins:
        app.add_middleware(CORSMiddleware, **cors(settings.origins))
    app.add_middleware(Observe)
    app.add_middleware(SayWhy)
    return app


def worker() -> FastAPI:
    """What each serving process runs: its own logs, and an interpreter that lets the loop in quickly."""
    settings = load_settings(Settings)
    configure_logs(settings.log_level)
    leave_out_echo()
    keep_private(settings.data_dir)
    # Threads that embed and search hold the interpreter for moments; the loop must not wait 5 ms for it.
    sys.setswitchinterval(_SWITCH_S)
    return create_app(settings)


async def _start(settings: Settings, keys: KeyRing, stopping: Stopping, stack: AsyncExitStack) -> State:
    """Open everything; `stack` closes it in the opposite order."""
    scope = load_scope(settings.scope_file)
    storage = await _open_storage(settings, keys, stack)
    corpus = await _open_corpus(scope, settings, storage, stack)
    guarding = await _open_guards(scope, settings, storage, corpus, stack)
    book = ExperimentBook(scope, Pseudonyms(storage.secret).of)
    await _in(storage.threads, book.refresh, storage.engine)
    curation = await _open_curation(scope, storage, corpus)
    answering = await _open_answers(scope, settings, storage, corpus, guarding, book, curation, stack)
    for watch in (
        book.watch(storage.engine, storage.threads),
        curation.book.watch(storage.threads),
        answering.pipeline.shadows.run(),
        ArmWatch(scope, answering.generators, book, storage.engine, storage.threads).run(),
        CanaryWatch(book, storage.engine, storage.threads).run(),
        corpus.live.watch(storage.reading, settings.release_poll_s),
        guarding.self_test.run(guarding.assistants),
        keys.watch(storage.threads),
    ):
        stack.callback(asyncio.create_task(watch).cancel)
    return State(
        settings=settings,
        scope=scope,
        engine=storage.engine,
        keys=keys,
        live=corpus.live,
        finder=answering.finder,
        pipeline=answering.pipeline,
        generators=answering.generators,
        experiments=book,
        curated=curation.book,
        gaps=curation.gaps,
        feedback=_open_feedback(scope, storage, guarding, stack),
        pseudonyms=Pseudonyms(storage.secret),
        database_threads=storage.threads,
        reading_threads=storage.reading,
        library=corpus.library,
        query_scrubbers=guarding.query_scrubbers,
        guards=guarding.assistants,
        passages=guarding.passages,
        self_test=guarding.self_test,
        stopping=stopping,
    )


def _threads(
    count: int, name: str, stack: AsyncExitStack, start: Callable[[], None] | None = None
) -> Executor:
    executor = ThreadPoolExecutor(count, name, initializer=start)
    stack.callback(executor.shutdown)
    return executor


async def _in(executor: Executor, work: Callable[..., T], *arguments: Any) -> T:
    """Do it in a thread: opening files and loading models must not hold up the loop."""
    return await asyncio.get_running_loop().run_in_executor(executor, work, *arguments)


@dataclass(frozen=True, slots=True)
class _Storage:
    """The database with threads that may wait for it, threads for files, which don't, and the installation's secret."""

    engine: Engine
    threads: Executor
    reading: Executor
    secret: bytes


async def _open_storage(settings: Settings, keys: KeyRing, stack: AsyncExitStack) -> _Storage:
    stack.callback(keys.engine.dispose)
    threads = _threads(2, "database", stack)
    await _in(threads, migrate, keys.engine)
    await _in(threads, keys.refresh)
    return _Storage(keys.engine, threads, _threads(2, "reading", stack), _secret(settings))


def _secret(settings: Settings) -> bytes:
    given = settings.secret_key
    return secret_of(given.get_secret_value() if given else None, settings.data_dir)


@dataclass(frozen=True, slots=True)
class _Corpus:
    """What is served: the live releases, the embedders by collection and by release with their weights, the documents."""

    calibrations: Calibrations
    embedders: Mapping[str, Embedder]
    models: Embedders
    live: LiveReleases
    library: Library
    threads: Executor

    @property
    def embedder(self) -> Embedder:
        """That of the first collection."""
        return next(iter(self.embedders.values()))


async def _open_corpus(scope: Scope, settings: Settings, storage: _Storage, stack: AsyncExitStack) -> _Corpus:
    threads = _threads(1, "model", stack, one_thread_each)
    embedders = await _in(threads, _embedders, scope, settings)
    calibrations = load_calibrations()
    calibrations.check(scope, embedders)
    models = Embedders(
        {scope.collections[name].embedder: one for name, one in embedders.items()},
        lambda name: load_embedder(name, threads=settings.embed_threads),
        await _in(threads, _rerankers, scope),
    )
    live = await _in(storage.reading, LiveReleases, settings.data_dir, scope.collections, models)
    stack.callback(live.close)
    await _in(storage.reading, live.refresh)
    library = Library(scope, settings, embedders, live)
    stack.callback(library.close)
    corpus = _Corpus(calibrations, embedders, models, live, library, threads)
    # The first question waits behind this in the same thread; nothing else does.
    loop = asyncio.get_running_loop()
    loop.run_in_executor(threads, corpus.embedder.warm)
    for config in scope.collections.values():
        loop.run_in_executor(threads, guess_language, "Which language is this?", config.languages)
    return corpus


def _embedders(scope: Scope, settings: Settings) -> dict[str, Embedder]:
    """An embedder a collection; collections that name the same model share it."""
    by_name = {
        name: load_embedder(name, threads=settings.embed_threads)
        for name in {config.embedder for config in scope.collections.values()}
    }
    return {name: by_name[config.embedder] for name, config in scope.collections.items()}


def _rerankers(scope: Scope) -> dict[str, Reranker]:
    """The cross-encoders that variants name."""
    names = {variant.retrieval.rerank for variant in scope.variants.values()} - {"late", "none"}
    return {name: load_reranker(name) for name in sorted(names)}


@dataclass(frozen=True, slots=True)
class _Guarding:
    """The guards of each assistant, and by collection what is searched for and shown."""

    assistants: Mapping[str, AssistantGuards]
    query_scrubbers: Mapping[str, QueryScrubber]
    passages: Mapping[str, PassageMasks]
    cross_encoder: CrossEncoder
    self_test: SelfTest


async def _open_guards(
    scope: Scope, settings: Settings, storage: _Storage, corpus: _Corpus, stack: AsyncExitStack
) -> _Guarding:
    loop = asyncio.get_running_loop()
    typed, written = (
        _scrubbers(scope, settings, with_names=True),
        _scrubbers(scope, settings, with_names=False),
    )
    for scrubber in typed.values():
        # Presidio takes seconds to import; until then a question that may hold personal data waits.
        loop.run_in_executor(storage.reading, scrubber.warm)
    cross_encoder = await _in(corpus.threads, lambda: CrossEncoder(threads=1))
    loop.run_in_executor(corpus.threads, cross_encoder.answers, "Is it warm?", ["It is warm now."])
    threads = _threads(1, "guards", stack, one_thread_each)
    cores = processors()
    queue = BackgroundQueue(
        _threads(1, "advisory", stack, one_thread_each), limit=_ADVISORY_A_CORE * cores, rest=rest_of(cores)
    )
    models = await _in(threads, _guard_models, scope, settings, corpus.embedders, cross_encoder)
    ready = loop.run_in_executor(threads, models.warm)
    digests, canary = Digests(storage.secret), canary_of(storage.secret)
    assistants = {
        key: AssistantGuards(
            policy,
            input_scrubber=typed[collection],
            output_scrubber=written[collection],
            models=models,
            executor=threads,
            advisory=queue,
            digests=digests,
            canary=canary,
            ready=ready,
            pii_policy=scope.collections[collection].one_pii_policy,
        )
        for key, collection, policy in policies_of(scope)
    }
    show_measured(settings.data_dir)
    query_scrubbers = {name: QueryScrubber(typed[name], written[name]) for name in scope.collections}
    return _Guarding(
        assistants, query_scrubbers, _passages(scope, written, digests), cross_encoder, SelfTest()
    )


def _scrubbers(scope: Scope, settings: Settings, *, with_names: bool) -> dict[str, Scrubber]:
    """By collection. Answers are scanned a few words at a time, in which names can't be told."""
    return {
        name: Scrubber(
            config.pii,
            pseudonyms=pseudonyms_of(collection_folder(settings.data_dir, name)),
            with_names=with_names,
        )
        for name, config in scope.collections.items()
    }


def _guard_models(
    scope: Scope, settings: Settings, embedders: Mapping[str, Embedder], cross_encoder: CrossEncoder
) -> Models:
    """The heads, on the built-in embedder whichever one the collections use, and the classifiers that policies name."""
    shared = [embedders[name] for name, config in scope.collections.items() if config.embedder == "builtin"]
    embedder = shared[0] if shared else load_embedder("builtin", threads=settings.embed_threads)
    models = Models(embedder, cross_encoder)
    for _, _, policy in policies_of(scope):
        models.preload(policy)
    return models


def _passages(scope: Scope, scrubbers: Scrubbers, digests: Digests) -> dict[str, PassageMasks]:
    """What is shown of passages without an assistant, by collection."""
    return {
        name: PassageMasks(
            scope.policy_of_collection(name),
            scrubbers[name],
            digests,
            pii_policy=config.one_pii_policy,
        )
        for name, config in scope.collections.items()
    }


@dataclass(frozen=True, slots=True)
class _Curation:
    """The curated answers, and what finds the questions that lack one."""

    book: CuratedBook
    gaps: GapFinder


async def _open_curation(scope: Scope, storage: _Storage, corpus: _Corpus) -> _Curation:
    vectors = QuestionVectors(corpus.embedders, corpus.threads)
    collections = {name: assistant.collection for name, assistant in scope.assistants.items()}
    book = CuratedBook(storage.engine, collections, vectors)
    await book.read(storage.threads)
    threads = Threads(storage.threads, storage.reading)
    return _Curation(book, GapFinder(storage.engine, collections, vectors, threads, standalone))


@dataclass(frozen=True, slots=True)
class _Answering:
    """The answer path, the finder that searches share, and the generators by name."""

    pipeline: AnswerPipeline
    finder: EvidenceFinder
    generators: Mapping[str, Generator]


async def _open_answers(
    scope: Scope,
    settings: Settings,
    storage: _Storage,
    corpus: _Corpus,
    guarding: _Guarding,
    book: ExperimentBook,
    curation: _Curation,
    stack: AsyncExitStack,
) -> _Answering:
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
        database=_threads(1, "answer-log", stack),
        disk=_threads(1, "journal", stack),
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
    return _Answering(AnswerPipeline(parts), finder, generators)


def _open_feedback(
    scope: Scope, storage: _Storage, guarding: _Guarding, stack: AsyncExitStack
) -> FeedbackDesk:
    """What takes feedback in. Raises `ScopeError` for a webhook's secret that isn't set."""
    writer = FeedbackWriter(partial(write, storage.engine), _threads(1, "feedback", stack))
    writer.start()
    stack.push_async_callback(writer.close)
    return FeedbackDesk(
        identities=Identities(FeedbackSigner(storage.secret), Pseudonyms(storage.secret)),
        limits=Limits(scope.feedback),
        mask=RemarkMasks({name: guarding.assistants[name].input_redactors for name in scope.assistants}).mask,
        writer=writer,
        webhooks=open_webhooks(scope.webhooks),
    )


def _search_text(scope: Scope, scrubbers: Mapping[str, QueryScrubber]) -> dict[str, ScrubQuery]:
    """What each assistant searches for when it is asked; one without the guard searches for what was said."""

    def scrub_with(scrubber: QueryScrubber) -> ScrubQuery:
        return lambda question: SearchText(*scrubber.scrub_query(question))

    return {
        name: scrub_with(scrubbers[assistant.collection])
        for name, assistant in scope.assistants.items()
        if scope.policy_of(name).input["pii"].changes_text
    }
