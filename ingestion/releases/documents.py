"""The texts of a release: reads the stores of all its segments and leaves out dead rows."""

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from ingestion.cache import LruCache
from ingestion.corpus import Chunk, Document
from ingestion.index.segment import Entry, Rows, Segment
from ingestion.view import View

_SUMMARY = (
    "facts",
    "json_extract(body, '$.pii_policy')",
    "json_extract(body, '$.superseded_by')",
    "json_extract(body, '$.size_bytes')",
    "length(json_extract(body, '$.text'))",
    "(select count(*) from chunks where document_id = documents.id)",
)
# Of 1 kB each, so that a release holds 4 MB.
_MOST_CHUNKS = 4_000


@dataclass(frozen=True, slots=True)
class DocumentSummary:
    """What a list shows of a document. `size_bytes` is what its source had, `characters` its text as it is indexed."""

    title: str
    source: str
    source_name: str
    language: str
    updated: str | None
    run_id: str
    pii_policy: str
    superseded_by: str | None
    size_bytes: int | None
    characters: int
    chunks: int

    @classmethod
    def of(cls, document: Document, chunks: int) -> "DocumentSummary":
        """Of a document that is at hand."""
        return cls(
            title=document.title,
            source=document.source,
            source_name=document.source_name,
            language=document.language,
            updated=document.updated,
            run_id=document.run_id,
            pii_policy=document.pii_policy,
            superseded_by=document.superseded_by,
            size_bytes=document.size_bytes,
            characters=len(document.text),
            chunks=chunks,
        )


class ReleaseDocuments:
    """Documents and chunks of a release. The newest segment is asked first."""

    def __init__(self, segments: Sequence[Segment], dead: Rows) -> None:
        self._segments = tuple(reversed(segments))
        self._dead = frozenset(dead.tolist())
        # A release never changes, and the passages that answer are read again and again.
        self._chunks: LruCache[int, Chunk] = LruCache(_MOST_CHUNKS)
        self._trust: LruCache[str, tuple[str, str]] = LruCache(_MOST_CHUNKS)

    def chunks(self, rows: Sequence[int]) -> list[Chunk]:
        """The chunks of some rows, in the order asked for."""
        return [self._chunks.get(row, self._chunk) for row in rows]

    def _chunk(self, row: int) -> Chunk:
        return self._of(row).texts.read(row)

    def _of(self, row: int) -> Segment:
        return next(segment for segment in self._segments if segment.has(row))

    def chunk(self, chunk_id: str) -> Chunk | None:
        """A chunk by its id."""
        for segment in self._segments:
            for row in segment.texts.chunk_rows(chunk_id):
                if row not in self._dead:
                    return segment.texts.read(row)
        return None

    def holder(self, document_id: str) -> Segment | None:
        """The segment that holds a document which is alive."""
        found = self._read(document_id)
        return found[0] if found else None

    def _read(self, document_id: str, *columns: str) -> tuple[Segment, tuple[Any, ...]] | None:
        """The segment that holds a document which is alive, and what stands in columns of the documents' table."""
        query = f"select {', '.join(('first_row', *columns))} from documents where id = ?"
        for segment in self._segments:
            found = segment.texts.query(query, (document_id,)).fetchone()
            if found and found[0] not in self._dead:
                return segment, found[1:]
        return None

    def facts(self, document_id: str) -> tuple[str, str, str] | None:
        """Digest, recipe and source of a document, read without its text."""
        found = self._read(document_id, "digest", "recipe", "source_name")
        if found is None:
            return None
        digest, recipe, source_name = found[1]
        return digest, recipe, source_name

    def summary(self, document_id: str) -> DocumentSummary | None:
        """What a list shows of a document, read without its text."""
        found = self._read(document_id, *_SUMMARY)
        if found is None:
            return None
        facts, policy, newer, size_bytes, characters, chunks = found[1]
        known = json.loads(facts)
        return DocumentSummary(
            title=known["title"],
            source=known["source"],
            source_name=known["place"],
            language=known["language"],
            updated=known["updated"],
            run_id=known["run_id"],
            pii_policy=policy or "",
            superseded_by=newer,
            size_bytes=size_bytes,
            characters=characters,
            chunks=chunks,
        )

    def trust(self, document_id: str) -> tuple[str, str]:
        """Source of a document, and how far that is trusted: `high`, `normal` or `low`. Read without its text."""
        return self._trust.get(document_id, self._read_trust)

    def _read_trust(self, document_id: str) -> tuple[str, str]:
        found = self._read(document_id, "source_name", "trust")
        if found is None:
            return "", "low"
        source_name, trust = found[1]
        return source_name, trust

    def entry(self, document_id: str) -> Entry | None:
        """All that is known of a document."""
        segment = self.holder(document_id)
        document = segment.texts.document(document_id) if segment else None
        return segment.entry(document) if segment and document else None

    def document(self, document_id: str) -> Document | None:
        """A document by its id."""
        segment = self.holder(document_id)
        return segment.texts.document(document_id) if segment else None

    def passage(self, document_id: str, start: int, end: int) -> str:
        """Characters `start:end` of a document's text; nothing for an unknown one."""
        segment = self.holder(document_id)
        return segment.texts.passage(document_id, start, end) if segment else ""

    def document_chunks(self, document_id: str) -> list[tuple[int, Chunk]]:
        """Rows and chunks of a document, in reading order."""
        segment = self.holder(document_id)
        if segment is None:
            return []
        return [(row, segment.texts.read(row)) for row in segment.texts.document_rows(document_id)]

    def ids(self, where: str = "1 = 1", values: Sequence[object] = ()) -> Iterator[str]:
        """Ids of the documents for which an SQL condition on the documents' table holds."""
        for segment in self._segments:
            query = f"select first_row, id from documents where {where} order by id"
            for row, document_id in segment.texts.query(query, values):
                if row not in self._dead:
                    yield document_id

    def visible_ids(self, view: View) -> list[str]:
        """Ids of the documents that a view shows, in order."""
        found = [pair for segment in self._segments for pair in segment.document_ids(view)]
        return sorted(document_id for row, document_id in found if row not in self._dead)

    def sources(self) -> set[str]:
        """The sources that documents come from."""
        query = "select distinct source_name from documents"
        return {source_name for segment in self._segments for (source_name,) in segment.texts.query(query)}

    def languages(self) -> Counter[str]:
        """How many documents there are in each language."""
        query = "select first_row, json_extract(facts, '$.language') from documents"
        rows = (row for segment in self._segments for row in segment.texts.query(query))
        return Counter(language for row, language in rows if row not in self._dead)

    def count(self, where: str, values: Sequence[object]) -> int:
        """How many documents satisfy an SQL condition on the documents' table."""
        return sum(1 for _ in self.ids(where, values))

    def all(self) -> Iterator[Document]:
        """Every document, by id."""
        for document_id in sorted(self.ids()):
            document = self.document(document_id)
            if document is not None:
                yield document

    def all_chunks(self) -> Iterator[Chunk]:
        """Every chunk, document by document in the order of ids."""
        for document_id in sorted(self.ids()):
            for _, chunk in self.document_chunks(document_id):
                yield chunk

    def near(self, bands: Sequence[int]) -> Iterator[str]:
        """Documents that share a near-duplicate band."""
        marks = ",".join("?" * len(bands))
        query = (
            "select distinct d.first_row, d.id from bands b join documents d on d.id = b.document_id"
            f" where b.band in ({marks})"
        )
        for segment in self._segments if bands else ():
            for row, document_id in segment.texts.query(query, bands):
                if row not in self._dead:
                    yield document_id
