"""What is served: releases, embedders and documents."""

import asyncio
from collections.abc import Mapping
from concurrent.futures import Executor
from contextlib import AsyncExitStack
from dataclasses import dataclass

from ingestion.embed import Embedder, load_embedder
from ingestion.search.rerank import Reranker, load_reranker
from ingestion.text.language import guess_language
from service.answer.calibrations import Calibrations, load_calibrations
from service.corpus.documents import Library
from service.corpus.embedders import Embedders
from service.corpus.live import LiveReleases
from service.opening.storage import Storage, aside, threads_in
from service.scope import Scope
from service.settings import Settings
from service.threads import one_thread_each


@dataclass(frozen=True, slots=True)
class Corpus:
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


async def open_corpus(scope: Scope, settings: Settings, storage: Storage, stack: AsyncExitStack) -> Corpus:
    threads = threads_in(1, "model", stack, one_thread_each)
    embedders = await aside(threads, _embedders, scope, settings)
    calibrations = load_calibrations()
    calibrations.check(scope, embedders)
    models = Embedders(
        {scope.collections[name].embedder: one for name, one in embedders.items()},
        lambda name: load_embedder(name, threads=settings.embed_threads),
        await aside(threads, _rerankers, scope),
    )
    live = await aside(storage.reading, LiveReleases, settings.data_dir, scope.collections, models)
    stack.callback(live.close)
    await aside(storage.reading, live.refresh)
    library = Library(scope, settings, embedders, live)
    stack.callback(library.close)
    corpus = Corpus(calibrations, embedders, models, live, library, threads)
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
