"""The SQLite file behind what a collection remembers: opened, brought to today's schema, written in transactions."""

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ingestion.errors import StateError

_SCHEMA = """
create table if not exists facts (name text primary key, value text not null) without rowid;
create table if not exists outcomes (id text primary key, digest text not null, source_name text not null, recipe text not null,
    kind text not null, detail text not null) without rowid;
create table if not exists quarantine (document_id text not null, content text not null, state text not null,
    flags text not null, entry text not null, at text not null, run_id text not null, decided_by text not null,
    decided_at text not null, primary key (document_id, content)) without rowid;
create table if not exists lessons (source_name text not null, rule text not null, approvals integer not null,
    primary key (source_name, rule)) without rowid;
create table if not exists boilerplate (source_name text not null, key text not null,
    primary key (source_name, key)) without rowid;
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
# Files written before 0.1 call the source's name `place` in these tables.
_RENAMED = ("outcomes", "seen", "validators", "staged")


class Database:
    """One file, open in one thread of each process that uses it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        with self._translated():
            self._db = sqlite3.connect(path, timeout=30, isolation_level=None, check_same_thread=False)
            self._db.executescript(
                "pragma journal_mode=wal; pragma synchronous=normal; pragma secure_delete=on"
            )
        if self._old_tables():
            self._rename()
        with self._translated():
            self._db.executescript(_SCHEMA)

    def close(self) -> None:
        """Let go of the file."""
        self._db.close()

    def compact(self) -> None:
        """Write the file anew without what was deleted, and empty its log."""
        with self._translated():
            self._db.execute("vacuum")
            self._db.execute("pragma wal_checkpoint(truncate)")

    def _old_tables(self) -> list[str]:
        return [
            table
            for table in _RENAMED
            if self.rows("select 1 from pragma_table_info(?) where name = 'place'", (table,))
        ]

    def _rename(self) -> None:
        with self.batch():
            # Asked again: another process may have opened the file in the meantime.
            for table in self._old_tables():
                self.execute(f"alter table {table} rename column place to source_name")

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
        """Everything within is kept, or nothing is. Nobody else can write until it ends, so keep it short."""
        with self._translated():
            self._db.execute("begin immediate")
            try:
                yield
            except BaseException:
                self._db.execute("rollback")
                raise
            self._db.execute("commit")

    def rows(self, statement: str, values: Sequence[object] = ()) -> list[Any]:
        """All rows of a query."""
        with self._translated():
            return self._db.execute(statement, values).fetchall()

    def execute(self, statement: str, values: Sequence[object] = ()) -> int:
        """Change something; how many rows it concerned."""
        with self._translated():
            return self._db.execute(statement, values).rowcount

    def execute_many(self, statement: str, values: Iterable[Sequence[object]]) -> None:
        """Change something once for each tuple of values."""
        with self._translated():
            self._db.executemany(statement, values)
