"""What a collection remembers besides its releases: failures, copies, quarantine, and a run in progress.

One SQLite file in the collection's folder. A run commits what it has finished, vectors included, in small
transactions, so a killed run loses at most the batch in hand and the next one goes on from there.
"""

import json
import pickle
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import numpy as np

from ingestion.corpus import Chunk, Document, Flag, Source
from ingestion.embed.values import Embeddings, pack_codes, unpack_codes
from ingestion.errors import StateError
from ingestion.index.segment import Entry, Vectors
from ingestion.index.texts import dump, load_chunk, load_document

Decision = Literal["waiting", "approved", "rejected"]
_SCHEMA = """
create table if not exists facts (name text primary key, value text not null) without rowid;
create table if not exists outcomes (id text primary key, digest text not null, source_name text not null, recipe text not null,
    kind text not null, detail text not null) without rowid;
create table if not exists quarantine (document_id text not null, content text not null, state text not null,
    flags text not null, entry text not null, at text not null, run_id text not null, decided_by text not null,
    decided_at text not null, primary key (document_id, content)) without rowid;
create table if not exists seen (id text primary key, source_name text not null) without rowid;
create table if not exists waiting (number integer primary key, source blob not null);
create table if not exists validators (id text primary key, source_name text not null, validator text not null,
    digest text not null) without rowid;
create table if not exists staged (id text primary key, digest text not null, recipe text not null, content text not null,
    source_name text not null, beginning text not null, body text not null, bands text not null, dimension integer not null,
    vectors blob, codes blob) without rowid;
create table if not exists staged_chunks (document_id text not null, ordinal integer not null, body text not null,
    primary key (document_id, ordinal)) without rowid;
create table if not exists staged_bands (band integer not null, document_id text not null,
    primary key (band, document_id)) without rowid;
create index if not exists staged_content on staged (content);
create index if not exists staged_beginning on staged (beginning);
"""


@dataclass(frozen=True, slots=True)
class Outcome:
    """Why a document of a source is not in the index: `failed`, `refused`, `blocked`, `copy` or `held`."""

    kind: str
    detail: str
    digest: str
    recipe: str


@dataclass(frozen=True, slots=True)
class QuarantinedDocument:
    """A document in quarantine."""

    document_id: str
    content: str
    state: Decision
    flags: tuple[Flag, ...]
    title: str
    source_name: str
    at: str
    run_id: str
    decided_by: str
    decided_at: str
    groups: tuple[str, ...] = ()


class RunState:
    """Open for one process at a time in one thread; several processes may have it open."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._path = folder / "ledger.sqlite"
        with self._translated():
            self._db = sqlite3.connect(self._path, timeout=30, isolation_level=None, check_same_thread=False)
            self._db.executescript(f"pragma journal_mode=wal; pragma synchronous=normal; {_SCHEMA}")

    def close(self) -> None:
        """Let go of the file."""
        self._db.close()

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as exc:
            raise StateError(
                f"The ledger {str(self._path)!r} cannot be used: {exc}. Check the disk's space and rights."
            ) from exc

    @contextmanager
    def batch(self) -> Iterator[None]:
        """Everything within is kept, or nothing is."""
        with self._translated():
            self._db.execute("begin immediate")
            try:
                yield
            except BaseException:
                self._db.execute("rollback")
                raise
            self._db.execute("commit")

    def _rows(self, statement: str, values: Sequence[object] = ()) -> list[Any]:
        with self._translated():
            return self._db.execute(statement, values).fetchall()

    # A run in progress.

    def resume(self, key: str) -> bool:
        """Go on with what is staged if it was made under the same key; else forget it. Whether it went on."""
        found = self._rows("select value from facts where name = 'staging'")
        is_same = bool(found) and found[0][0] == key
        if not is_same:
            self.clear()
            with self.batch():
                self._db.execute("insert into facts values ('staging', ?)", (key,))
        with self.batch():
            self._db.execute("delete from seen")
            self._db.execute("delete from waiting")
            # What was admitted and not embedded is prepared once more.
            for (document_id,) in self._rows("select id from staged where vectors is null"):
                self.unstage(document_id)
        return is_same

    def clear(self) -> None:
        """Forget what is staged."""
        with self.batch():
            for table in ("staged", "staged_chunks", "staged_bands", "seen", "waiting"):
                self._db.execute(f"delete from {table}")
            self._db.execute("delete from facts where name = 'staging'")

    def see(self, document_id: str, source_name: str) -> str | None:
        """Note that a source still has a document; the source that was seen to have it already, if any.

        Call it within a batch.
        """
        found = self._rows("select source_name from seen where id = ?", (document_id,))
        if found:
            return str(found[0][0])
        self._db.execute("insert into seen values (?, ?)", (document_id, source_name))
        return None

    def has_seen(self, document_id: str) -> bool:
        """Whether this run met a document."""
        return bool(self._rows("select 1 from seen where id = ?", (document_id,)))

    def sources_seen(self) -> set[str]:
        """The sources of what this run met."""
        return {source_name for (source_name,) in self._rows("select distinct source_name from seen")}

    def is_staged(self, document_id: str) -> bool:
        """Whether a document is staged, finished or not."""
        return bool(self._rows("select 1 from staged where id = ?", (document_id,)))

    def queue(self, source: Source) -> None:
        """Put a source down for work. Call it within a batch."""
        self._db.execute("insert into waiting (source) values (?)", (pickle.dumps(source),))

    def queued(self) -> Iterator[Source]:
        """The sources that wait for work, in the order they came."""
        number = 0
        while found := self._rows(
            "select number, source from waiting where number > ? order by number limit 1", (number,)
        ):
            number = found[0][0]
            source: Source = pickle.loads(found[0][1])
            if source.facts.get("validator"):
                values = (source.id, source.source_name, source.facts["validator"], source.digest)
                self._db.execute("insert or replace into validators values (?, ?, ?, ?)", values)
            yield source

    def validators(self, source_name: str) -> dict[str, tuple[str, str]]:
        """What pages of a source said of themselves the last time, and their digests."""
        rows = self._rows(
            "select id, validator, digest from validators where source_name = ?", (source_name,)
        )
        return {document_id: (validator, digest) for document_id, validator, digest in rows}

    def staged_digest(self, document_id: str) -> tuple[str, str] | None:
        """Digest and recipe of a document that is staged with all its vectors."""
        query = "select digest, recipe from staged where id = ? and vectors is not null"
        found = self._rows(query, (document_id,))
        return (str(found[0][0]), str(found[0][1])) if found else None

    def finish(self, document_id: str, embedded: Embeddings) -> None:
        """Give a staged document its vectors and codes. Call it within a batch."""
        blob = embedded.vectors.astype(np.float32).tobytes()
        values = (blob, pack_codes(embedded.codes), embedded.vectors.shape[1], document_id)
        self._db.execute("update staged set vectors = ?, codes = ?, dimension = ? where id = ?", values)

    def staged_ids(self) -> Iterator[str]:
        """Ids of finished entries."""
        for (document_id,) in self._rows("select id from staged where vectors is not null order by id"):
            yield document_id

    def staged_count(self) -> int:
        """How many entries are finished."""
        return int(self._rows("select count(*) from staged where vectors is not null")[0][0])

    def stage(self, entry: Entry, beginning: str) -> None:
        """Stage an entry. Call it within a batch. One without vectors isn't finished."""
        document = entry.document
        self.unstage(document.id)
        blob = entry.vectors.astype(np.float32).tobytes() if len(entry.vectors) else None
        self._db.execute(
            "insert into staged values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                document.id,
                document.digest,
                document.recipe,
                document.content,
                document.source_name,
                beginning,
                dump(document),
                json.dumps(entry.bands),
                entry.vectors.shape[1] if len(entry.vectors) else 0,
                blob,
                pack_codes(entry.codes),
            ),
        )
        self._db.executemany(
            "insert into staged_chunks values (?, ?, ?)",
            [(document.id, chunk.ordinal, dump(chunk)) for chunk in entry.chunks],
        )
        self._db.executemany(
            "insert or ignore into staged_bands values (?, ?)", [(band, document.id) for band in entry.bands]
        )

    def unstage(self, document_id: str) -> None:
        """Forget a staged document."""
        self._db.execute("delete from staged where id = ?", (document_id,))
        for table in ("staged_chunks", "staged_bands"):
            self._db.execute(f"delete from {table} where document_id = ?", (document_id,))

    def staged(self) -> Iterator[Entry]:
        """Finished entries, by id, one at a time. Their rows are not yet given."""
        for document_id in self.staged_ids():
            entry = self.staged_entry(document_id)
            if entry is not None:
                yield entry

    def staged_entry(self, document_id: str) -> Entry | None:
        """One staged entry."""
        found = self._rows(
            "select body, bands, dimension, vectors, codes from staged where id = ?", (document_id,)
        )
        if not found:
            return None
        body, bands, dimension, blob, codes = found[0]
        chunks = self._rows(
            "select body from staged_chunks where document_id = ? order by ordinal", (document_id,)
        )
        vectors: Vectors = np.frombuffer(blob or b"", dtype=np.float32).reshape(-1, dimension or 1)
        loaded = tuple(load_chunk(chunk) for (chunk,) in chunks)
        rows = tuple(range(len(loaded)))
        known = unpack_codes(codes or b"")
        return Entry(load_document(body), loaded, rows, vectors, tuple(json.loads(bands)), known)

    def staged_like(self, content: str, bands: Sequence[int]) -> list[str]:
        """Staged documents with the same text, then those that share a band."""
        same = self._rows("select id from staged where content = ? order by id", (content,))
        marks = ",".join("?" * len(bands))
        near = self._rows(
            f"select distinct document_id from staged_bands where band in ({marks}) order by 1", bands
        )
        return list(dict.fromkeys(i for (i,) in [*same, *near]))

    def staged_beginnings(self, least: int) -> Iterator[list[str]]:
        """Groups of at least `least` staged documents that begin alike."""
        query = "select beginning from staged where beginning <> '' group by beginning having count(*) >= ?"
        for (text,) in self._rows(query, (least,)):
            yield [i for (i,) in self._rows("select id from staged where beginning = ? order by id", (text,))]

    def staged_by_source(self) -> dict[str, list[str]]:
        """Ids of staged documents by source."""
        found: dict[str, list[str]] = {}
        for source_name, document_id in self._rows("select source_name, id from staged order by id"):
            found.setdefault(source_name, []).append(document_id)
        return found

    # What became of documents that are not in the index.

    def outcome(self, document_id: str) -> Outcome | None:
        """What became of a document the last time."""
        query = "select kind, detail, digest, recipe from outcomes where id = ?"
        found = self._rows(query, (document_id,))
        return Outcome(*found[0]) if found else None

    def note(self, document_id: str, source_name: str, outcome: Outcome) -> None:
        """Remember what became of a document. Call it within a batch, or pay for one."""
        self._db.execute(
            "insert or replace into outcomes values (?, ?, ?, ?, ?, ?)",
            (document_id, outcome.digest, source_name, outcome.recipe, outcome.kind, outcome.detail),
        )

    def settle(self, document_id: str) -> None:
        """Forget what became of a document: it is in the index now, or gone."""
        self._db.execute("delete from outcomes where id = ?", (document_id,))

    def outcomes(self, source_name: str | None = None) -> dict[str, Outcome]:
        """All outcomes, or those of a source, by document."""
        query = "select id, kind, detail, digest, recipe from outcomes"
        where, values = (" where source_name = ?", (source_name,)) if source_name is not None else ("", ())
        rows = self._rows(f"{query}{where} order by id", values)
        return {i: Outcome(kind, detail, digest, recipe) for i, kind, detail, digest, recipe in rows}

    # Quarantine.

    def hold(self, entry: Entry, flags: Iterable[Flag], run_id: str) -> None:
        """Put a document into quarantine. Call it within a batch."""
        document = entry.document
        body = json.dumps(
            {"document": dump(document), "chunks": [dump(c) for c in entry.chunks], "bands": entry.bands}
        )
        self._db.execute(
            "insert or replace into quarantine values (?, ?, 'waiting', ?, ?, ?, ?, '', '')",
            (
                document.id,
                document.content,
                json.dumps([asdict(flag) for flag in flags]),
                body,
                datetime.now(UTC).isoformat(),
                run_id,
            ),
        )

    def decision(self, document_id: str, content: str) -> Decision | None:
        """What was decided of this very text; None when it was never held."""
        query = "select state from quarantine where document_id = ? and content = ?"
        found = self._rows(query, (document_id, content))
        state: Decision | None = found[0][0] if found else None
        return state

    def is_approved(self, document_id: str) -> bool:
        """Whether a text of a document was approved that isn't in the index yet."""
        query = "select 1 from quarantine where document_id = ? and state = 'approved'"
        return bool(self._rows(query, (document_id,)))

    def held(self, state: Decision | None = "waiting") -> list[QuarantinedDocument]:
        """Documents in quarantine, the oldest first."""
        query = "select document_id, content, state, flags, entry, at, run_id, decided_by, decided_at from quarantine"
        where, values = (" where state = ?", (state,)) if state else ("", ())
        found = []
        for row in self._rows(f"{query}{where} order by at, document_id", values):
            document = load_document(json.loads(row[4])["document"])
            flags = tuple(Flag(**flag) for flag in json.loads(row[3]))
            name, content, stands, _, _, at, run_id, by, decided_at = row
            held = (
                name,
                content,
                stands,
                flags,
                document.title,
                document.source_name,
                at,
                run_id,
                by,
                decided_at,
            )
            found.append(QuarantinedDocument(*held, document.groups))
        return found

    def held_entry(self, document_id: str) -> Entry | None:
        """The latest text of a document that waits in quarantine, without vectors."""
        query = "select entry from quarantine where document_id = ? and state = 'waiting' order by at desc limit 1"
        found = self._rows(query, (document_id,))
        if not found:
            return None
        raw = json.loads(found[0][0])
        chunks: tuple[Chunk, ...] = tuple(load_chunk(chunk) for chunk in raw["chunks"])
        document: Document = load_document(raw["document"])
        return Entry(
            document, chunks, tuple(range(len(chunks))), np.empty((0, 0), np.float32), tuple(raw["bands"])
        )

    def decide(self, document_id: str, state: Decision, by: str) -> bool:
        """Approve or reject every waiting text of a document; whether there was one."""
        with self.batch():
            done = self._db.execute(
                "update quarantine set state = ?, decided_by = ?, decided_at = ?"
                " where document_id = ? and state = 'waiting'",
                (state, by, datetime.now(UTC).isoformat(), document_id),
            )
        return done.rowcount > 0

    def forget(self, document_id: str) -> None:
        """Remove every trace of a document."""
        with self.batch():
            self.unstage(document_id)
            self.settle(document_id)
            self._db.execute("delete from quarantine where document_id = ?", (document_id,))
