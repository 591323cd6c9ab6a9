"""The curated answers in memory: no question waits for the database to learn that there is one for it.

`watch` keeps it fresh. An exact match is a look into a dictionary; a near one takes the vector that retrieval makes of the
question anyway, and then the words of both questions must agree (`phrasing.py`). Knows no pipeline.
"""

import asyncio
from collections import defaultdict
from collections.abc import Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
from sqlalchemy import Engine

from ingestion.embed import Vectors
from ingestion.embed.anchors import ANCHORS, scale_of
from ingestion.view import may_see
from service.feedback.curated.answer import Curated, CuratedMatch
from service.feedback.curated.phrasing import Matter, is_same, matter, normalised
from service.feedback.curated.store import Stamp, read_all, read_stamp
from service.feedback.vectors import QuestionVectors
from service.logs import get_logger

log = get_logger()
_REFRESH_S = 2.0
# The words decide; the vector may only say no. Chosen on half of banking77's intents with the built-in embedder: `touchstone
# evals run gaps`.
LEAST_COSINE = 0.8
# As long as a curated question may be; longer ones say more than one thing.
_LONGEST_CHARS = 400
# Phrasings that are nearer than the right one and not the same: questions that differ in a word.
_MOST_CANDIDATES = 20


@dataclass(frozen=True, slots=True)
class Shelf:
    """The curated answers of one assistant. `vectors` are those of the `phrasings`, made by the embedder `digest`, by which
    questions of the same matter have a cosine of `least`."""

    exact: Mapping[str, tuple[Curated, ...]]
    phrasings: tuple[tuple[Curated, Matter], ...]
    vectors: Vectors
    digest: str
    least: float = LEAST_COSINE


def shelf_of(
    answers: Sequence[Curated], vectors: Mapping[str, Vectors], digest: str, least: float = LEAST_COSINE
) -> Shelf:
    """A shelf of answers; phrasings without a vector match exactly alone.

    Of several answers to one question, that for certain groups comes before that for everybody, then the newest.
    """
    exact: dict[str, tuple[Curated, ...]] = {}
    near: list[tuple[Curated, Matter]] = []
    rows: list[Vectors] = []
    for one in sorted(answers, key=lambda one: (not one.text.groups, -one.changed_at.timestamp())):
        for phrasing in one.text.phrasings:
            key = normalised(phrasing)
            exact[key] = (*exact.get(key, ()), one)
            if phrasing in vectors:
                near.append((one, matter(phrasing)))
                rows.append(vectors[phrasing])
    return Shelf(exact, tuple(near), np.stack(rows) if rows else np.empty((0, 0), np.float32), digest, least)


@dataclass(frozen=True, slots=True)
class Lookup:
    """What of a shelf one asker may be shown at a moment. `groups` None stands for all of them."""

    shelf: Shelf
    groups: frozenset[str] | None
    now: datetime

    def exact(self, question: str) -> CuratedMatch | None:
        """The answer to a question that is spelled like one of the shelf's."""
        if len(question) > _LONGEST_CHARS:
            return None
        found = self.shelf.exact.get(normalised(question), ())
        shown = next((one for one in found if self._is_shown(one)), None)
        return CuratedMatch(shown, "exact", 1.0) if shown else None

    def near(self, question: str, vector: Vectors, digest: str) -> CuratedMatch | None:
        """The answer to a question of the same matter; `vector` is the question's, by the embedder `digest`."""
        shelf = self.shelf
        if not shelf.phrasings or shelf.digest != digest or len(question) > _LONGEST_CHARS:
            return None
        cosines = shelf.vectors @ vector
        close = np.flatnonzero(cosines >= shelf.least)
        if not close.size:
            return None
        asked = matter(question)
        for place in close[np.argsort(-cosines[close], kind="stable")][:_MOST_CANDIDATES].tolist():
            one, phrasing = shelf.phrasings[place]
            if self._is_shown(one) and is_same(asked, phrasing):
                return CuratedMatch(one, "near", round(float(cosines[place]), 4))
        return None

    def _is_shown(self, one: Curated) -> bool:
        return may_see(self.groups, one.text.groups) and one.text.is_valid(self.now)


class CuratedBook:
    """All shelves. `collections` names the collection of each assistant, whose embedder reads its questions."""

    def __init__(self, engine: Engine, collections: Mapping[str, str], vectors: QuestionVectors) -> None:
        self._engine = engine
        self._collections = dict(collections)
        self._vectors = vectors
        self._answers: dict[str, list[Curated]] = {}
        self._rows: dict[str, dict[str, Vectors]] = {}
        self._least: dict[str, float] = {}
        self._shelves: dict[str, Shelf] = {}
        self._stamp: Stamp | None = None
        self._is_embedded = True
        self._turn = asyncio.Lock()

    def lookup(self, assistant: str, groups: frozenset[str] | None) -> Lookup | None:
        """What an asker may be shown now; None where an assistant has no curated answer."""
        shelf = self._shelves.get(assistant)
        return Lookup(shelf, groups, datetime.now(UTC)) if shelf else None

    def find(self, name: str) -> Curated | None:
        """One that answers, by the name under which it is cited."""
        return next((one for mine in self._answers.values() for one in mine if one.name == name), None)

    async def refresh(self, database: Executor) -> None:
        """Read what has changed; it is found exactly at once, and nearly as soon as there are vectors."""
        async with self._turn:
            await self.read(database)
            if not self._is_embedded:
                await self._embed()

    async def read(self, database: Executor) -> None:
        """Read what has changed, without new vectors."""
        loop = asyncio.get_running_loop()
        stamp = await loop.run_in_executor(database, read_stamp, self._engine)
        if stamp == self._stamp:
            return
        answers: dict[str, list[Curated]] = defaultdict(list)
        for one in await loop.run_in_executor(database, read_all, self._engine):
            if one.text.assistant in self._collections:
                answers[one.text.assistant].append(one)
        self._answers, self._stamp, self._is_embedded = dict(answers), stamp, False
        self._show()

    async def _embed(self) -> None:
        rows: dict[str, dict[str, Vectors]] = {}
        for name, mine in self._answers.items():
            texts = list(dict.fromkeys(phrasing for one in mine for phrasing in one.text.phrasings))
            vectors = await self._vectors.of(self._collections[name], texts)
            rows[name] = dict(zip(texts, vectors, strict=True))
            anchors = await self._vectors.of(self._collections[name], ANCHORS)
            self._least[name] = scale_of(anchors).of_builtin(LEAST_COSINE)
        self._rows, self._is_embedded = rows, True
        self._show()

    def _show(self) -> None:
        self._shelves = {
            name: shelf_of(
                mine,
                self._rows.get(name, {}),
                self._vectors.digest(self._collections[name]),
                self._least.get(name, LEAST_COSINE),
            )
            for name, mine in self._answers.items()
        }

    async def watch(self, database: Executor, interval_s: float = _REFRESH_S) -> None:
        """Refresh for ever; while the database is away, what was read last stays."""
        while True:
            try:
                await self.refresh(database)
            except Exception as exc:  # noqa: BLE001 - a watch that dies would keep a retired answer in use
                log.warning("curated_not_refreshed", error=type(exc).__name__)
            await asyncio.sleep(interval_s)
