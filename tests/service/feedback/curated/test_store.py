"""Hits are those of the answer log, and outlive it; a retired answer can come back."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine, text

from service.answer.erasure import clear_quoting, delete_older
from service.answer.record import insert_rows
from service.answer.spill import SPILL, Spill
from service.database import migrate, open_database
from service.errors import NotFoundError
from service.feedback.curated import store
from service.feedback.curated.answer import CuratedSource, CuratedText
from tests.service.answer.test_record import a_row

TEXT = CuratedText(
    "support",
    "Do you rent bikes?",
    "Yes.",
    "en",
    alternatives=("Are there bikes to rent?",),
    sources=(CuratedSource("Bikes", "bikes.md", digest="d"), CuratedSource("Page", url="https://x.example")),
    groups=("staff",),
    valid_from=datetime(2026, 1, 1, tzinfo=UTC),
)


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    made = open_database(f"sqlite:///{tmp_path / 'db'}")
    migrate(made)
    yield made
    made.dispose()


def given(number: int, days: int = 0, **changes: object) -> dict[str, object]:
    """The record of an answer that was given with the curated answer `one`."""
    citations = [{"chunk_id": None, "document_id": "curated:one", "quote": "Yes."}]
    return a_row(
        **{
            "id": f"a{number}",
            "created_at": datetime.now(UTC) - timedelta(days=days),
            "outcome": "answered",
            "answer": "Yes. [1]",
            "reason": "curated",
            "generator": "curated:one",
            "stage": None,
            "citations": citations,
            **changes,
        }
    )


def test_what_is_read_is_what_was_written(engine: Engine) -> None:
    written, is_there = store.put(engine, "one", TEXT, by="me")
    assert not is_there
    assert (written.text, written.version, written.created_by) == (TEXT, 1, "me")
    assert store.read_one(engine, "one") == written
    assert store.read_all(engine) == [written]


def test_every_change_changes_the_stamp_and_nothing_else_does(engine: Engine) -> None:
    stamps = [store.read_stamp(engine)]
    store.put(engine, "one", TEXT, by="me")
    stamps.append(store.read_stamp(engine))
    store.put(engine, "one", replace(TEXT, answer="No."), by="me")
    stamps.append(store.read_stamp(engine))
    store.retire(engine, "one", by="me")
    stamps.append(store.read_stamp(engine))
    assert len(set(stamps)) == 4
    assert store.read_stamp(engine) == stamps[-1]


def test_a_retired_answer_is_kept_and_can_come_back(engine: Engine) -> None:
    store.put(engine, "one", TEXT, by="me")
    store.retire(engine, "one", by="you")
    assert store.read_all(engine) == []
    with pytest.raises(NotFoundError):
        store.retire(engine, "one", by="you")
    pages = [store.read_page(engine, "support", after="", limit=9, with_retired=on) for on in (True, False)]
    assert [len(page) for page in pages] == [1, 0]
    _, is_there = store.put(engine, "one", TEXT, by="me")
    assert is_there
    assert len(store.read_all(engine)) == 1


def test_hits_are_counted_from_the_log_and_outlive_it(engine: Engine) -> None:
    written, _ = store.put(engine, "one", TEXT, by="me")
    unseen = given(9, stage="unseen")
    other = given(8, reason=None, generator="extractive")
    insert_rows(engine, [given(1), given(2, days=40), given(3, days=50), unseen, other])
    assert store.hits_of(engine, [written]) == {"one": 3}
    assert delete_older(engine, datetime.now(UTC) - timedelta(days=30)) == 2
    assert store.hits_of(engine, [written]) == {"one": 3}
    insert_rows(engine, [given(4)])
    assert store.hits_of(engine, [written]) == {"one": 4}


def test_an_answer_that_quotes_a_curated_one_stands_as_long_as_that_does(
    engine: Engine, tmp_path: Path
) -> None:
    store.put(engine, "one", TEXT, by="me")
    insert_rows(engine, [given(1)])
    spill = Spill(tmp_path / SPILL)
    assert clear_quoting(engine, spill, lambda collection, chunk_id: False) == 0
    store.retire(engine, "one", by="me")
    assert clear_quoting(engine, spill, lambda collection, chunk_id: False) == 1


def test_hits_are_counted_by_their_index(engine: Engine) -> None:
    query = "select generator, count(*) from answers where reason = 'curated' and generator in ('a') group by generator"
    with engine.connect() as connection:
        plan = " ".join(str(row) for row in connection.execute(text(f"explain query plan {query}")))
    assert "answers_curated" in plan
