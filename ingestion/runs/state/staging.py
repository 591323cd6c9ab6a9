"""A run in progress: what it has met, what waits for work, and what is staged for the next release."""

import json
import pickle
from collections.abc import Iterator, Sequence

import numpy as np

from ingestion.corpus import Source
from ingestion.embed.values import Embeddings, pack_codes, unpack_codes
from ingestion.index.segment import Entry, Vectors
from ingestion.index.texts import dump, load_chunk, load_document
from ingestion.runs.state.database import Database


class Staging:
    """Survives a kill: what is staged with its vectors is not made again."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def resume(self, key: str) -> bool:
        """Go on with what is staged if it was made under the same key; else forget it. Whether it went on."""
        found = self._db.rows("select value from facts where name = 'staging'")
        is_same = bool(found) and found[0][0] == key
        if not is_same:
            self.clear()
            with self._db.batch():
                self._db.execute("insert into facts values ('staging', ?)", (key,))
        with self._db.batch():
            self._db.execute("delete from seen")
            self._db.execute("delete from waiting")
            # What was admitted and not embedded is prepared once more.
            for (document_id,) in self._db.rows("select id from staged where vectors is null"):
                self.unstage(document_id)
        return is_same

    def clear(self) -> None:
        """Forget what is staged."""
        with self._db.batch():
            for table in ("staged", "staged_chunks", "staged_bands", "seen", "waiting"):
                self._db.execute(f"delete from {table}")
            self._db.execute("delete from facts where name = 'staging'")

    # What the run has met.

    def see(self, document_id: str, source_name: str) -> str | None:
        """Note that a source still has a document; the source that was seen to have it already, if any.

        Call it within a batch.
        """
        found = self._db.rows("select source_name from seen where id = ?", (document_id,))
        if found:
            return str(found[0][0])
        self._db.execute("insert into seen values (?, ?)", (document_id, source_name))
        return None

    def has_seen(self, document_id: str) -> bool:
        """Whether this run met a document."""
        return bool(self._db.rows("select 1 from seen where id = ?", (document_id,)))

    def sources_seen(self) -> set[str]:
        """The sources of what this run met."""
        return {source_name for (source_name,) in self._db.rows("select distinct source_name from seen")}

    # What waits for work.

    def queue(self, source: Source) -> None:
        """Put a source down for work. Call it within a batch."""
        self._db.execute("insert into waiting (source) values (?)", (pickle.dumps(source),))

    def queued(self) -> Iterator[Source]:
        """The sources that wait for work, in the order they came."""
        number = 0
        while found := self._db.rows(
            "select number, source from waiting where number > ? order by number limit 1", (number,)
        ):
            number = found[0][0]
            source: Source = pickle.loads(found[0][1])
            yield source

    def sample(self, least: int, most: int, *, largest_bytes: int) -> Iterator[tuple[str, list[Source]]]:
        """By name, sources of which at least `least` documents wait: `most` of these, spread over all, without large ones."""
        numbers: dict[str, list[int]] = {}
        query = "select number, source from waiting where number > ? order by number limit 1"
        number = 0
        while found := self._db.rows(query, (number,)):
            number = found[0][0]
            source: Source = pickle.loads(found[0][1])
            if source.size_bytes <= largest_bytes:
                numbers.setdefault(source.source_name, []).append(number)
        for source_name, waiting in numbers.items():
            if len(waiting) >= least:
                chosen = waiting[:: max(1, len(waiting) // most)][:most]
                rows = [self._db.rows("select source from waiting where number = ?", (n,))[0] for n in chosen]
                yield source_name, [pickle.loads(blob) for (blob,) in rows]

    # What is staged.

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
        self._db.execute_many(
            "insert into staged_chunks values (?, ?, ?)",
            [(document.id, chunk.ordinal, dump(chunk)) for chunk in entry.chunks],
        )
        self._db.execute_many(
            "insert or ignore into staged_bands values (?, ?)", [(band, document.id) for band in entry.bands]
        )

    def finish(self, document_id: str, embedded: Embeddings) -> None:
        """Give a staged document its vectors and codes. Call it within a batch."""
        blob = embedded.vectors.astype(np.float32).tobytes()
        values = (blob, pack_codes(embedded.codes), embedded.vectors.shape[1], document_id)
        self._db.execute("update staged set vectors = ?, codes = ?, dimension = ? where id = ?", values)

    def unstage(self, document_id: str) -> None:
        """Forget a staged document. Call it within a batch."""
        self._db.execute("delete from staged where id = ?", (document_id,))
        for table in ("staged_chunks", "staged_bands"):
            self._db.execute(f"delete from {table} where document_id = ?", (document_id,))

    def holds(self, document_id: str) -> bool:
        """Whether a document is staged, finished or not."""
        return bool(self._db.rows("select 1 from staged where id = ?", (document_id,)))

    def finished(self, document_id: str) -> tuple[str, str] | None:
        """Digest and recipe of a document that is staged with all its vectors."""
        query = "select digest, recipe from staged where id = ? and vectors is not null"
        found = self._db.rows(query, (document_id,))
        return (str(found[0][0]), str(found[0][1])) if found else None

    def ids(self) -> Iterator[str]:
        """Ids of finished entries."""
        for (document_id,) in self._db.rows("select id from staged where vectors is not null order by id"):
            yield document_id

    def count(self) -> int:
        """How many entries are finished."""
        return int(self._db.rows("select count(*) from staged where vectors is not null")[0][0])

    def entries(self) -> Iterator[Entry]:
        """Finished entries, by id, one at a time. Their rows are not yet given."""
        for document_id in self.ids():
            entry = self.entry(document_id)
            if entry is not None:
                yield entry

    def entry(self, document_id: str) -> Entry | None:
        """One staged entry."""
        found = self._db.rows(
            "select body, bands, dimension, vectors, codes from staged where id = ?", (document_id,)
        )
        if not found:
            return None
        body, bands, dimension, blob, codes = found[0]
        chunks = self._db.rows(
            "select body from staged_chunks where document_id = ? order by ordinal", (document_id,)
        )
        vectors: Vectors = np.frombuffer(blob or b"", dtype=np.float32).reshape(-1, dimension or 1)
        loaded = tuple(load_chunk(chunk) for (chunk,) in chunks)
        rows = tuple(range(len(loaded)))
        known = unpack_codes(codes or b"")
        return Entry(load_document(body), loaded, rows, vectors, tuple(json.loads(bands)), known)

    # What of it belongs together.

    def like(self, content: str, bands: Sequence[int]) -> list[str]:
        """Staged documents with the same text, then those that share a band."""
        same = self._db.rows("select id from staged where content = ? order by id", (content,))
        marks = ",".join("?" * len(bands))
        near = self._db.rows(
            f"select distinct document_id from staged_bands where band in ({marks}) order by 1", bands
        )
        return list(dict.fromkeys(i for (i,) in [*same, *near]))

    def beginnings(self, least: int) -> Iterator[tuple[str, list[str]]]:
        """With what at least `least` staged documents of one source begin, and these documents."""
        query = (
            "select beginning, source_name from staged where beginning <> ''"
            " group by beginning, source_name having count(*) >= ? order by 1, 2"
        )
        of_source = "select id from staged where beginning = ? and source_name = ? order by id"
        for text, source_name in self._db.rows(query, (least,)):
            yield text, [document_id for (document_id,) in self._db.rows(of_source, (text, source_name))]

    def by_source(self) -> dict[str, list[str]]:
        """Ids of staged documents by source."""
        found: dict[str, list[str]] = {}
        for source_name, document_id in self._db.rows("select source_name, id from staged order by id"):
            found.setdefault(source_name, []).append(document_id)
        return found
