"""The application: a table of contents. Everything is made here, at start, and nowhere else."""

import asyncio
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

from fastapi import FastAPI
from fastapi.middleware.cors import CORSMiddleware

from ingestion.atomic import keep_private
from ingestion.settings import load_settings
from service.answer.arms import ArmWatch
from service.auth import KeyRing
from service.database import open_database
from service.deps import State
from service.experiments.book import ExperimentBook
from service.experiments.canary import CanaryWatch
from service.experiments.reports import Reports
from service.feedback.tokens import Pseudonyms
from service.handlers import add_error_handlers
from service.listen import end_with_the_supervisor
from service.logs import configure_logs
from service.middleware import KeepLocal, LimitBody, LimitUploads, Observe, cors
from service.openapi import described
from service.opening.answers import open_answers
from service.opening.corpus import open_corpus
from service.opening.feedback import open_curation, open_feedback
from service.opening.guards import open_guards
from service.opening.storage import aside, open_storage, threads_in
from service.patience import Drain, Patience, Stopping
from service.routes import (
    chat,
    console,
    curated,
    document_list,
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
    results,
    search,
)
from service.scope import load_scope
from service.settings import Settings
from service.start import SayWhy, leave_out_echo
from service.threads import one_thread_each

_SWITCH_S = 0.0005
_UPLOADS = 8  # of the largest, that may wait in memory together


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
    experiment_routes = (experiments, results, console)
    rest = (*experiment_routes, *feedback_routes, health, page)
    for module in (chat, responses, forward, search, documents, document_list, *rest):
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
    end_with_the_supervisor()
    # Threads that embed and search hold the interpreter for moments; the loop must not wait 5 ms for it.
    sys.setswitchinterval(_SWITCH_S)
    return create_app(settings)


async def _start(settings: Settings, keys: KeyRing, stopping: Stopping, stack: AsyncExitStack) -> State:
    """Open everything; `stack` closes it in the opposite order."""
    scope = load_scope(settings.scope_file)
    storage = await open_storage(settings, keys, stack)
    corpus = await open_corpus(scope, settings, storage, stack)
    guarding = await open_guards(scope, settings, storage, corpus, stack)
    book = ExperimentBook(scope, Pseudonyms(storage.secret).of)
    await aside(storage.threads, book.refresh, storage.engine)
    curation = await open_curation(scope, storage, corpus)
    answering = await open_answers(scope, settings, storage, corpus, guarding, book, curation, stack)
    watching = threads_in(1, "experiments", stack)
    for watch in (
        book.watch(storage.engine, watching),
        curation.book.watch(storage.threads),
        answering.pipeline.shadows.run(),
        ArmWatch(scope, answering.generators, book, storage.engine, watching).run(),
        CanaryWatch(book, storage.engine, watching).run(),
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
        reports=Reports(storage.engine, scope, threads_in(1, "reports", stack, one_thread_each)),
        curated=curation.book,
        gaps=curation.gaps,
        feedback=open_feedback(scope, storage, guarding, stack),
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
