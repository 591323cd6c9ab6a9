"""Documents as callers change them: uploaded, replaced, removed, approved. Knows nothing of HTTP.

Work happens in one thread, because one change after the other is written to a collection anyway.
"""

import hashlib
import json
import re
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

from ingestion.atomic import write_atomically
from ingestion.audience import shown_id
from ingestion.corpus import Document, Source, SourceFacts
from ingestion.embed import Embedder
from ingestion.errors import StateError
from ingestion.runs.changes import ChangeResult, decide, decide_all, upload, withdraw
from ingestion.runs.collection import Collection
from ingestion.runs.holders import Holders, live_id
from ingestion.runs.review import Selection
from ingestion.runs.state import Decision, QuarantinedDocument, RunState
from ingestion.runs.workers import Failure, LocalWorkers
from ingestion.scrub.vault import Vault
from ingestion.view import View
from service.corpus.listing import DocumentListing, Page, list_documents
from service.corpus.live import LiveReleases
from service.errors import NotReadyError
from service.logs import get_logger
from service.scope import Scope
from service.settings import Settings

log = get_logger()
_KEPT_UPLOADS = 1_000
_RUN_ID = re.compile(r"[0-9A-Za-z-]{1,64}")


@dataclass(frozen=True, slots=True)
class UploadedFile:
    """A file as it came in. `suffix` says its format; `facts` are what the caller says of it."""

    id: str
    suffix: str
    data: bytes
    facts: SourceFacts


class Library:
    """The documents of every collection."""

    def __init__(
        self, scope: Scope, settings: Settings, embedders: Mapping[str, Embedder], live: LiveReleases
    ) -> None:
        self._scope = scope
        self._settings = settings
        self._embedders = embedders
        self._live = live
        self._workers = LocalWorkers(1)
        self.thread = ThreadPoolExecutor(1, "ingest")

    def close(self) -> None:
        """Stop the process that reads files, whatever it has in hand, and the thread."""
        self._workers.close()
        self.thread.shutdown(cancel_futures=True)

    @property
    def trouble(self) -> str:
        """Why no document can be read just now; empty when they can, as far as is known."""
        return self._workers.trouble

    def _opened(self, collection: str) -> Collection:
        key = self._settings.vault_key
        opened = Collection(
            collection,
            self._scope.collections[collection],
            self._embedders[collection],
            self._settings.data_dir,
            self._settings.scope_file.parent,
            pinned=frozenset(v.release for v in self._scope.variants.values() if v.release),
        )
        if key is None:
            return opened
        return replace(opened, vault=Vault(opened.folder, key.get_secret_value()))

    def put(
        self, collection: str, files: Sequence[UploadedFile], caller: str, view: View
    ) -> tuple[str, list[ChangeResult | Failure]]:
        """Add or replace documents; the run's id and one result each. They can be searched when it returns.

        What the caller may not see is not replaced. Raises `SourceError`, `AudienceError`.
        """
        opened = self._opened(collection)
        started, clock = datetime.now(UTC), time.perf_counter()
        run_id = upload_id(started)
        source_name = f"upload:{caller}"
        sources = [self._source(file, source_name) for file in files]
        like = self._live.peek(collection)
        results = upload(opened, sources, self._workers, run_id=run_id, like=like, groups=view.groups)
        self._live.refresh()
        by_id = dict(zip((f.id for f in files), results, strict=True))
        took_s = round(time.perf_counter() - clock, 3)
        report = {"collection": collection, "caller": caller, **_report(run_id, started, took_s, by_id)}
        write_report(opened.folder, run_id, report)
        return run_id, results

    @staticmethod
    def _source(file: UploadedFile, source_name: str) -> Source:
        sha = hashlib.sha256(file.suffix.encode() + b"\0")
        sha.update(file.data)
        return Source(
            file.id,
            f"{file.id}{file.suffix}",
            sha.hexdigest(),
            len(file.data),
            source_name,
            data=file.data,
            facts=file.facts,
        )

    def remove(self, collection: str, ids: Sequence[str], view: View) -> ChangeResult:
        """Take documents out; they can't be found when it returns. What the caller may not see stays."""
        like = self._live.peek(collection)
        done = withdraw(self._opened(collection), ids=ids, like=like, groups=view.groups)
        self._live.refresh()
        return done

    def stored_id(self, collection: str, document_id: str, view: View) -> str | None:
        """Under which id the caller's document is kept, in the index or in quarantine; None when there is none."""
        state = RunState(self._opened(collection).folder)
        try:
            holding = Holders(self._live.peek(collection), state.quarantine, view.groups).holding(document_id)
            return holding.id if holding.document is not None else None
        finally:
            state.close()

    def matching(self, collection: str, view: View) -> list[str]:
        """Ids of the documents that a view shows."""
        return self._live.current(collection).documents.visible_ids(replace(view, include_superseded=True))

    def listing(
        self, collection: str, view: View, page: Page, *, served_alone: bool = False
    ) -> DocumentListing:
        """A page of the documents that the caller may know of. Raises `NotReadyError` where there is nothing yet.

        Where the ledger can't be opened, as on a full disk, what is served is listed alone, unless the others are asked for:
        then it raises `StateError`.
        """
        if served_alone:
            return list_documents(self._live.current(collection), None, view, page)
        try:
            state = RunState(self._opened(collection).folder)
        except StateError:
            if page.statuses is not None and page.statuses != {"served"}:
                raise
            log.warning("ledger_unreadable", collection=collection)
            return list_documents(self._live.current(collection), None, view, page)
        try:
            return list_documents(self._live.current(collection), state, view, page)
        except NotReadyError:
            # All that was brought may be held back.
            found = list_documents(None, state, view, page)
            if not any(found.counts.values()):
                raise
            return found
        finally:
            state.close()

    def document(self, collection: str, document_id: str, view: View) -> tuple[Document, int] | None:
        """A document and how many chunks it has; None when there is none that the caller may see."""
        texts = self._live.current(collection).documents
        stored = live_id(texts, document_id, view.groups)
        found = texts.document(stored) if stored is not None else None
        if found is None:
            return None
        newer = live_id(texts, found.superseded_by, view.groups) if found.superseded_by else None
        return replace(found, superseded_by=newer), len(texts.document_chunks(found.id))

    def held(self, collection: str, view: View) -> list[QuarantinedDocument]:
        """Documents that wait in quarantine and that the caller may see."""
        state = RunState(self._opened(collection).folder)
        try:
            return Holders(self._live.peek(collection), state.quarantine, view.groups).held()
        finally:
            state.close()

    def decide(self, collection: str, document_id: str, state: Decision, by: str, view: View) -> ChangeResult:
        """Approve or reject a document in quarantine. Raises `QuarantineError`."""
        opened, like = self._opened(collection), self._live.peek(collection)
        done = decide(opened, document_id, state, by=by, like=like, groups=view.groups)
        self._live.refresh()
        return done

    def decide_all(
        self, collection: str, selection: Selection, state: Decision, by: str, view: View
    ) -> tuple[list[str], ChangeResult]:
        """Approve or reject those that wait and a selection names; their ids. Raises `QuarantineError`."""
        opened, like = self._opened(collection), self._live.peek(collection)
        chosen = selection.chosen(self.held(collection, view), view.groups)
        ids = [one.document_id for one in chosen]
        done = decide_all(opened, ids, state, by=by, like=like, groups=view.groups)
        self._live.refresh()
        return [shown_id(one, view.groups) for one in ids], done

    def run(self, run_id: str, caller: str, view: View) -> dict[str, Any] | None:
        """What is known of a run, of whichever collection: an upload of the caller's own, or any for who sees everything.

        A run of a collection counts documents and names some whoever may see them.
        """
        for collection in self._scope.collections:
            found = _run_of(self._opened(collection).folder, run_id)
            if found is not None:
                by = found.pop("caller", None)
                return found if view.groups is None or by == caller else None
        return None


def _run_of(folder: Path, run_id: str) -> dict[str, Any] | None:
    path = folder / "runs" / f"{run_id}.json"
    if _RUN_ID.fullmatch(run_id) and path.is_file():
        return {"state": "finished", **json.loads(path.read_text("utf-8"))}
    current = folder / "current-run.json"
    raw: dict[str, Any] = json.loads(current.read_text("utf-8")) if current.is_file() else {}
    return {"state": "running", **raw} if raw.get("run_id") == run_id else None


def upload_id(at: datetime) -> str:
    """An id of the form that runs have, with a `u` where theirs have a hexadecimal digit."""
    return f"{at:%Y%m%dT%H%M%S}-u{uuid4().hex[:7]}"


def write_report(folder: Path, run_id: str, report: Mapping[str, Any], *, kept: int = _KEPT_UPLOADS) -> None:
    """Keep the report of an upload beside those of runs, and of uploads the last ones alone."""
    runs = folder / "runs"
    runs.mkdir(exist_ok=True)
    write_atomically(runs / f"{run_id}.json", json.dumps(report))
    # The one that was just written stays, also when the clock was set back and it is the oldest by name.
    others = sorted(path for path in runs.glob("*-u*.json") if path.stem != run_id)
    for old in others[: max(0, len(others) - kept + 1)]:
        old.unlink(missing_ok=True)


def _report(
    run_id: str, started: datetime, took_s: float, results: Mapping[str, ChangeResult | Failure]
) -> dict[str, Any]:
    done = {i: asdict(r) for i, r in results.items() if isinstance(r, ChangeResult)}
    return {
        "run_id": run_id,
        "started_at": started.isoformat(),
        "took_s": took_s,
        "documents": len(done),
        "chunks": sum(one["chunks"] for one in done.values()),
        "failures": {i: r.reason for i, r in results.items() if isinstance(r, Failure)},
        "quarantined": {i: one["reason"] for i, one in done.items() if one["status"] == "quarantined"},
    }
