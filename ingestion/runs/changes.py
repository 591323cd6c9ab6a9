"""Changes to a collection one document at a time: upload, remove, approve, withdraw. Each makes a release.

The cost does not grow with the collection: what is there stays as it is, a small segment is added, rows
are marked as dead.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from filelock import FileLock, Timeout

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
from ingestion.prepare.preparer import Plan, Prepared
from ingestion.prepare.screen import describe
from ingestion.releases.build import Change
from ingestion.releases.release import Release, active_id, open_active
from ingestion.runs.admission import entry_of
from ingestion.runs.collection import Surroundings
from ingestion.runs.publish import Retention, publish
from ingestion.runs.state import Decision, Ledger, Outcome
from ingestion.runs.workers import Engine, Failure

_WAIT_S = 30.0


@dataclass(frozen=True, slots=True)
class Done:
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


def _base(around: Surroundings, like: Release | None) -> Release | None:
    if active_id(around.folder) is None:
        return None
    release = open_active(around.folder, like)
    if release.manifest.embedder_digest != around.embedder.digest:
        raise EmbedderError(
            "The index was built with another embedder. Run `python -m ingestion run` before changing documents."
        )
    return release


def upload(
    around: Surroundings,
    sources: Sequence[Source],
    engine: Engine,
    *,
    run_id: str,
    like: Release | None = None,
) -> list[Done | Failure]:
    """Add or replace documents; they can be searched when this returns. One result for each source.

    Raises `CollectionBusyError` when another change takes too long, `SourceError` without clearance.
    """
    for place in {source.place for source in sources}:
        _check_clearance(around, place)
    around.folder.mkdir(parents=True, exist_ok=True)
    plan = Plan(around.config, around.folder, run_id, around.vault is not None)
    results: list[Done | Failure] = []
    entries: list[Entry] = []
    ledger = Ledger(around.folder)
    try:
        for _, prepared in engine.prepare(plan, sources):
            results.append(_admit(around, ledger, prepared, entries, run_id))
    finally:
        ledger.close()
    with _writing(around.folder, around.collection):
        base = _base(around, like)
        fresh, known = [], set()
        for entry in entries:
            facts = base.texts.facts(entry.document.id) if base else None
            if facts is not None:
                known.add(entry.document.id)
            if facts is None or facts[:2] != (entry.document.digest, entry.document.recipe):
                fresh.append(entry)
        release = base
        if fresh:
            release = publish(around, base, Change(fresh, (), "upload"))
    waiting = iter(entries)
    changed = {entry.document.id for entry in fresh}
    return [_finished(one, waiting, release, known, changed) for one in results]


def _admit(
    around: Surroundings, ledger: Ledger, prepared: Prepared | Failure, entries: list[Entry], run_id: str
) -> Done | Failure:
    if isinstance(prepared, Failure):
        return prepared
    document = prepared.document
    if prepared.blocked:
        return Failure(f"It holds {', '.join(sorted(prepared.blocked))}, which the policy keeps out.")
    decision = ledger.decision(document.id, document.content)
    if decision == "rejected":
        return Failure("A person rejected this text.")
    if document.flags and decision != "approved":
        with ledger.batch():
            ledger.hold(entry_of(prepared), document.flags, run_id)
        return Done("", "quarantined", 1, len(prepared.chunks), reason=describe(document.flags))
    if prepared.originals and around.vault:
        around.vault.put(prepared.originals)
    entries.append(embedded_entry(entry_of(prepared), around.embedder))
    return Done("", "ingested", 1, len(prepared.chunks))


def _finished(
    one: Done | Failure, entries: Iterator[Entry], release: Release | None, known: set[str], changed: set[str]
) -> Done | Failure:
    if isinstance(one, Failure) or one.status != "ingested":
        return one
    document_id = next(entries).document.id
    return replace(
        one,
        release_id=release.manifest.id if release else "",
        status="ingested" if document_id in changed else "unchanged",
        already_existed=document_id in known,
    )


def _check_clearance(around: Surroundings, place: str) -> None:
    clearance = around.config.clearance_of(place)
    if clearance is None:
        raise SourceError(
            f"No clearance is declared for {place!r}: add `clearance` to the collection {around.collection!r}."
        )
    refusal = clearance.refusal("retrieve", datetime.now(UTC).date())
    if refusal:
        raise SourceError(refusal)


def withdraw(
    around: Surroundings, *, ids: Iterable[str] = (), run_id: str | None = None, like: Release | None = None
) -> Done:
    """Take documents out, by id or by the run that brought them; they can't be found when this returns."""
    with _writing(around.folder, around.collection):
        base = _base(around, like)
        if base is None:
            raise ReleaseError(f"The collection {around.collection!r} has no index yet.")
        wanted = set(ids)
        if run_id is not None:
            wanted |= set(base.texts.ids("run_id = ?", (run_id,)))
        gone = sorted(i for i in wanted if base.texts.holder(i) is not None)
        if not gone:
            return Done(base.manifest.id, "removed")
        release = publish(around, base, Change((), gone, "withdraw"))
    return Done(release.manifest.id, "removed", len(gone))


def decide(
    around: Surroundings, document_id: str, state: Decision, *, by: str, like: Release | None = None
) -> Done:
    """Approve a document in quarantine, which publishes it, or reject it, which takes it out if it is in.

    Raises `QuarantineError` when it does not wait.
    """
    ledger = Ledger(around.folder)
    try:
        entry = ledger.held_entry(document_id)
        if entry is None:
            waiting = [one.document_id for one in ledger.held()][:5]
            raise QuarantineError(f"{document_id!r} does not wait in quarantine. These do: {waiting}.")
        if state == "rejected":
            document = entry.document
            ledger.decide(document_id, state, by)
            with ledger.batch():
                outcome = Outcome("rejected", "A person rejected it.", document.digest, document.recipe)
                ledger.note(document_id, document.place, outcome)
            return Done(active_id(around.folder) or "", state, 1)
        entry = embedded_entry(entry, around.embedder)
        with _writing(around.folder, around.collection):
            release = publish(around, _base(around, like), Change([entry], (), "upload"))
        ledger.decide(document_id, state, by)
        with ledger.batch():
            ledger.settle(document_id)
    finally:
        ledger.close()
    return Done(release.manifest.id, state, 1, len(entry.chunks))


def embedded_entry(entry: Entry, embedder: Embedder) -> Entry:
    """An entry with the vectors and codes of its chunks."""
    embedded = embedder.encode([chunk.embedded_text for chunk in entry.chunks])
    return replace(entry, vectors=embedded.vectors, codes=embedded.codes)


def compact(around: Surroundings) -> Done:
    """Write the active release anew without what was removed, and delete every other one from the disk."""
    with _writing(around.folder, around.collection):
        base = _base(around, None)
        if base is None:
            raise ReleaseError(f"The collection {around.collection!r} has no index yet.")
        everything = (entry for i in sorted(base.texts.ids()) if (entry := base.texts.entry(i)) is not None)
        release = publish(around, None, Change(everything), Retention(keep=0, grace_s=0.0, only_active=True))
    return Done(release.manifest.id, "removed", release.manifest.documents, release.manifest.chunks)
