"""The guards of every assistant, and what is masked outside of answers."""

import asyncio
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass

from ingestion.embed import Embedder, load_embedder
from ingestion.scrub import Scrubber
from service.guard.build import AssistantGuards, policies_of
from service.guard.chain import Digests
from service.guard.checks.leak import canary_of
from service.guard.checks.pii import QueryScrubber
from service.guard.marking import show_measured
from service.guard.models.cross_encoder import CrossEncoder
from service.guard.models.tier import Models
from service.guard.passages import PassageMasks
from service.guard.selftest import SelfTest
from service.guard.stream.background import BackgroundQueue
from service.opening.corpus import Corpus
from service.opening.masks import scrubbers_of
from service.opening.storage import Storage, aside, threads_in
from service.scope import Scope
from service.settings import Settings
from service.threads import one_thread_each, processors, rest_of

# A piece of advisory work takes 10 to 100 ms, and an answer waits for its last one no longer than a quarter of a second.
_ADVISORY_A_CORE = 2
Scrubbers = Mapping[str, Scrubber]


@dataclass(frozen=True, slots=True)
class Guarding:
    """The guards of each assistant, and by collection what is searched for and shown."""

    assistants: Mapping[str, AssistantGuards]
    query_scrubbers: Mapping[str, QueryScrubber]
    passages: Mapping[str, PassageMasks]
    cross_encoder: CrossEncoder
    self_test: SelfTest


async def open_guards(
    scope: Scope, settings: Settings, storage: Storage, corpus: Corpus, stack: AsyncExitStack
) -> Guarding:
    loop = asyncio.get_running_loop()
    typed, written = (
        scrubbers_of(scope, settings, with_names=True),
        scrubbers_of(scope, settings, with_names=False),
    )
    for scrubber in typed.values():
        # Presidio takes seconds to import; until then a question that may hold personal data waits.
        loop.run_in_executor(storage.reading, scrubber.warm)
    cross_encoder = await aside(corpus.threads, lambda: CrossEncoder(threads=1))
    loop.run_in_executor(corpus.threads, cross_encoder.answers, "Is it warm?", ["It is warm now."])
    threads = threads_in(1, "guards", stack, one_thread_each)
    cores = processors()
    queue = BackgroundQueue(
        threads_in(1, "advisory", stack, one_thread_each), limit=_ADVISORY_A_CORE * cores, rest=rest_of(cores)
    )
    models = await aside(threads, _guard_models, scope, settings, corpus.embedders, cross_encoder)
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
    return Guarding(
        assistants, query_scrubbers, _passages(scope, written, digests), cross_encoder, SelfTest()
    )


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
