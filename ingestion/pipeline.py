"""The order of ingestion: discover, read, clean, scrub, chunk, embed, release. Nothing else knows it."""

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Protocol
from uuid import uuid4

import numpy as np
import numpy.typing as npt
from filelock import FileLock, Timeout

from ingestion.chunk import chunk_document
from ingestion.clean import clean_blocks, clean_text
from ingestion.collection import CollectionConfig
from ingestion.corpus import Block, Chunk, Document, Reading, Source, Span
from ingestion.embed import Embedder
from ingestion.errors import CollectionBusyError, ReleaseError, SourceError
from ingestion.language import guess_language
from ingestion.load import read
from ingestion.load.folder import discover, fetch
from ingestion.release import (
    Content,
    Manifest,
    Release,
    activate,
    active_id,
    build_release,
    collection_folder,
    open_active,
    prune,
    write_atomically,
)
from ingestion.scrub import Scrubber

# Raise it when a stage changes what it makes of the same bytes: all documents are then made anew.
PIPELINE_VERSION = 1
_EMBED_AT_ONCE = 64


class Progress(Protocol):
    """Told of every finished piece of work."""

    def begin(self, stage: str, total: int, unit: str) -> None:
        """A stage with `total` units begins."""
        ...

    def advance(self, count: int) -> None:
        """Some units are done."""
        ...


@dataclass(frozen=True, slots=True)
class RunReport:
    """What a run did. Counts of personal data by type, never the values."""

    run_id: str
    collection: str
    release_id: str
    changed: bool
    started_at: str
    took_s: float
    documents: int
    chunks: int
    reused_documents: int
    embedded_chunks: int
    pii: Mapping[str, int] = field(default_factory=dict)
    failures: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Made:
    """A document with its chunks; `reused` when the active release already held it."""

    document: Document
    chunks: Sequence[Chunk]
    reused: bool


def recipe_digest(config: CollectionConfig, embedder: Embedder) -> str:
    """Of everything but the sources that shapes a release."""
    parts = {
        "pipeline": PIPELINE_VERSION,
        "config": config.model_dump(mode="json", exclude={"sources"}),
        "embedder": embedder.digest,
        "presidio": version("presidio-analyzer"),
    }
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def run(
    places: Iterable[Path],
    *,
    collection: str,
    config: CollectionConfig,
    embedder: Embedder,
    data_dir: Path,
    progress: Progress,
) -> RunReport:
    """Bring a collection in step with its sources and activate the release that results.

    Unchanged documents keep their chunks and vectors. A file that can't be read is reported and
    keeps its last good version out of the release; it is tried again at every run. When nothing
    changed, nothing is written. Raises `CollectionBusyError` while another process is writing, and
    `SourceError` when a place does not exist or no document is left.
    """
    folder = collection_folder(data_dir, collection)
    folder.mkdir(parents=True, exist_ok=True)
    started = datetime.now(UTC)
    try:
        with FileLock(folder / "write.lock", timeout=0):
            job = _Job(collection, config, embedder, folder, progress)
            outcome = job.run(list(places))
    except Timeout as exc:
        raise CollectionBusyError(
            f"Another process is writing the collection {collection!r}. Wait until it has finished."
        ) from exc
    report = replace(
        outcome,
        run_id=f"{started:%Y%m%dT%H%M%S}-{uuid4().hex[:8]}",
        started_at=started.isoformat(),
        took_s=round((datetime.now(UTC) - started).total_seconds(), 3),
    )
    if report.changed or report.failures:
        runs = folder / "runs"
        runs.mkdir(exist_ok=True)
        write_atomically(runs / f"{report.run_id}.json", json.dumps(asdict(report), indent=1))
    return report


class _Job:
    """One run over one collection, with the lock held."""

    def __init__(
        self,
        collection: str,
        config: CollectionConfig,
        embedder: Embedder,
        folder: Path,
        progress: Progress,
    ) -> None:
        self._collection = collection
        self._config = config
        self._embedder = embedder
        self._folder = folder
        self._progress = progress
        self._recipe = recipe_digest(config, embedder)
        self._scrubber = Scrubber(config.pii.entities, allow=config.pii.allow, regions=config.pii.regions)

    def run(self, places: Sequence[Path]) -> RunReport:
        sources = {source.id: source for place in places for source in discover(place)}
        previous = self._previous()
        known = {d.id: d for d in previous.texts.documents()} if previous else {}
        failures: dict[str, str] = {}
        made = list(self._documents(list(sources.values()), previous, known, failures))
        if not any(one.chunks for one in made):
            where = ", ".join(str(place) for place in places)
            raise SourceError(f"No text was found in {where!r}, so no release was made. {_first(failures)}")
        same = previous is not None and all(one.reused for one in made) and len(made) == len(known)
        if same and previous is not None:
            return self._report(previous.manifest, made, failures, embedded=0, changed=False)
        manifest, embedded = self._release(made, previous)
        return self._report(manifest, made, failures, embedded=embedded, changed=True)

    def _previous(self) -> Release | None:
        """The active release, if it can be read and was made by the same embedder."""
        if active_id(self._folder) is None:
            return None
        try:
            release = open_active(self._folder)
        except ReleaseError:
            return None
        return release if release.manifest.embedder_digest == self._embedder.digest else None

    def _documents(
        self,
        sources: Sequence[Source],
        previous: Release | None,
        known: Mapping[str, Document],
        failures: dict[str, str],
    ) -> Iterator[Made]:
        self._progress.begin("read", len(sources), "doc")
        is_same_recipe = previous is not None and previous.manifest.recipe == self._recipe
        for source in sources:
            old = known.get(source.id)
            if previous and old and is_same_recipe and old.digest == source.digest:
                chunks = [chunk for _, chunk in previous.texts.document_chunks(old.id)]
                yield Made(old, chunks, reused=True)
            else:
                try:
                    yield self._make(source)
                except SourceError as exc:
                    failures[source.id] = str(exc)
            self._progress.advance(1)

    def _make(self, source: Source) -> Made:
        reading = _read(source)
        counts: Counter[str] = Counter()

        def scrub(text: str) -> str:
            scrubbed = self._scrubber.scrub(text)
            counts.update(scrubbed.counts)
            return scrubbed.text

        blocks = [replace(b, text=scrub(b.text)) for b in clean_blocks(reading.blocks)]
        if not blocks:
            raise SourceError("No text was found in it.")
        text, spans = assemble(blocks)
        language = reading.language or guess_language(text, self._config.languages)
        document = Document(
            id=source.id,
            title=scrub(clean_text(reading.title)).replace("\n", " "),
            source=source.id,
            digest=source.digest,
            language=language,
            text=text,
            spans=spans,
            updated=reading.updated,
            superseded_by=reading.superseded_by,
            pii=dict(counts),
        )
        chunks = chunk_document(
            document, max_tokens=self._config.chunk_tokens, count=self._embedder.count_tokens
        )
        return Made(document, chunks, reused=False)

    def _release(self, made: Sequence[Made], previous: Release | None) -> tuple[Manifest, int]:
        chunks = [chunk for one in made for chunk in one.chunks]
        vectors, embedded = self._vectors(chunks, previous)
        content = Content([(one.document, one.chunks) for one in made], vectors)
        manifest = build_release(
            self._folder,
            self._collection,
            content,
            recipe=self._recipe,
            embedder=(self._embedder.name, self._embedder.digest),
        )
        activate(self._folder, manifest.id)
        prune(self._folder)
        return manifest, embedded

    def _vectors(
        self, chunks: Sequence[Chunk], previous: Release | None
    ) -> tuple[npt.NDArray[np.float32], int]:
        """A vector a chunk; those whose text the previous release held are copied from it."""
        vectors = np.empty((len(chunks), self._embedder.dimension), dtype=np.float32)
        old: dict[str, int] = {}
        if previous:
            old = {c.embedded_text: row for row, c in enumerate(previous.texts.all_chunks())}
        missing = []
        for position, chunk in enumerate(chunks):
            row = old.get(chunk.embedded_text)
            if previous is None or row is None:
                missing.append(position)
            else:
                vectors[position] = previous.dense.vectors()[row]
        self._progress.begin("embed", len(missing), "chunk")
        for begin in range(0, len(missing), _EMBED_AT_ONCE):
            batch = missing[begin : begin + _EMBED_AT_ONCE]
            vectors[batch] = self._embedder.embed([chunks[i].embedded_text for i in batch])
            self._progress.advance(len(batch))
        return vectors, len(missing)

    def _report(
        self,
        manifest: Manifest,
        made: Sequence[Made],
        failures: Mapping[str, str],
        *,
        embedded: int,
        changed: bool,
    ) -> RunReport:
        pii: Counter[str] = Counter()
        for one in made:
            pii.update(one.document.pii)
        return RunReport(
            run_id="",
            collection=self._collection,
            release_id=manifest.id,
            changed=changed,
            started_at="",
            took_s=0.0,
            documents=manifest.documents,
            chunks=manifest.chunks,
            reused_documents=sum(one.reused for one in made),
            embedded_chunks=embedded,
            pii=dict(sorted(pii.items())),
            failures=dict(failures),
        )


def _read(source: Source) -> Reading:
    try:
        return read(fetch(source), source.id)
    except SourceError:
        raise
    except Exception as exc:
        raise SourceError(f"The reader failed on it: {type(exc).__name__}: {exc}.") from exc


def assemble(blocks: Sequence[Block]) -> tuple[str, tuple[Span, ...]]:
    """The document's text and where each block lies in it. Rows and items follow line by line."""
    parts: list[str] = []
    spans: list[Span] = []
    position = 0
    for index, block in enumerate(blocks):
        if index:
            tight = block.kind in ("row", "item") and blocks[index - 1].kind == block.kind
            gap = "\n" if tight else "\n\n"
            parts.append(gap)
            position += len(gap)
        spans.append(Span(block.kind, position, position + len(block.text), block.level, block.page))
        parts.append(block.text)
        position += len(block.text)
    return "".join(parts), tuple(spans)


def _first(failures: Mapping[str, str]) -> str:
    return next((f"{name}: {reason}" for name, reason in failures.items()), "")
