"""The texts of a release: documents and chunks in one read-only SQLite file."""

import json
import sqlite3
import threading
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from functools import lru_cache
from pathlib import Path
from typing import Any

from ingestion.corpus import Chunk, Document, Span
from ingestion.errors import ReleaseError

_FILE = "texts.sqlite"
_RECENT_CHUNKS = 10_000
_SCHEMA = """
create table documents (id text primary key, body text not null) without rowid;
create table chunks (row integer primary key, id text not null unique, document_id text not null,
                     superseded integer not null, body text not null);
create index chunks_document on chunks (document_id, row);
"""


class TextWriter:
    """Writes the file once; rows are numbered in the order of the chunks."""

    def __init__(self, folder: Path) -> None:
        self._db = sqlite3.connect(folder / _FILE)
        self._db.executescript(f"pragma journal_mode=off; pragma synchronous=off; {_SCHEMA}")
        self.rows = 0

    def add(self, document: Document, chunks: Sequence[Chunk]) -> None:
        """Add a document and its chunks."""
        self._db.execute("insert into documents values (?, ?)", (document.id, _dump(document)))
        for chunk in chunks:
            self._db.execute(
                "insert into chunks values (?, ?, ?, ?, ?)",
                (self.rows, chunk.id, chunk.document_id, chunk.superseded, _dump(chunk)),
            )
            self.rows += 1

    def close(self) -> None:
        """Make the file durable."""
        self._db.commit()
        self._db.execute("pragma synchronous=full")
        self._db.close()


class TextStore:
    """Reads the file; one connection a thread."""

    def __init__(self, folder: Path) -> None:
        path = folder / _FILE
        if not path.is_file():
            raise ReleaseError(f"{str(path)!r} is missing.")
        self._uri = f"{path.resolve().as_uri()}?immutable=1"
        self._local = threading.local()
        self._recent = lru_cache(maxsize=_RECENT_CHUNKS)(self._read)

    @property
    def _db(self) -> sqlite3.Connection:
        if not hasattr(self._local, "db"):
            self._local.db = sqlite3.connect(self._uri, uri=True)
        db: sqlite3.Connection = self._local.db
        return db

    def chunks(self, rows: Sequence[int]) -> list[Chunk]:
        """The chunks of some rows, in the order asked for."""
        return [self._recent(row) for row in rows]

    def _read(self, row: int) -> Chunk:
        found = self._db.execute("select body from chunks where row = ?", (row,)).fetchone()
        return _chunk(found[0])

    def chunk(self, chunk_id: str) -> Chunk | None:
        """A chunk by its id."""
        found = self._db.execute("select body from chunks where id = ?", (chunk_id,)).fetchone()
        return _chunk(found[0]) if found else None

    def superseded_rows(self) -> list[int]:
        """Rows of documents that a newer version replaces, ascending."""
        try:
            found = self._db.execute("select row from chunks where superseded order by row")
            return [row for (row,) in found]
        except sqlite3.DatabaseError as exc:
            raise ReleaseError(f"The texts of the release are damaged: {exc}.") from exc

    def all_chunks(self) -> Iterator[Chunk]:
        """Every chunk in row order."""
        for (body,) in self._db.execute("select body from chunks order by row"):
            yield _chunk(body)

    def document(self, document_id: str) -> Document | None:
        """A document by its id."""
        query = "select body from documents where id = ?"
        found = self._db.execute(query, (document_id,)).fetchone()
        return _document(found[0]) if found else None

    def document_chunks(self, document_id: str) -> list[tuple[int, Chunk]]:
        """Rows and chunks of a document, in reading order."""
        query = "select row, body from chunks where document_id = ? order by row"
        return [(row, _chunk(body)) for row, body in self._db.execute(query, (document_id,))]

    def documents(self) -> Iterator[Document]:
        """Every document, by id."""
        for (body,) in self._db.execute("select body from documents order by id"):
            yield _document(body)


def _dump(value: Document | Chunk) -> str:
    return json.dumps(asdict(value), ensure_ascii=False)


def _chunk(body: str) -> Chunk:
    return Chunk(**json.loads(body))


def _document(body: str) -> Document:
    raw: dict[str, Any] = json.loads(body)
    spans: Iterable[dict[str, Any]] = raw.pop("spans")
    return Document(spans=tuple(Span(**span) for span in spans), **raw)
