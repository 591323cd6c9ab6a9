"""The order of ingestion: discover, prepare, admit, embed, screen together, release. Nothing else knows it."""

import json
import shutil
import time
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import numpy as np
from filelock import FileLock, Timeout

from ingestion.atomic import write_atomically
from ingestion.config import SourceConfig
from ingestion.corpus import Source
from ingestion.embed import Embeddings
from ingestion.embed.values import NO_CODES, Codes
from ingestion.errors import CollectionBusyError, ReleaseError, SourceError
from ingestion.index.segment import Entry, Vectors
from ingestion.load.limits import LEFT_OUT
from ingestion.prepare.boilerplate import LEAST_DOCUMENTS, MOST_DOCUMENTS, repeated
from ingestion.prepare.preparer import Plan, PreparedDocument
from ingestion.releases.build import Change
from ingestion.releases.release import Release, active_id, open_active
from ingestion.runs.admission import Admission
from ingestion.runs.advice import advice_on
from ingestion.runs.collection import Collection
from ingestion.runs.discovery import Discovery, Inventory, Recipes
from ingestion.runs.progress import NoProgress, Progress
from ingestion.runs.publish import publish
from ingestion.runs.removal import Removal, forget_unseen
from ingestion.runs.report import RunReport, TokenTally
from ingestion.runs.state import RunState
from ingestion.runs.timings import TimedEmbedder, Timings
from ingestion.runs.workers import Failure, InlineWorkers, Workers, texts_of

_EMBED_AT_ONCE = 64
_MIN_FREE_BYTES = 64 * 1024 * 1024
_WRITE_WAIT_S = 600.0
_CURRENT = "current-run.json"
_SAY_EVERY = 20
# What is larger takes long to read, and is no page of a site.
_OUTLINED_BYTES = 1024 * 1024
# Vector and token codes by text.
Known = dict[str, tuple[Vectors, Codes]]


def run(
    collection: Collection,
    sources: Iterable[Path | str | SourceConfig] | None = None,
    *,
    progress: Progress | None = None,
    workers: Workers | None = None,
    allow_empty: bool = False,
) -> RunReport:
    """Bring a collection in step with sources, or with all that it declares, and activate the release that results.

    Unchanged documents keep their chunks and vectors. What can't be read is reported, keeps its last good
    version, and is tried again when it changes. When nothing changed, nothing is written. A run that was
    killed is taken up where it stopped. A source that can't be reached or is suddenly empty is reported and keeps its
    documents; with `allow_empty` an empty one loses them. Raises `CollectionBusyError` while another run is
    going on, and `SourceError` when no source can be read.
    """
    collection.folder.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(collection.folder / "run.lock", timeout=0):
            workers = workers or InlineWorkers(collection.embedder)
            job = _Job(collection, progress or NoProgress(), workers)
            return job.run(sources, allow_empty=allow_empty)
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
        self._recipes = Recipes(collection)
        self._inventory = Inventory()
        self._embedded = 0
        self._pii: Counter[str] = Counter()
        self._partial: dict[str, str] = {}
        self._passages: dict[str, str] = {}
        self._let_through: dict[str, str] = {}
        self._timings = Timings()
        self._tally = TokenTally(collection.embedder)
        # Of what is being embedded: kept once it is finished, not before.
        self._validated: dict[str, Source] = {}

    def run(self, sources: Iterable[Path | str | SourceConfig] | None, *, allow_empty: bool) -> RunReport:
        try:
            self._check_space()
            configs = self._sources(sources)
            served = self._served()
            previous = self._base(served)
            resumed = self._state.staging.resume(self._collection.recipe.digest)
            with self._timings.timed("discover"):
                discovery = Discovery(
                    self._collection,
                    self._state,
                    self._recipes,
                    served=served,
                    base=previous,
                    allow_empty=allow_empty,
                )
                self._inventory = discovery.run(configs)
            self._work(previous)
            with self._timings.timed("release"):
                names = [config.source_name for config in configs]
                release, changed = self._release(names, is_whole=sources is None, allow_empty=allow_empty)
            report = self._report(release, names, changed=changed, resumed=resumed)
            self._state.staging.clear()
        finally:
            self._state.close()
            (self._collection.folder / _CURRENT).unlink(missing_ok=True)
        if report.changed or report.failures or report.quarantined or report.partial:
            runs = self._collection.folder / "runs"
            runs.mkdir(exist_ok=True)
            write_atomically(runs / f"{report.run_id}.json", json.dumps(asdict(report), indent=1))
        return report

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

    def _served(self) -> Release | None:
        """The active release, if it can be read."""
        if active_id(self._collection.folder) is None:
            return None
        try:
            return open_active(self._collection.folder)
        except ReleaseError:
            return None

    def _base(self, served: Release | None) -> Release | None:
        """The active release, if its vectors are those that this embedder makes."""
        is_ours = served and served.manifest.embedder_digest == self._collection.embedder.digest
        return served if is_ours else None

    # Work: prepare, admit, embed, stage.

    def _work(self, previous: Release | None) -> None:
        waiting = self._inventory.waiting
        plan = Plan(
            self._collection.config, self._collection.folder, self.run_id, self._collection.vault is not None
        )
        with self._timings.timed("boilerplate"):
            plan = self._with_boilerplate(plan)
        admission = Admission(
            self._state, self._collection.config, previous, self.run_id, kept=self._inventory.kept
        )
        self._progress.begin("ingest", waiting, "doc")
        self._say_running(0, waiting)
        results = self._workers.prepare(plan, self._state.staging.queued())
        admitted = self._admitted(results, admission, waiting)
        clocked = TimedEmbedder(self._collection.embedder, self._timings)
        pending: deque[tuple[list[PreparedDocument], Known]] = deque()

        def missing() -> Iterator[list[str]]:
            for group in _groups(admitted):
                known = _known(group, previous)
                pending.append((group, known))
                yield [text for text in texts_of(group) if text not in known]

        for embedded in self._workers.embed(clocked, missing()):
            group, known = pending.popleft()
            self._embedded += len(embedded.vectors)
            with self._timings.timed("stage"), self._state.batch():
                self._finish(group, known, embedded)
        admission.screen_together()
        self._passages, self._let_through = admission.passages, admission.let_through

    def _with_boilerplate(self, plan: Plan) -> Plan:
        """The plan with what sources repeat around their documents, learned anew where enough of one wait."""
        state = self._state
        waiting = state.staging.sample(LEAST_DOCUMENTS, MOST_DOCUMENTS, largest_bytes=_OUTLINED_BYTES)
        for source_name, sources in waiting:
            outlines = [o for _, o in self._workers.outline(plan, sources) if not isinstance(o, Failure)]
            with state.batch():
                state.boilerplate.learn(source_name, repeated(outlines))
        return replace(plan, boilerplate=state.boilerplate.by_source())

    def _say_running(self, done: int, total: int) -> None:
        """For those who ask from outside how far the run is."""
        state = {"run_id": self.run_id, "started_at": self._started.isoformat(), "done": done, "total": total}
        write_atomically(self._collection.folder / _CURRENT, json.dumps(state))

    def _finish(self, group: Sequence[PreparedDocument], known: Known, embedded: Embeddings) -> None:
        fresh = zip(embedded.vectors, embedded.codes, strict=True)
        for prepared in group:
            own = [
                known[c.embedded_text] if c.embedded_text in known else next(fresh) for c in prepared.chunks
            ]
            whole = Embeddings(np.stack([vector for vector, _ in own]), tuple(codes for _, codes in own))
            self._state.staging.finish(prepared.document.id, whole)
            self._validate(self._validated.pop(prepared.document.id))

    def _admitted(
        self, results: Iterable[tuple[Source, PreparedDocument | Failure]], admission: Admission, waiting: int
    ) -> Iterator[PreparedDocument]:
        for number, (source, result) in enumerate(results, start=1):
            self._progress.advance(1)
            if number % _SAY_EVERY == 0:
                self._say_running(number, waiting)
            if isinstance(result, Failure):
                with self._state.batch():
                    outcome = self._recipes.outcome(source, "failed", result.reason)
                    self._state.outcomes.note(source.id, source.source_name, outcome)
                    self._validate(source)
                continue
            self._count(result)
            if result.originals and self._collection.vault:
                self._collection.vault.put(result.originals)
            with self._timings.timed("admit"), self._state.batch():
                admitted = admission.admit(result)
                if admitted is None:
                    self._validate(source)
            if admitted is not None:
                self._validated[source.id] = replace(source, data=None)
                yield admitted

    def _count(self, prepared: PreparedDocument) -> None:
        for stage, seconds in prepared.timings.items():
            self._timings.add(stage, seconds)
        document = prepared.document
        self._pii.update(document.pii)
        self._tally.add(document.text)
        if LEFT_OUT in document.metadata:
            self._partial[document.id] = str(document.metadata[LEFT_OUT])

    def _validate(self, source: Source) -> None:
        """Keep a page's validator, so that its body is not sent again. Only what is finished may do without it."""
        if source.facts.validator:
            self._state.outcomes.validate(
                source.id, source.source_name, source.facts.validator, source.digest
            )

    # Release.

    def _release(self, sources: Sequence[str], *, is_whole: bool, allow_empty: bool) -> tuple[Release, bool]:
        folder = self._collection.folder
        with FileLock(folder / "write.lock", timeout=_WRITE_WAIT_S):
            base = self._base(self._served())
            removed = self._removed(base, sources, is_whole=is_whole)
            has_staged = next(self._state.staging.ids(), None) is not None
            if base is None or not allow_empty:
                self._check_plausible(base, has_staged, sources)
            declared = self._collection.config.sources_by_name if is_whole else None
            forget_unseen(self._state, sources, declared, self._inventory.kept)
            if base is not None and not removed and not has_staged:
                return base, False
            change = Change(self._staged(), removed, "run")
            release = publish(self._collection, base, change)
        return release, True

    def _staged(self) -> Iterator[Entry]:
        total = self._state.staging.count()
        self._progress.begin("index", total, "doc")
        for entry in self._state.staging.entries():
            yield entry
            self._progress.advance(1)

    def _removed(self, base: Release | None, sources: Sequence[str], *, is_whole: bool) -> list[str]:
        if base is None:
            return []
        removal = Removal(base, self._state, self._inventory.kept)
        removal.give_way()
        declared = self._collection.config.sources_by_name if is_whole else None
        return removal.documents(sources, declared)

    def _check_plausible(self, base: Release | None, has_staged: bool, sources: Sequence[str]) -> None:
        """A folder that isn't mounted looks empty; it must not empty the index."""
        reasons = [o.detail for p in sources for o in self._state.outcomes.of(p).values() if o.kind != "copy"]
        if self._inventory.found == 0 or (base is None and not has_staged):
            where = ", ".join(sources)
            raise SourceError(
                f"No text was found in {where!r}, so no release was made. {' '.join(reasons[:1])}"
            )

    # Report.

    def _report(self, release: Release, sources: Sequence[str], *, changed: bool, resumed: bool) -> RunReport:
        manifest = release.manifest
        by_kind: dict[str, dict[str, str]] = {}
        for source_name in sources:
            for document_id, outcome in self._state.outcomes.of(source_name).items():
                if self._state.staging.has_seen(document_id) or ":" in document_id:
                    by_kind.setdefault(outcome.kind, {})[document_id] = outcome.detail
        failures = dict(self._inventory.failed)
        for kind in ("failed", "blocked", "refused"):
            failures |= by_kind.get(kind, {})
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
            found=self._inventory.found,
            documents=manifest.documents,
            chunks=manifest.chunks,
            reused_documents=self._inventory.reused,
            embedded_chunks=self._embedded,
            pii=dict(sorted(self._pii.items())),
            failures=failures,
            duplicates=by_kind.get("copy", {}),
            quarantined=by_kind.get("held", {}),
            removed=by_kind.get("removed", {}),
            tokens=tokens,
            partial=self._partial,
            passages=self._passages,
            let_through=self._let_through,
            timings=self._timings.rounded(),
            advice=advice_on(release, self._collection.embedder),
        )


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
