"""The book answers who may get it, while it holds, and knows within moments what was written; an old word stays without a database."""

import asyncio
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import Engine, text

from ingestion.embed import Embedder
from service.database import migrate, open_database
from service.feedback.curated import store
from service.feedback.curated.answer import Curated, CuratedText
from service.feedback.curated.book import CuratedBook, Lookup, Shelf, shelf_of
from service.feedback.vectors import QuestionVectors

NOW = datetime(2026, 1, 2, 12, tzinfo=UTC)
QUESTION = "Do you rent electric bikes?"


def curated(name: str, question: str = QUESTION, *, age_h: int = 0, **changes: object) -> Curated:
    written = replace(CuratedText("support", question, f"Answer {name}.", "en"), **changes)  # type: ignore[arg-type]
    at = NOW - timedelta(hours=age_h)
    return Curated(name, written, 1, at, "me", at, "me")


def shelf(embedder: Embedder, *answers: Curated) -> Shelf:
    texts = [phrasing for one in answers for phrasing in one.text.phrasings]
    vectors = dict(zip(texts, embedder.embed(texts), strict=True))
    return shelf_of(answers, vectors, embedder.digest)


def near(embedder: Embedder, lookup: Lookup, question: str) -> str | None:
    found = lookup.near(question, embedder.embed([question])[0], embedder.digest)
    return found.curated.id if found else None


def test_a_question_in_other_words_gets_the_answer_and_one_that_differs_does_not(embedder: Embedder) -> None:
    plus = curated("plus", "What does Plus cost?", alternatives=("How much do I pay for Plus each month?",))
    lookup = Lookup(shelf(embedder, plus), None, NOW)
    assert near(embedder, lookup, "Could you tell me what Plus costs?") == "plus"
    assert near(embedder, lookup, "how much do i pay for plus each month") == "plus"
    for other in (
        "What does Premium cost?",
        "What does Plus not cost?",
        "Why does Plus cost?",
        "What does Plus 2 cost?",
    ):
        assert near(embedder, lookup, other) is None


def test_who_may_not_see_it_and_when_it_does_not_hold_it_is_not_there(embedder: Embedder) -> None:
    staff = curated("staff", groups=("staff",))
    past = curated("past", valid_until=NOW)
    ahead = curated("ahead", valid_from=NOW + timedelta(seconds=1))
    found = shelf(embedder, staff, past, ahead)
    for groups in (frozenset[str](), frozenset({"legal"})):
        lookup = Lookup(found, groups, NOW)
        assert lookup.exact(QUESTION) is None
        assert near(embedder, lookup, QUESTION) is None
    for groups in (frozenset({"staff"}), None):
        assert near(embedder, Lookup(found, groups, NOW), QUESTION) == "staff"
    later = Lookup(found, frozenset(), NOW + timedelta(seconds=1)).exact(QUESTION)
    assert later is not None
    assert later.curated.id == "ahead"


def test_that_for_certain_groups_comes_first_then_the_newest(embedder: Embedder) -> None:
    found = shelf(
        embedder, curated("old", age_h=2), curated("new"), curated("staff", age_h=9, groups=("staff",))
    )
    for groups, wanted in ((frozenset({"staff"}), "staff"), (frozenset[str](), "new")):
        match = Lookup(found, groups, NOW).exact("do you rent ELECTRIC bikes")
        assert match is not None
        assert match.curated.id == wanted
        assert near(embedder, Lookup(found, groups, NOW), QUESTION) == wanted


def test_how_near_is_near_is_the_embedders(embedder: Embedder) -> None:
    plus, asked = curated("plus", "What does Plus cost?"), "Could you tell me what Plus costs?"
    vectors = {"What does Plus cost?": embedder.embed(["What does Plus cost?"])[0]}
    for least, found in ((0.8, "plus"), (0.999, None)):
        lookup = Lookup(shelf_of([plus], vectors, embedder.digest, least), None, NOW)
        assert near(embedder, lookup, asked) == found


def test_vectors_of_another_embedder_are_not_compared(embedder: Embedder) -> None:
    lookup = Lookup(shelf(embedder, curated("one")), None, NOW)
    assert lookup.near(QUESTION, np.ones(3, np.float32), "another") is None


def test_a_miss_costs_less_than_a_tenth_of_a_millisecond_among_a_thousand(embedder: Embedder) -> None:
    answers = [curated(str(i), f"Where is the {i}th lamp of the garden?") for i in range(1_000)]
    vectors = np.random.default_rng(1).normal(size=(1_000, embedder.dimension)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    rows = {one.text.question: vectors[i] for i, one in enumerate(answers)}
    lookup = Lookup(shelf_of(answers, rows, embedder.digest), frozenset(), NOW)
    vector, spent = embedder.embed(["How do I return a kettle?"])[0], []
    for _ in range(300):
        begun = time.perf_counter()
        assert lookup.exact("How do I return a kettle?") is None
        assert lookup.near("How do I return a kettle?", vector, embedder.digest) is None
        spent.append(time.perf_counter() - begun)
    # The median, since other processes share the cores.
    assert sorted(spent)[150] < 1e-4


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    made = open_database(f"sqlite:///{tmp_path / 'db'}")
    migrate(made)
    yield made
    made.dispose()


@pytest.fixture
def threads() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(1) as executor:
        yield executor


async def test_what_is_written_is_found_and_what_is_retired_is_not(
    engine: Engine, threads: ThreadPoolExecutor, embedder: Embedder
) -> None:
    book = CuratedBook(engine, {"support": "help"}, QuestionVectors({"help": embedder}, threads))
    await book.refresh(threads)
    assert book.lookup("support", None) is None
    store.put(engine, "one", curated("one").text, by="me")
    await book.read(threads)
    lookup = book.lookup("support", None)
    assert lookup is not None
    assert lookup.exact(QUESTION) is not None, "exactly before there are vectors"
    await book.refresh(threads)
    lookup = book.lookup("support", None)
    assert lookup is not None
    assert near(embedder, lookup, QUESTION) == "one"
    changed = replace(curated("one").text, answer="Another.")
    _, is_there = store.put(engine, "one", changed, by="me")
    await book.refresh(threads)
    found = book.find("curated:one")
    assert is_there
    assert found is not None
    assert (found.text.answer, found.version) == ("Another.", 2)
    store.retire(engine, "one", by="me")
    await book.refresh(threads)
    assert book.lookup("support", None) is None


async def test_an_assistant_that_the_scope_no_longer_has_is_left_out(
    engine: Engine, threads: ThreadPoolExecutor, embedder: Embedder
) -> None:
    store.put(engine, "one", replace(curated("one").text, assistant="gone"), by="me")
    book = CuratedBook(engine, {"support": "help"}, QuestionVectors({"help": embedder}, threads))
    await book.refresh(threads)
    assert book.find("curated:one") is None


async def test_without_a_database_the_last_word_stays(
    engine: Engine, threads: ThreadPoolExecutor, embedder: Embedder
) -> None:
    store.put(engine, "one", curated("one").text, by="me")
    book = CuratedBook(engine, {"support": "help"}, QuestionVectors({"help": embedder}, threads))
    await book.refresh(threads)
    with engine.begin() as connection:
        connection.execute(text("alter table curated_answers rename to elsewhere"))
    watching = asyncio.create_task(book.watch(threads, 0.01))
    await asyncio.sleep(0.1)
    lookup = book.lookup("support", None)
    assert lookup is not None
    assert lookup.exact(QUESTION) is not None
    with engine.begin() as connection:
        connection.execute(text("alter table elsewhere rename to curated_answers"))
    store.retire(engine, "one", by="me")
    while book.lookup("support", None) is not None:
        await asyncio.sleep(0.01)
    watching.cancel()
