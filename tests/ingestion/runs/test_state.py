"""What a collection remembers: files of the last version open, and one writer doesn't see half of another's work."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from ingestion.corpus import Source
from ingestion.errors import StateError
from ingestion.runs.state import Outcome, RunState

# As the version before wrote it: the source's name is called `place`, in columns and in documents.
OLD_SCHEMA = """
create table facts (name text primary key, value text not null) without rowid;
create table outcomes (id text primary key, digest text not null, place text not null, recipe text not null,
    kind text not null, detail text not null) without rowid;
create table quarantine (document_id text not null, content text not null, state text not null,
    flags text not null, entry text not null, at text not null, run_id text not null, decided_by text not null,
    decided_at text not null, primary key (document_id, content)) without rowid;
create table seen (id text primary key, place text not null) without rowid;
create table waiting (number integer primary key, source blob not null);
create table validators (id text primary key, place text not null, validator text not null,
    digest text not null) without rowid;
create table staged (id text primary key, digest text not null, recipe text not null, content text not null,
    place text not null, beginning text not null, body text not null, bands text not null, dimension integer not null,
    vectors blob, codes blob) without rowid;
create table staged_chunks (document_id text not null, ordinal integer not null, body text not null,
    primary key (document_id, ordinal)) without rowid;
create table staged_bands (band integer not null, document_id text not null,
    primary key (band, document_id)) without rowid;
create index staged_content on staged (content);
create index staged_beginning on staged (beginning);
"""


def old_document(name: str) -> str:
    body = {
        "id": name,
        "title": name,
        "source": name,
        "digest": "d",
        "language": "en",
        "text": "Words.",
        "spans": [],
    }
    return json.dumps({**body, "flags": [], "place": "docs", "groups": ["staff"], "clearance": {}, "metadata": {}})  # fmt: skip


def old_chunk(name: str) -> str:
    chunk = {"id": f"{name}-0", "document_id": name, "ordinal": 0, "text": "Words.", "start": 0, "end": 6}
    return json.dumps({**chunk, "title": name, "source": name, "language": "en"})


def write_old(folder: Path) -> None:
    vectors = np.ones((1, 4), np.float32).tobytes()
    held = json.dumps({"document": old_document("held"), "chunks": [old_chunk("held")], "bands": [1]})
    with closing(sqlite3.connect(folder / "ledger.sqlite")) as db:
        db.executescript(OLD_SCHEMA)
        db.execute("insert into facts values ('staging', 'key')")
        db.execute("insert into outcomes values ('bad', 'd', 'docs', 'r', 'failed', 'It is empty.')")
        db.execute("insert into validators values ('page', 'site', '\"tag\"', 'd')")
        db.execute("insert into seen values ('old', 'docs')")
        row = ("new", "d", "r", "c", "docs", "", old_document("new"), "[1]", 4, vectors, b"")
        db.execute("insert into staged values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", row)
        db.execute("insert into staged_chunks values ('new', 0, ?)", (old_chunk("new"),))
        row = ("held", "c", "waiting", "[]", held, "2026-01-01", "run", "", "")
        db.execute("insert into quarantine values (?, ?, ?, ?, ?, ?, ?, ?, ?)", row)
        db.commit()


def test_a_file_of_the_last_version_opens_with_all_that_it_remembers(tmp_path: Path) -> None:
    write_old(tmp_path)
    for _ in range(2):
        state = RunState(tmp_path)
        assert state.outcomes.of("docs") == {"bad": Outcome("failed", "It is empty.", "d", "r")}
        assert state.outcomes.validators("site") == {"page": ('"tag"', "d")}
        assert state.staging.by_source() == {"docs": ["new"]}
        entry = state.staging.entry("new")
        assert entry
        assert (entry.document.source_name, entry.document.groups) == ("docs", ("staff",))
        assert entry.vectors.shape == (1, 4)
        (held,) = state.quarantine.held()
        assert (held.document_id, held.source_name) == ("held", "docs")
        waiting = state.quarantine.entry("held")
        assert waiting
        assert waiting.document.source_name == "docs"
        assert state.staging.resume("key"), "a run that was interrupted before the upgrade goes on"
        with state.batch():
            assert state.staging.see("old", "more") is None
            assert state.staging.see("old", "docs") == "more"
        state.close()


def test_a_batch_is_kept_whole_or_not_at_all(tmp_path: Path) -> None:
    state, other = RunState(tmp_path), RunState(tmp_path)

    def fail() -> None:
        with state.batch():
            state.staging.queue(Source("a", "a.md", "d", 1))
            state.outcomes.note("b", "docs", Outcome("failed", "x", "d", "r"))
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert list(other.staging.queued()) == []
    assert other.outcomes.get("b") is None
    with state.batch():
        state.staging.queue(Source("a", "a.md", "d", 1))
    assert [source.id for source in other.staging.queued()] == ["a"]
    state.close()
    other.close()


def test_a_file_that_is_no_database_is_named(tmp_path: Path) -> None:
    (tmp_path / "ledger.sqlite").write_text("no database at all, but long enough to be looked at" * 40)
    with pytest.raises(StateError, match=r"ledger\.sqlite"):
        RunState(tmp_path)
