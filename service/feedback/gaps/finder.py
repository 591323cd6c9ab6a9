"""Finds the gaps of an assistant: reads the log, embeds questions between answers, groups them in a thread of its own."""

import asyncio
from collections.abc import Mapping
from concurrent.futures import Executor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial

from sqlalchemy import Engine

from ingestion.embed.anchors import ANCHORS
from service.database import WAIT_S
from service.errors import NotFoundError
from service.feedback.gaps.clusters import similar_for
from service.feedback.gaps.decisions import read_decisions
from service.feedback.gaps.gap import Asked, Decision, Gap, Standalone, gaps_of, phrasings_of
from service.feedback.gaps.log import read_asked
from service.feedback.vectors import QuestionVectors
from service.threads import within


@dataclass(frozen=True, slots=True)
class Threads:
    """Where the database is waited for, and where long work is done that waits for nothing."""

    database: Executor
    reading: Executor


class GapFinder:
    """`collections` names the collection of each assistant; `standalone` makes follow-up questions stand alone."""

    def __init__(
        self,
        engine: Engine,
        collections: Mapping[str, str],
        vectors: QuestionVectors,
        threads: Threads,
        standalone: Standalone,
    ) -> None:
        self._engine = engine
        self._collections = dict(collections)
        self._vectors = vectors
        self._threads = threads
        self._standalone = standalone
        # Two at once would take the memory of two.
        self._turn = asyncio.Lock()

    async def find(self, assistant: str, days: int) -> list[Gap]:
        """All gaps of so many days, also those that were dismissed, those that most people ask first."""
        return [gap for gap, _ in await self._find(assistant, days)]

    async def find_one(self, assistant: str, days: int, gap_id: str) -> Gap:
        """The gap that holds the question of an id, whatever the gap is called by now. Raises `NotFoundError`."""
        for gap, ids in await self._find(assistant, days):
            if gap_id in ids:
                return gap
        raise NotFoundError(
            f"There is no gap {gap_id!r} in the last {days} days. Give the `days` that showed it."
        )

    async def _find(self, assistant: str, days: int) -> list[tuple[Gap, frozenset[str]]]:
        since, collection = datetime.now(UTC) - timedelta(days=days), self._collections[assistant]

        def read() -> tuple[list[Asked], list[Decision]]:
            asked = read_asked(self._engine, assistant, since, self._standalone)
            return asked, read_decisions(self._engine, assistant)

        async with self._turn:
            asked, decisions = await within(WAIT_S, self._threads.database, read, "The database")
            phrasings = phrasings_of(asked, decisions)
            vectors = await self._vectors.of(collection, [one.text for one in phrasings])
            similar = similar_for(await self._vectors.of(collection, ANCHORS))
            work = partial(gaps_of, collection, phrasings, vectors, similar=similar)
            return await asyncio.get_running_loop().run_in_executor(self._threads.reading, work)
