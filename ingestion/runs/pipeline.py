"""The order of ingestion: discover, prepare, admit, embed, screen together, release. Nothing else knows it."""

import json
import shutil
import time
from collections import Counter, defaultdict, deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Protocol
from uuid import uuid4

import numpy as np
from filelock import FileLock, Timeout

from ingestion.atomic import write_atomically
from ingestion.config import SourceConfig
from ingestion.corpus import Source
from ingestion.embed import Embedder, Embeddings, EncodedQuestion
from ingestion.embed.values import NO_CODES, Codes
from ingestion.errors import CollectionBusyError, ReleaseError, SourceError
from ingestion.index.segment import Entry, Vectors
from ingestion.load.discover import discover
from ingestion.prepare.preparer import Plan, PreparedDocument, recipe_of
from ingestion.releases.build import Change
from ingestion.releases.release import Release, active_id, open_active
from ingestion.runs.admission import Admission
from ingestion.runs.collection import Collection
from ingestion.runs.publish import publish
from ingestion.runs.report import RunReport, TokenTally
from ingestion.runs.state import Outcome, RunState
from ingestion.runs.workers import Failure, InlineWorkers, Workers, texts_of

_EMBED_AT_ONCE = 64
_MIN_FREE_BYTES = 64 * 1024 * 1024
_WRITE_WAIT_S = 600.0
_CURRENT = "current-run.json"
_SAY_EVERY = 20
# Vector and token codes by text.
Known = dict[str, tuple[Vectors, Codes]]


class Progress(Protocol):
    """Told of every finished piece of work."""

    def begin(self, stage: str, total: int, unit: str) -> None:
        """A stage with `total` units begins."""
        ...

    def advance(self, count: int) -> None:
        """Some units are done."""
        ...


class NoProgress:
    """Tells nobody: for programs and tests."""

    def begin(self, stage: str, total: int, unit: str) -> None:
        """Nothing."""

    def advance(self, count: int) -> None:
        """Nothing."""


def run(
    collection: Collection,
    sources: Iterable[Path | str | SourceConfig] | None = None,
    *,
    progress: Progress | None = None,
    workers: Workers | None = None,
) -> RunReport:
    """Bring a collection in step with sources, or with all that it declares, and activate the release that results.

    Unchanged documents keep their chunks and vectors. What can't be read is reported, keeps its last good
    version, and is tried again when it changes. When nothing changed, nothing is written. A run that was
    killed is taken up where it stopped. Raises `CollectionBusyError` while another run is going on, and
    `SourceError` when a source can't be reached or is suddenly empty.
    """
    collection.folder.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(collection.folder / "run.lock", timeout=0):
            workers = workers or InlineWorkers(collection.embedder)
            return _Job(collection, progress or NoProgress(), workers).run(sources)
    except Timeout as exc:
        raise CollectionBusyError(
            f"Another run is writing the collection {collection.name!r}. Wait until it has finished."
        ) from exc


class _Job:
    """One run over one collection, with the lock held."""

    def __init__(self, collection: Collection, progress: Progress, workers: Workers) -> None:
        self._collection = collection
        self._progress = progress
        self._workers = workers
        self._started = datetime.now(UTC)
        self._clock = time.perf_counter()
        self.run_id = f"{self._started:%Y%m%dT%H%M%S}-{uuid4().hex[:8]}"
        self._state = RunState(collection.folder)
        self._recipes: dict[str, str] = {}
        self._reused = self._embedded = self._tokens = 0
        self._pii: Counter[str] = Counter()
        self._timings: defaultdict[str, float] = defaultdict(float)
        self._tally = TokenTally(collection.embedder)
        self._total = 0

    def run(self, sources: Iterable[Path | str | SourceConfig] | None) -> RunReport:
        try:
            self._check_space()
            configs = self._sources(sources)
            previous = self._previous()
            resumed = self._state.resume(self._collection.recipe.digest)
            with self._timed("discover"):
                waiting = self._discover(configs, previous)
            self._work(waiting, previous)
            Admission(self._state, self._collection.config, previous, self.run_id).screen_together()
            with self._timed("release"):
                names = [config.source_name for config in configs]
                manifest, changed = self._release(names, is_whole=sources is None)
            report = self._report(manifest, names, changed=changed, resumed=resumed)
            self._state.clear()
        finally:
            self._state.close()
            (self._collection.folder / _CURRENT).unlink(missing_ok=True)
        if report.changed or report.failures or report.quarantined:
            runs = self._collection.folder / "runs"
            runs.mkdir(exist_ok=True)
            write_atomically(runs / f"{report.run_id}.json", json.dumps(asdict(report), indent=1))
        return report

    def _timed(self, stage: str) -> "_Timer":
        return _Timer(self._timings, stage)

    def _check_space(self) -> None:
        free = shutil.disk_usage(self._collection.folder).free
        if free < _MIN_FREE_BYTES:
            raise SourceError(
                f"Only {free // 1024**2} MB are free at {str(self._collection.folder)!r}; a run needs"
                f" {_MIN_FREE_BYTES // 1024**2} MB at least. Make room."
            )

    def _sources(self, sources: Iterable[Path | str | SourceConfig] | None) -> list[SourceConfig]:
        declared = self._collection.config.sources_by_name
        if sources is None:
            return list(declared.values())
        found = []
        for source in sources:
            if isinstance(source, SourceConfig):
                found.append(source)
            else:
                name = str(source)
                known = [
                    s
                    for s in declared.values()
                    if name in (s.source_name, s.path, str(self._collection.base / s.path))
                ]
                found.append(known[0] if known else SourceConfig(path=name))
        return found

    def _previous(self) -> Release | None:
        """The active release, if it can be read and was made by the same embedder."""
        if active_id(self._collection.folder) is None:
            return None
        try:
            release = open_active(self._collection.folder)
        except ReleaseError:
            return None
        return release if release.manifest.embedder_digest == self._collection.embedder.digest else None

    # Discover: what is there, and what of it needs work.

    def _discover(self, sources: Sequence[SourceConfig], previous: Release | None) -> int:
        today = datetime.now(UTC).date()
        waiting = 0
        for config in sources:
            refusal = self._refusal(config, today)
            validators = self._state.validators(config.source_name)
            found = discover(config, self._collection.base, validators)
            with self._state.batch():
                for item in found:
                    source, reason = item if isinstance(item, tuple) else (item, None)
                    self._total += 1
                    other = self._state.see(source.id, source.source_name)
                    if other is not None:
                        kind, reason = "failed", f"The source {other!r} holds a document of the same name."
                        self._note(f"{source.source_name}:{source.id}", source, kind, reason)
                    elif refusal:
                        self._note(source.id, source, "refused", refusal)
                    elif reason:
                        self._note(source.id, source, "failed", reason)
                    elif self._needs_work(source, previous):
                        self._state.queue(source)
                        waiting += 1
        return waiting

    def _note(self, key: str, source: Source, kind: str, reason: str) -> None:
        self._state.note(
            key, source.source_name, Outcome(kind, reason, source.digest, self._recipe(source.source_name))
        )

    def _refusal(self, config: SourceConfig, today: date) -> str | None:
        clearance = config.clearance or self._collection.config.clearance_of(config.source_name)
        if clearance is None:
            return (
                f"No clearance is declared for {config.source_name!r}: say in the scope file who supplied it, under which"
                " licence and on what legal basis (`clearance`), for the source or for the collection."
            )
        return clearance.refusal("retrieve", today)

    def _recipe(self, source_name: str) -> str:
        if source_name not in self._recipes:
            self._recipes[source_name] = recipe_of(
                self._collection.config, source_name, self._collection.embedder.digest
            )
        return self._recipes[source_name]

    def _needs_work(self, source: Source, previous: Release | None) -> bool:
        recipe = self._recipe(source.source_name)
        outcome = self._state.outcome(source.id)
        if outcome and (outcome.digest, outcome.recipe) == (source.digest, recipe):
            is_open = outcome.kind == "copy" and not self._exists(outcome.detail, previous)
            decided = outcome.kind == "held" and self._state.is_approved(source.id)
            # A source that was refused may have been cleared since.
            return is_open or decided or outcome.kind == "refused"
        if previous:
            facts = previous.documents.facts(source.id)
            if facts == (source.digest, recipe, source.source_name):
                self._reused += 1
                self._state.settle(source.id)
                return False
        if self._state.staged_digest(source.id) == (source.digest, recipe):
            return False
        return True

    def _exists(self, document_id: str, previous: Release | None) -> bool:
        return (
            previous is not None
            and self._state.has_seen(document_id)
            and bool(previous.documents.holder(document_id))
        )

    # Work: prepare, admit, embed, stage.

    def _work(self, waiting: int, previous: Release | None) -> None:
        plan = Plan(
            self._collection.config, self._collection.folder, self.run_id, self._collection.vault is not None
        )
        admission = Admission(self._state, self._collection.config, previous, self.run_id)
        self._progress.begin("ingest", waiting, "doc")
        self._say_running(0, waiting)
        results = self._workers.prepare(plan, self._state.queued())
        admitted = self._admitted(results, admission, waiting)
        clocked = _TimedEmbedder(self._collection.embedder)
        pending: deque[tuple[list[PreparedDocument], Known]] = deque()

        def missing() -> Iterator[list[str]]:
            for group in _groups(admitted):
                known = _known(group, previous)
                pending.append((group, known))
                yield [text for text in texts_of(group) if text not in known]

        for embedded in self._workers.embed(clocked, missing()):
            group, known = pending.popleft()
            self._embedded += len(embedded.vectors)
            with self._timed("stage"), self._state.batch():
                self._finish(group, known, embedded)
        self._timings["embed"] += clocked.took_s

    def _say_running(self, done: int, total: int) -> None:
        """For those who ask from outside how far the run is."""
        state = {"run_id": self.run_id, "started_at": self._started.isoformat(), "done": done, "total": total}
        (self._collection.folder / _CURRENT).write_text(json.dumps(state), "utf-8")

    def _finish(self, group: Sequence[PreparedDocument], known: Known, embedded: Embeddings) -> None:
        fresh = zip(embedded.vectors, embedded.codes, strict=True)
        for prepared in group:
            own = [
                known[c.embedded_text] if c.embedded_text in known else next(fresh) for c in prepared.chunks
            ]
            whole = Embeddings(np.stack([vector for vector, _ in own]), tuple(codes for _, codes in own))
            self._state.finish(prepared.document.id, whole)

    def _admitted(
        self, results: Iterable[tuple[Source, PreparedDocument | Failure]], admission: Admission, waiting: int
    ) -> Iterator[PreparedDocument]:
        for number, (source, result) in enumerate(results, start=1):
            self._progress.advance(1)
            if number % _SAY_EVERY == 0:
                self._say_running(number, waiting)
            if isinstance(result, Failure):
                with self._state.batch():
                    self._note(source.id, source, "failed", result.reason)
                continue
            for stage, seconds in result.timings.items():
                self._timings[stage] += seconds
            self._pii.update(result.document.pii)
            self._tally.add(result.document.text)
            if result.originals and self._collection.vault:
                self._collection.vault.put(result.originals)
            with self._timed("admit"), self._state.batch():
                admitted = admission.admit(result)
            if admitted is not None:
                yield admitted

    # Release.

    def _release(self, sources: Sequence[str], *, is_whole: bool) -> tuple[Release, bool]:
        folder = self._collection.folder
        with FileLock(folder / "write.lock", timeout=_WRITE_WAIT_S):
            base = self._previous()
            removed = self._removed(base, sources, is_whole)
            has_staged = next(self._state.staged_ids(), None) is not None
            self._check_plausible(base, removed, has_staged, sources)
            if base is not None and not removed and not has_staged:
                return base, False
            change = Change(self._staged(), removed, "run")
            release = publish(self._collection, base, change)
        return release, True

    def _staged(self) -> Iterator[Entry]:
        total = self._state.staged_count()
        self._progress.begin("index", total, "doc")
        for entry in self._state.staged():
            yield entry
            self._progress.advance(1)

    def _removed(self, base: Release | None, sources: Sequence[str], is_whole: bool) -> list[str]:
        """Documents that their source has no more, whose clearance has run out, or that became a copy."""
        if base is None:
            return []
        gone: set[str] = set()
        for source_name in sources:
            gone.update(
                i
                for i in base.documents.ids("source_name = ?", (source_name,))
                if not self._state.has_seen(i)
            )
            for document_id, outcome in self._state.outcomes(source_name).items():
                if outcome.kind in ("refused", "blocked", "copy", "rejected"):
                    gone.add(document_id)
        today = datetime.now(UTC).date().isoformat()
        gone.update(base.documents.ids("expires <> '' and expires < ?", (today,)))
        if is_whole:
            declared = set(self._collection.config.sources_by_name)
            for source_name in base.documents.sources() - declared:
                if not source_name.startswith("upload:"):
                    gone.update(base.documents.ids("source_name = ?", (source_name,)))
        return sorted(i for i in gone if base.documents.holder(i) is not None)

    def _check_plausible(
        self, base: Release | None, removed: Sequence[str], has_staged: bool, sources: Sequence[str]
    ) -> None:
        """A folder that isn't mounted looks empty; it must not empty the index."""
        reasons = [o.detail for p in sources for o in self._state.outcomes(p).values() if o.kind != "copy"]
        if self._total == 0 or (base is None and not has_staged):
            where = ", ".join(sources)
            raise SourceError(
                f"No text was found in {where!r}, so no release was made. {' '.join(reasons[:1])}"
            )

    # Report.

    def _report(self, release: Release, sources: Sequence[str], *, changed: bool, resumed: bool) -> RunReport:
        manifest = release.manifest
        by_kind: dict[str, dict[str, str]] = {}
        for source_name in sources:
            for document_id, outcome in self._state.outcomes(source_name).items():
                if self._state.has_seen(document_id) or ":" in document_id:
                    by_kind.setdefault(outcome.kind, {})[document_id] = outcome.detail
        failures = by_kind.get("failed", {}) | by_kind.get("blocked", {}) | by_kind.get("refused", {})
        tokens = self._tally.result()
        return RunReport(
            run_id=self.run_id,
            collection=self._collection.name,
            release_id=manifest.id,
            release_digest=manifest.digest,
            changed=changed,
            resumed=resumed,
            started_at=self._started.isoformat(),
            took_s=round(time.perf_counter() - self._clock, 3),
            places=list(sources),
            found=self._total,
            documents=manifest.documents,
            chunks=manifest.chunks,
            reused_documents=self._reused,
            embedded_chunks=self._embedded,
            pii=dict(sorted(self._pii.items())),
            failures=failures,
            duplicates=by_kind.get("copy", {}),
            quarantined=by_kind.get("held", {}),
            tokens=tokens,
            timings={stage: round(seconds, 3) for stage, seconds in sorted(self._timings.items())},
        )


class _Timer:
    """Adds the seconds of a block to a stage."""

    def __init__(self, timings: defaultdict[str, float], stage: str) -> None:
        self._timings, self._stage = timings, stage

    def __enter__(self) -> None:
        self._begun = time.perf_counter()

    def __exit__(self, *_: object) -> None:
        self._timings[self._stage] += time.perf_counter() - self._begun


class _TimedEmbedder:
    """An embedder that knows how long it took."""

    def __init__(self, embedder: Embedder) -> None:
        self._embedder = embedder
        self.name, self.digest, self.dimension = embedder.name, embedder.digest, embedder.dimension
        self.languages, self.late = embedder.languages, embedder.late
        self.took_s = 0.0

    def embed(self, texts: list[str]) -> Vectors:
        """Vectors of texts."""
        return self.encode(texts).vectors

    def encode(self, texts: list[str]) -> Embeddings:
        """Vectors and codes of texts."""
        begun = time.perf_counter()
        embedded = self._embedder.encode(texts)
        self.took_s += time.perf_counter() - begun
        return embedded

    def encode_questions(self, texts: list[str]) -> list[EncodedQuestion]:
        """Questions."""
        return self._embedder.encode_questions(texts)

    def count_tokens(self, texts: list[str]) -> list[int]:
        """Tokens of each text."""
        return self._embedder.count_tokens(texts)

    def warm(self) -> None:
        """Compile what is compiled at first use."""
        self._embedder.warm()


def _known(group: Sequence[PreparedDocument], previous: Release | None) -> Known:
    """Vectors and codes of texts that documents of the group had in the previous release."""
    known: Known = {}
    for prepared in group if previous else ():
        entry = previous.documents.entry(prepared.document.id) if previous else None
        if entry is not None:
            codes = entry.codes or (NO_CODES,) * len(entry.chunks)
            parts = zip(entry.chunks, entry.vectors, codes, strict=True)
            known |= {chunk.embedded_text: (vector, own) for chunk, vector, own in parts}
    return known


def _groups(prepared: Iterable[PreparedDocument]) -> Iterator[list[PreparedDocument]]:
    """Documents together until there is enough to embed at once."""
    group: list[PreparedDocument] = []
    size = 0
    for one in prepared:
        group.append(one)
        size += len(one.chunks)
        if size >= _EMBED_AT_ONCE:
            yield group
            group, size = [], 0
    if group:
        yield group
