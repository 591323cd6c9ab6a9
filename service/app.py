"""The application: a table of contents. Everything is made here, at start, and nowhere else."""

import asyncio
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
from fastapi import FastAPI

from ingestion.embed import Embedder, load_embedder
from ingestion.releases.release import collection_folder
from ingestion.scrub import Scrubber
from ingestion.scrub.pseudonyms import pseudonyms_of
from ingestion.search.rerank import Reranker, load_reranker
from ingestion.text.language import guess_language
from service.answer.answering import SearchText
from service.answer.evidence import EvidenceFinder
from service.answer.generate import Generator
from service.answer.generate.extractive import ExtractiveGenerator
from service.answer.generate.openai import OpenAIGenerator, Upstream
from service.answer.pipeline import AnswerPipeline, Dependencies
from service.answer.prompts import RULES
from service.answer.record import AnswerLog
from service.answer.sentences import SentenceScorer
from service.auth import KeyRing
from service.corpus.documents import Library
from service.corpus.embedders import Embedders
from service.corpus.live import LiveReleases
from service.database import migrate, open_database
from service.deps import State
from service.feedback.tokens import FeedbackSigner, Pseudonyms, secret_in
from service.guard.build import AssistantGuards
from service.guard.chain import Digests
from service.guard.checks.leak import canary_of
from service.guard.checks.pii import QueryScrubber
from service.guard.marking import read_measured
from service.guard.models.cross_encoder import CrossEncoder
from service.guard.models.tier import Models
from service.guard.passages import PassageMasks
from service.guard.selftest import SelfTest
from service.guard.stream.background import Turns
from service.handlers import add_error_handlers
from service.logs import configure_logs, get_logger
from service.metrics import GUARD_MARKING
from service.middleware import KeepLocal, LimitBody, Observe
from service.routes import chat, documents, feedback, forward, health, page, search
from service.scope import Scope, load_scope
from service.settings import Settings
from service.threads import one_thread_each, processors, rest_of

log = get_logger()
_SWITCH_S = 0.0005


def create_app(settings: Settings | None = None) -> FastAPI:
    """The application. Without an argument, settings come from the environment."""
    settings = settings or Settings()
    engine = open_database(settings.database())
    keys = KeyRing(engine)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[Mapping[str, Any]]:
        async with AsyncExitStack() as stack:
            yield {"touchstone": await _start(settings, keys, stack)}

    app = FastAPI(
        title="Touchstone",
        version="0.1.0",
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        summary="Answers from a company's own documents, with the source of every sentence.",
    )
    for module in (chat, forward, search, documents, feedback, health, page):
        app.include_router(module.router)
    add_error_handlers(app)
    app.add_middleware(
        LimitBody, max_bytes=settings.max_body_bytes, max_upload_bytes=settings.max_upload_bytes
    )
    app.add_middleware(KeepLocal, is_open=lambda _: keys.has_keys)
    app.add_middleware(Observe)
    return app


def worker() -> FastAPI:
    """What each serving process runs: its own logs, and an interpreter that lets the loop in quickly."""
    settings = Settings()
    configure_logs(settings.log_level)
    # Threads that embed and search hold the interpreter for moments; the loop must not wait 5 ms for it.
    sys.setswitchinterval(_SWITCH_S)
    return create_app(settings)


async def _start(settings: Settings, keys: KeyRing, stack: AsyncExitStack) -> State:
    """Open everything; `stack` closes it in the opposite order."""
    scope = load_scope(settings.scope_file)
    engine = keys.engine
    stack.callback(engine.dispose)
    model_threads = ThreadPoolExecutor(1, "model", initializer=one_thread_each)
    database_threads = ThreadPoolExecutor(2, "database")
    for executor in (model_threads, database_threads):
        stack.callback(executor.shutdown)
    await asyncio.get_running_loop().run_in_executor(database_threads, migrate, engine)
    await asyncio.get_running_loop().run_in_executor(database_threads, keys.refresh)

    embedders = _embedders(scope, settings)
    embedder = next(iter(embedders.values()))
    loop = asyncio.get_running_loop()
    # The first question waits behind this in the same thread; nothing else does.
    loop.run_in_executor(model_threads, embedder.warm)
    for config in scope.collections.values():
        loop.run_in_executor(model_threads, guess_language, "Which language is this?", config.languages)
    scrubbers = _scrubbers(scope, settings)
    for scrubber in scrubbers["input"].values():
        # Presidio takes seconds to import; until then a question that may hold personal data waits.
        loop.run_in_executor(database_threads, scrubber.warm)
    models = Embedders(
        {scope.collections[name].embedder: one for name, one in embedders.items()},
        lambda name: load_embedder(name, threads=settings.embed_threads),
        _rerankers(scope),
    )
    live = LiveReleases(settings.data_dir, scope.collections, models)
    stack.callback(live.close)
    live.refresh()
    pairs = await loop.run_in_executor(model_threads, lambda: CrossEncoder(threads=settings.embed_threads))
    loop.run_in_executor(model_threads, pairs.answers, "Is it warm?", ["It is warm now."])
    finder = EvidenceFinder(models, SentenceScorer(), pairs, model_threads)
    session = await stack.enter_async_context(
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0, ttl_dns_cache=60))
    )
    server = OpenAIGenerator(session, _upstream(settings)) if settings.generator_url else None
    generators: dict[str, Generator] = {"extractive": ExtractiveGenerator(embedder)}
    if server:
        generators["openai"] = server
    answers = AnswerLog(engine, database_threads, settings.data_dir / "answer-log-spill")
    answers.start()
    stack.push_async_callback(answers.close)
    secret = _secret(settings)
    signer = FeedbackSigner(secret)
    query_scrubbers = {n: QueryScrubber(s, scrubbers["output"][n]) for n, s in scrubbers["input"].items()}
    library = Library(scope, settings, embedders, live)
    stack.callback(library.close)
    guard_threads = ThreadPoolExecutor(1, "guards", initializer=one_thread_each)
    telling_threads = ThreadPoolExecutor(1, "telling", initializer=one_thread_each)
    for executor in (guard_threads, telling_threads):
        stack.callback(executor.shutdown)
    guard_models = await loop.run_in_executor(guard_threads, _guard_models, scope, settings, embedders, pairs)
    warm = loop.run_in_executor(guard_threads, guard_models.warm)
    turns = Turns(telling_threads, rest=rest_of(processors()))
    guards = _guards(scope, scrubbers, guard_models, (guard_threads, turns), secret, warm)
    self_test = SelfTest()
    _show_marking(settings.data_dir)
    parts = Dependencies(
        scope=scope,
        live=live,
        finder=finder,
        generators=generators,
        guards=guards,
        record=answers.add,
        sign=signer.sign,
        search_text=_search_text(scope, query_scrubbers),
        completer=server,
        canary=canary_of(secret),
        max_question_chars=settings.max_question_chars,
    )
    for watch in (
        live.watch(database_threads, settings.release_poll_s),
        self_test.run(guards),
        keys.watch(database_threads),
    ):
        stack.callback(asyncio.create_task(watch).cancel)
    return State(
        settings=settings,
        scope=scope,
        engine=engine,
        keys=keys,
        live=live,
        finder=finder,
        pipeline=AnswerPipeline(parts),
        generator=server,
        signer=signer,
        pseudonyms=Pseudonyms(secret),
        database_threads=database_threads,
        library=library,
        query_scrubbers=query_scrubbers,
        guards=guards,
        passages=_passages(scope, scrubbers["output"], Digests(secret)),
        self_test=self_test,
    )


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


def _scrubbers(scope: Scope, settings: Settings) -> dict[str, dict[str, Scrubber]]:
    """By zone and collection. Answers are scanned a few words at a time, in which names can't be told."""
    by_zone: dict[str, dict[str, Scrubber]] = {"input": {}, "output": {}}
    for name, config in scope.collections.items():
        pseudonyms = pseudonyms_of(collection_folder(settings.data_dir, name))
        for zone, scrubbers in by_zone.items():
            scrubbers[name] = Scrubber(config.pii, pseudonyms=pseudonyms, with_names=zone == "input")
    return by_zone


def _show_marking(data_dir: Path) -> None:
    """What marking passages did for the model that is served, where it was measured."""
    measured = read_measured(data_dir)
    if measured is None:
        return
    GUARD_MARKING.labels("on").set(measured.success_on)
    GUARD_MARKING.labels("off").set(measured.success_off)
    log.info("marking_measured", model=measured.model, helps=measured.helps, cases=measured.cases)


def _guard_models(
    scope: Scope, settings: Settings, embedders: Mapping[str, Embedder], pairs: CrossEncoder
) -> Models:
    """The heads, on the built-in embedder whichever one the collections use, and the classifiers that policies name."""
    shared = [embedders[name] for name, config in scope.collections.items() if config.embedder == "builtin"]
    embedder = shared[0] if shared else load_embedder("builtin", threads=settings.embed_threads)
    models = Models(embedder, pairs)
    for name in scope.assistants:
        models.preload(scope.policy_of(name))
    return models


def _guards(
    scope: Scope,
    scrubbers: Mapping[str, Mapping[str, Scrubber]],
    models: Models,
    threads: tuple[ThreadPoolExecutor, Turns],
    secret: bytes,
    ready: asyncio.Future[None],
) -> dict[str, AssistantGuards]:
    """The guards of each assistant."""
    return {
        name: AssistantGuards(
            scope.policy_of(name),
            input_scrubber=scrubbers["input"][assistant.collection],
            output_scrubber=scrubbers["output"][assistant.collection],
            models=models,
            executor=threads[0],
            telling=threads[1],
            digests=Digests(secret),
            rules=RULES,
            canary=canary_of(secret),
            ready=ready,
            pii_policy=scope.collections[assistant.collection].one_pii_policy,
        )
        for name, assistant in scope.assistants.items()
    }


def _passages(scope: Scope, scrubbers: Mapping[str, Scrubber], digests: Digests) -> dict[str, PassageMasks]:
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


def _search_text(
    scope: Scope, query_scrubbers: Mapping[str, QueryScrubber]
) -> dict[str, Callable[[str], SearchText]]:
    """What each assistant searches for when it is asked; one without the guard searches for what was said."""
    return {
        name: _as_search_text(query_scrubbers[assistant.collection])
        for name, assistant in scope.assistants.items()
        if scope.policy_of(name).input["pii"].changes_text
    }


def _as_search_text(seeker: QueryScrubber) -> Callable[[str], SearchText]:
    return lambda question: SearchText(*seeker.scrub_query(question))


def _upstream(settings: Settings) -> Upstream:
    key = settings.generator_api_key
    return Upstream(
        base_url=str(settings.generator_url).rstrip("/"),
        model=settings.generator_model,
        api_key=key.get_secret_value() if key else None,
        connect_timeout_s=settings.generator_connect_timeout_s,
        first_token_timeout_s=settings.generator_first_token_timeout_s,
        idle_timeout_s=settings.generator_idle_timeout_s,
        keep_alive_s=settings.keep_alive_s,
        retries=settings.generator_retries,
    )


def _secret(settings: Settings) -> bytes:
    if settings.secret_key is not None:
        return settings.secret_key.get_secret_value().encode()
    return secret_in(settings.data_dir)
