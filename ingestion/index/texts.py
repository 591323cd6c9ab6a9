"""The texts of a segment: documents and chunks in one read-only SQLite file."""

import json
import sqlite3
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ingestion.atomic import sync, writing
from ingestion.audience import plain_id
from ingestion.cache import LruCache
from ingestion.corpus import Chunk, Document, Flag, Span
from ingestion.errors import ReleaseError

_FILE = "texts.sqlite"
_RECENT_CHUNKS = 10_000
_SCHEMA = """
create table documents (id text primary key, first_row integer not null, digest text not null,
                        source_name text not null, trust text not null, recipe text not null, run_id text not null,
                        expires text not null, content text not null, groups text not null, facts text not null,
                        body text not null) without rowid;
create table chunks (row integer primary key, id text not null, document_id text not null,
                     superseded integer not null, body text not null);
create table bands (band integer not null, document_id text not null, primary key (band, document_id)) without rowid;
create index chunks_document on chunks (document_id, row);
create index chunks_id on chunks (id);
create index documents_content on documents (content);
"""


class SegmentTextsWriter:
    """Writes the file once, in the order of rows."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / _FILE
        with writing(self._path):
            self._db = sqlite3.connect(self._path)
            self._db.executescript(f"pragma journal_mode=off; pragma synchronous=off; {_SCHEMA}")

    def add(self, document: Document, rows: Sequence[tuple[int, Chunk]], bands: Iterable[int]) -> None:
        """Add a document, its chunks with their rows, and its near-duplicate bands. Raises `StateError`."""
        with writing(self._path):
            self._insert(document, rows, bands)

    def _insert(self, document: Document, rows: Sequence[tuple[int, Chunk]], bands: Iterable[int]) -> None:
        self._db.execute(
            "insert into documents values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                document.id,
                rows[0][0],
                document.digest,
                document.source_name,
                str(document.clearance.get("trust", "normal")),
                document.recipe,
                document.run_id,
                str(document.clearance.get("expires") or ""),
                document.content,
                json.dumps(document.groups),
                json.dumps(facts_of(document), ensure_ascii=False),
                dump(document),
            ),
        )
        self._db.executemany(
            "insert into chunks values (?, ?, ?, ?, ?)",
            [(row, c.id, c.document_id, c.superseded, dump(c)) for row, c in rows],
        )
        self._db.executemany(
            "insert or ignore into bands values (?, ?)", [(band, document.id) for band in bands]
        )

    def close(self) -> None:
        """Make the file durable. Raises `StateError`."""
        with writing(self._path):
            self._db.commit()
            self._db.close()
        sync(self._path)

    def abandon(self) -> None:
        """Close the unfinished file."""
        self._db.close()


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except sqlite3.DatabaseError as exc:
        raise ReleaseError(f"The texts of the release are damaged: {exc}.") from exc


class TextRows:
    """What a query finds: SQLite meets a damaged page when it reads it, not when it is asked."""

    def __init__(self, cursor: sqlite3.Cursor) -> None:
        self._cursor = cursor

    def fetchone(self) -> Any:
        """The next row, or None."""
        with _translated():
            return self._cursor.fetchone()

    def __iter__(self) -> Iterator[Any]:
        while (row := self.fetchone()) is not None:
            yield row


class SegmentTexts:
    """Reads the file; one connection a thread."""

    def __init__(self, folder: Path) -> None:
        path = folder / _FILE
        if not path.is_file():
            raise ReleaseError(f"{str(path)!r} is missing.")
        self._uri = f"{path.resolve().as_uri()}?immutable=1"
        self._local = threading.local()
        self._recent: LruCache[int, Chunk] = LruCache(_RECENT_CHUNKS)

    def query(self, statement: str, values: Sequence[object] = ()) -> "TextRows":
        """Run a statement. Raises `ReleaseError` when the file is damaged, also while rows are read."""
        with _translated():
            if not hasattr(self._local, "db"):
                self._local.db = sqlite3.connect(self._uri, uri=True)
            return TextRows(self._local.db.execute(statement, values))

    def read(self, row: int) -> Chunk:
        """The chunk of a row."""
        return self._recent.get(row, self._read)

    def _read(self, row: int) -> Chunk:
        return load_chunk(self.query("select body from chunks where row = ?", (row,)).fetchone()[0])

    def chunk_rows(self, chunk_id: str) -> list[int]:
        """Rows of chunks with an id."""
        return [row for (row,) in self.query("select row from chunks where id = ?", (chunk_id,))]

    def superseded_rows(self) -> list[int]:
        """Rows of documents that a newer version replaces, ascending."""
        return [row for (row,) in self.query("select row from chunks where superseded order by row")]

    def document_rows(self, document_id: str) -> list[int]:
        """Rows of a document's chunks, in reading order."""
        query = "select row from chunks where document_id = ? order by row"
        return [row for (row,) in self.query(query, (document_id,))]

    def document(self, document_id: str) -> Document | None:
        """A document by its id."""
        found = self.query("select body from documents where id = ?", (document_id,)).fetchone()
        return load_document(found[0]) if found else None

    def passage(self, document_id: str, start: int, end: int) -> str:
        """Characters `start:end` of a document's text, read without the rest of the document."""
        query = "select substr(json_extract(body, '$.text'), ?, ?) from documents where id = ?"
        return str(self.query(query, (start + 1, end - start, document_id)).fetchone()[0])

    def bands(self, document_id: str) -> list[int]:
        """The near-duplicate bands of a document."""
        return [b for (b,) in self.query("select band from bands where document_id = ?", (document_id,))]

    def facts(self) -> list[tuple[int, list[str], dict[str, object]]]:
        """First row, groups and facts of every document, in row order."""
        query = "select first_row, groups, facts from documents order by first_row"
        return [(row, json.loads(groups), json.loads(facts)) for row, groups, facts in self.query(query)]

    def ids(self) -> list[str]:
        """The id of every document, in row order."""
        return [i for (i,) in self.query("select id from documents order by first_row")]

    def documents(self) -> Iterator[tuple[int, Document]]:
        """First row and document, in row order."""
        for row, body in self.query("select first_row, body from documents order by first_row"):
            yield row, load_document(body)


def facts_of(document: Document) -> dict[str, object]:
    """What a filter can see of a document: its metadata, and what ingestion knows of it."""
    return {
        **document.metadata,
        "id": plain_id(document.id),
        "title": document.title,
        "source": document.source,
        "language": document.language,
        "updated": document.updated,
        "place": document.source_name,
        "run_id": document.run_id,
        "supplier": document.clearance.get("supplier"),
    }


def dump(value: Document | Chunk) -> str:
    """A value as JSON."""
    return json.dumps(asdict(value), ensure_ascii=False)


def load_chunk(body: str) -> Chunk:
    """A chunk from its JSON."""
    return Chunk(**json.loads(body))


def load_document(body: str) -> Document:
    """A document from its JSON."""
    raw: dict[str, Any] = json.loads(body)
    if "place" in raw:  # what documents written before 0.1 call the source's name
        raw["source_name"] = raw.pop("place")
    spans = tuple(Span(**span) for span in raw.pop("spans"))
    flags = tuple(Flag(**flag) for flag in raw.pop("flags"))
    groups, named = tuple(raw.pop("groups", ())), tuple(raw.pop("named", ()))
    return Document(spans=spans, flags=flags, groups=groups, named=named, **raw)
