"""Changes to a collection one document at a time: upload, remove, approve, withdraw. Each makes a release.

The cost does not grow with the collection: what is there stays as it is, a small segment is added, rows
are marked as dead.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from filelock import FileLock, Timeout

from ingestion.audience import shown_id
from ingestion.corpus import Source
from ingestion.embed import Embedder
from ingestion.errors import (
    CollectionBusyError,
    EmbedderError,
    QuarantineError,
    ReleaseError,
    SourceError,
)
from ingestion.index.segment import Entry
from ingestion.prepare.preparer import Plan, PreparedDocument
from ingestion.releases.build import Change
from ingestion.releases.prune import lasting
from ingestion.releases.release import Release, active_id, open_active
from ingestion.runs.admission import entry_of
from ingestion.runs.collection import Collection
from ingestion.runs.erasure import note_removed, purge_beside, waiting_of
from ingestion.runs.holders import Holders, Holding, updated
from ingestion.runs.publish import Retention, publish
from ingestion.runs.ruling import Ruling, rule_on
from ingestion.runs.state import Decision, Outcome, RunState
from ingestion.runs.workers import Failure, Workers
from ingestion.view import may_see

_WAIT_S = 30.0
_EMBEDDED = 64  # chunks at once, which take two seconds of a core


@dataclass(frozen=True, slots=True)
class ChangeResult:
    """What came of a change: the release that holds it, and how many documents and chunks it concerned.

    `status` is `ingested`, `unchanged`, `quarantined` or `removed`.
    """

    release_id: str
    status: str
    documents: int = 0
    chunks: int = 0
    already_existed: bool = False
    reason: str = ""


@contextmanager
def _writing(folder: Path, name: str) -> Iterator[None]:
    try:
        with FileLock(folder / "write.lock", timeout=_WAIT_S):
            yield
    except Timeout as exc:
        raise CollectionBusyError(
            f"The collection {name!r} has been written by another process for {_WAIT_S:.0f} s. Try again."
        ) from exc


def _opened(collection: Collection, like: Release | None) -> Release | None:
    return open_active(collection.folder, like) if active_id(collection.folder) else None


def _base(collection: Collection, like: Release | None) -> Release | None:
    release = _opened(collection, like)
    if release is None:
        return None
    if release.manifest.embedder_digest != collection.embedder.digest:
        raise EmbedderError(
            "The index was built with another embedder. Run `touchstone ingestion run` before changing documents."
        )
    return release


def upload(
    collection: Collection,
    sources: Sequence[Source],
    workers: Workers,
    *,
    run_id: str,
    like: Release | None = None,
    groups: frozenset[str] | None = None,
) -> list[ChangeResult | Failure]:
    """Add or replace documents; they can be searched when this returns. One result for each source.

    What `groups` (None: all) may not see is not replaced: under its id they get a document of their own. An update keeps
    what its source doesn't name. Raises `CollectionBusyError` when another change takes too long or was faster,
    `SourceError` without clearance, `AudienceError` for groups that aren't the caller's.
    """
    collection.folder.mkdir(parents=True, exist_ok=True)
    state = RunState(collection.folder)
    try:
        return _uploaded(collection, state, sources, workers, run_id, like, groups)
    finally:
        state.close()


def _uploaded(
    collection: Collection,
    state: RunState,
    asked: Sequence[Source],
    workers: Workers,
    run_id: str,
    like: Release | None,
    groups: frozenset[str] | None,
) -> list[ChangeResult | Failure]:
    holders = Holders(_opened(collection, like), state.quarantine, groups)
    held = [holders.holding(source.id) for source in asked]
    sources = [
        updated(source, one, collection.config, groups) for source, one in zip(asked, held, strict=True)
    ]
    for source_name in {source.rules_of for source in sources}:
        _check_clearance(collection, source_name)
    has_vault = collection.vault is not None
    repeated = state.boilerplate.by_source()
    plan = Plan(collection.config, collection.folder, run_id, has_vault, repeated)
    results: list[ChangeResult | Failure] = []
    entries: list[Entry] = []
    in_part: list[PreparedDocument] = []
    for _, prepared in workers.prepare(plan, sources):
        results.append(_admit(collection, state, prepared, entries, in_part, run_id, workers))
    with _writing(collection.folder, collection.name):
        base = _base(collection, like)
        _check_unchanged(
            Holders(base, state.quarantine, groups), asked, held, {one.document.id for one in entries}
        )
        fresh, known = [], set()
        for entry in entries:
            facts = base.documents.facts(entry.document.id) if base else None
            if facts is not None:
                known.add(entry.document.id)
            if facts is None or facts[:2] != (entry.document.digest, entry.document.recipe):
                fresh.append(entry)
        release = base
        if fresh:
            release = publish(collection, base, Change(fresh, (), "upload"))
        _forget_waiting(state, [entry.document.id for entry in entries], groups)
        with state.batch():
            for whole in in_part:
                state.quarantine.hold(entry_of(whole), whole.document.flags, run_id)
    waiting = iter(entries)
    changed = {entry.document.id for entry in fresh}
    return [_finished(one, waiting, release, known, changed) for one in results]


def _check_unchanged(
    holders: Holders, asked: Sequence[Source], held: Sequence[Holding], entering: set[str]
) -> None:
    """Raise `CollectionBusyError` when an id that enters belongs to others now, or its document to other groups."""
    for source, before in zip(asked, held, strict=True):
        if before.id in entering and not before.is_like(holders.holding(source.id)):
            raise CollectionBusyError(f"{source.id!r} was changed while this was prepared. Send it again.")


def _forget_waiting(state: RunState, ids: Iterable[str], groups: frozenset[str] | None) -> None:
    """What waited of documents that were replaced must not come back by an approval."""
    with state.batch():
        for document_id in waiting_of(state, ids, groups):
            state.quarantine.forget(document_id)


def _is_hidden(release: Release, document_id: str, groups: frozenset[str] | None) -> bool:
    if groups is None:
        return False
    found = release.documents.document(document_id)
    return found is not None and not may_see(groups, found.groups)


def _admit(
    collection: Collection,
    state: RunState,
    prepared: PreparedDocument | Failure,
    entries: list[Entry],
    in_part: list[PreparedDocument],
    run_id: str,
    workers: Workers,
) -> ChangeResult | Failure:
    """Rule on a document, and embed it in `entries` if it enters; `in_part` gets it whole if passages of it wait."""
    if isinstance(prepared, Failure):
        return prepared
    document = prepared.document
    learned = state.lessons.learned().get(document.source_name, frozenset())
    ruling = rule_on(prepared, state.quarantine.decision(document.id, document.content), learned)
    if ruling.kind == "held":
        with state.batch():
            state.quarantine.hold(entry_of(prepared), document.flags, run_id)
        return ChangeResult("", "quarantined", 1, len(prepared.chunks), reason=ruling.detail)
    if ruling.kind != "enters":
        return Failure(ruling.detail)
    if prepared.originals and collection.vault:
        collection.vault.put(prepared.originals)
    entries.append(_embedded_by(workers, entry_of(ruling.prepared), collection.embedder))
    reason = ""
    if ruling.waits is not None:
        in_part.append(ruling.waits)
        reason = f"Passages of it wait for a person: {ruling.detail}"
    return ChangeResult("", "ingested", 1, len(ruling.prepared.chunks), reason=reason)


def _finished(
    one: ChangeResult | Failure,
    entries: Iterator[Entry],
    release: Release | None,
    known: set[str],
    changed: set[str],
) -> ChangeResult | Failure:
    if isinstance(one, Failure) or one.status != "ingested":
        return one
    document_id = next(entries).document.id
    return replace(
        one,
        release_id=release.manifest.id if release else "",
        status="ingested" if document_id in changed else "unchanged",
        already_existed=document_id in known,
    )


def _check_clearance(collection: Collection, source_name: str) -> None:
    clearance = collection.config.clearance_of(source_name)
    if clearance is None:
        raise SourceError(
            f"No clearance is declared for {source_name!r}: add `clearance` to the collection {collection.name!r}."
        )
    refusal = clearance.refusal("retrieve", datetime.now(UTC).date())
    if refusal:
        raise SourceError(refusal)


def withdraw(
    collection: Collection,
    *,
    ids: Iterable[str] = (),
    run_id: str | None = None,
    like: Release | None = None,
    groups: frozenset[str] | None = None,
) -> ChangeResult:
    """Take documents out, by id or by the run that brought them; they can't be found when this returns.

    By id, also what waits of them in quarantine goes, and runs leave them out until their source changes them. What
    `groups` (None: all) may not see stays.
    """
    wanted = set(ids)
    with _writing(collection.folder, collection.name):
        state = RunState(collection.folder)
        try:
            base = _base(collection, like)
            waiting = waiting_of(state, wanted, groups)
            if base is None and not waiting:
                raise ReleaseError(f"The collection {collection.name!r} has no index yet.")
            brought = base.documents.ids("run_id = ?", (run_id,)) if base and run_id is not None else ()
            gone = _seen(base, {*wanted, *brought}, groups)
            release = base
            if base is not None and gone:
                release = publish(collection, base, Change((), gone, "withdraw"))
            with state.batch():
                for document_id in {*gone, *waiting} & wanted:
                    note_removed(state, base, document_id)
                    state.quarantine.forget(document_id)
                    state.staging.unstage(document_id)
        finally:
            state.close()
    return ChangeResult(release.manifest.id if release else "", "removed", len({*gone, *waiting}))


def _seen(base: Release | None, ids: Iterable[str], groups: frozenset[str] | None) -> list[str]:
    """Of some documents, those that are in the index and that `groups` may see."""
    if base is None:
        return []
    there = sorted(i for i in ids if base.documents.holder(i) is not None)
    return [i for i in there if not _is_hidden(base, i, groups)]


def decide(
    collection: Collection,
    document_id: str,
    decision: Decision,
    *,
    by: str,
    like: Release | None = None,
    groups: frozenset[str] | None = None,
) -> ChangeResult:
    """The same as `decide_all` for one document."""
    return decide_all(collection, [document_id], decision, by=by, like=like, groups=groups)


def decide_all(
    collection: Collection,
    ids: Sequence[str],
    decision: Decision,
    *,
    by: str,
    like: Release | None = None,
    groups: frozenset[str] | None = None,
) -> ChangeResult:
    """Approve documents in quarantine, which publishes them, or reject them, which takes them out if they are in.

    Of a document that is in but for passages, these are published, or stay out for good. For `groups` (None: all) only what
    they may see is there, and nothing under an id that has become somebody else's. Raises `QuarantineError` when one does not
    wait.
    """
    state = RunState(collection.folder)
    try:
        holders = Holders(_opened(collection, like), state.quarantine, groups)
        entries = [_waiting(document_id, state, holders) for document_id in ids]
        rulings = [rule_on(PreparedDocument(e.document, e.chunks, e.bands), decision) for e in entries]
        entering = []
        if decision == "approved":
            entering = [_embedded(one, collection) for one in rulings if one.kind == "enters"]
        out = [one.prepared.document.id for one in rulings if one.kind == "rejected"]
        release_id = _published(collection, state, entering, out, like, groups)
        with state.batch():
            for ruling in rulings:
                _note_decision(state, ruling, decision, by)
    finally:
        state.close()
    chunks = sum(len(entry.chunks) for entry in entering)
    return ChangeResult(release_id or active_id(collection.folder) or "", decision, len(entries), chunks)


def _embedded(ruling: Ruling, collection: Collection) -> Entry:
    return embedded_entry(entry_of(ruling.prepared), collection.embedder)


def _note_decision(state: RunState, ruling: Ruling, decision: Decision, by: str) -> None:
    document = ruling.prepared.document
    if ruling.kind == "enters":
        state.outcomes.settle(document.id)
    else:
        outcome = Outcome(ruling.kind, ruling.detail, document.digest, document.recipe)
        state.outcomes.note(document.id, document.source_name, outcome)
    state.lessons.learn(document.source_name, document.flags, is_approved=decision == "approved")
    state.quarantine.decide(document.id, decision, by)


def _waiting(document_id: str, state: RunState, holders: Holders) -> Entry:
    """What waits under an id, for those who may see it. Raises `QuarantineError`."""
    stored = holders.waiting(document_id)
    entry = state.quarantine.entry(stored) if stored is not None else None
    if entry is None:
        known = [shown_id(one.document_id, holders.groups) for one in holders.held()][:5]
        raise QuarantineError(f"{document_id!r} does not wait in quarantine. These do: {known}.")
    return entry


def _published(
    collection: Collection,
    state: RunState,
    entering: Sequence[Entry],
    out: Sequence[str],
    like: Release | None,
    groups: frozenset[str] | None,
) -> str | None:
    """Put documents that were approved into the index, or take those out that were rejected; the new release's id."""
    with _writing(collection.folder, collection.name):
        base = _base(collection, like)
        holders = Holders(base, state.quarantine, groups)
        for entry in entering:
            _waiting(entry.document.id, state, holders)
        gone = _seen(base, out, groups)
        if not entering and not gone:
            return None
        origin = "upload" if entering else "withdraw"
        return publish(collection, base, Change(entering, gone, origin)).manifest.id


def embedded_entry(entry: Entry, embedder: Embedder) -> Entry:
    """An entry with the vectors and codes of its chunks."""
    embedded = embedder.encode([chunk.embedded_text for chunk in entry.chunks])
    return replace(entry, vectors=embedded.vectors, codes=embedded.codes)


def _embedded_by(workers: Workers, entry: Entry, embedder: Embedder) -> Entry:
    """The same for a long document: a megabyte of prose takes half a minute, and workers that are closed end it."""
    texts = [chunk.embedded_text for chunk in entry.chunks]
    batches = (texts[start : start + _EMBEDDED] for start in range(0, len(texts), _EMBEDDED))
    parts = list(workers.embed(embedder, batches))
    vectors = np.concatenate([part.vectors for part in parts])
    return replace(entry, vectors=vectors, codes=tuple(code for part in parts for code in part.codes))


def _check_readable(collection: Collection) -> None:
    unread = lasting(collection.folder, collection.pinned)
    if unread:
        raise ReleaseError(
            f"The manifests of the releases {unread} can't be read, so what they hold would not be deleted. Run a"
            f" version that reads them, or remove their folders below {str(collection.folder / 'releases')!r}."
        )


def compact(collection: Collection) -> ChangeResult:
    """Write the active release anew without what was removed, and delete every other one from the disk.

    Also what is kept beside the index of documents that are in it no more. Raises `ReleaseError` when a release can't be
    read: what it holds would stay; `CollectionBusyError` while a run is going on.
    """
    with _writing(collection.folder, collection.name):
        base = _base(collection, None)
        if base is None:
            raise ReleaseError(f"The collection {collection.name!r} has no index yet.")
        _check_readable(collection)
        everything = (
            entry for i in sorted(base.documents.ids()) if (entry := base.documents.entry(i)) is not None
        )
        release = publish(
            collection, None, Change(everything), Retention(keep=0, grace_s=0.0, only_active=True)
        )
        left = (entry for i in release.documents.ids() if (entry := release.documents.entry(i)) is not None)
        purge_beside(collection, left)
    return ChangeResult(release.manifest.id, "removed", release.manifest.documents, release.manifest.chunks)
