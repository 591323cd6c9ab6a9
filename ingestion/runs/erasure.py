"""What is kept of documents beside the index, and how it goes: texts in quarantine, staged work, reports, the vault."""

import json
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from filelock import FileLock, Timeout

from ingestion.atomic import write_atomically
from ingestion.errors import CollectionBusyError, SourceError
from ingestion.index.segment import Entry
from ingestion.releases.release import Release
from ingestion.runs.collection import Collection
from ingestion.runs.state import Outcome, QuarantinedDocument, RunState
from ingestion.scrub.vault import forget_unused
from ingestion.view import may_see

REMOVED = "removed"
_PSEUDONYM = re.compile(r"<[A-Z_]+?(?:_\d+)+>")
# What reports say of texts: words of them, and reasons that may quote them.
_QUOTING = ("failures", "quarantined", "partial", "passages", "let_through")


def waiting_of(
    state: RunState, ids: Iterable[str], groups: frozenset[str] | None
) -> dict[str, QuarantinedDocument]:
    """Of some documents, those that wait in quarantine and that `groups` (None: all) may see."""
    wanted = set(ids)
    held = (one for one in state.quarantine.held() if one.document_id in wanted)
    return {one.document_id: one for one in held if may_see(groups, one.groups)}


def note_removed(state: RunState, base: Release | None, document_id: str) -> None:
    """Remember that a person took a document out, so that a run leaves it out until its source changes it.

    Call it within a batch, before what waits of the document is forgotten.
    """
    entry = state.quarantine.entry(document_id)
    facts = base.documents.facts(document_id) if base else None
    if entry is not None:
        document = entry.document
        facts = document.digest, document.recipe, document.source_name
    if facts is None or facts[2].startswith("upload:"):
        return
    digest, recipe, source_name = facts
    detail = (
        "It was taken out on request, and stays out until its source changes it or `restore` asks for it."
    )
    state.outcomes.note(document_id, source_name, Outcome(REMOVED, detail, digest, recipe))


def restore(folder: Path, ids: Sequence[str]) -> None:
    """Let the next run take in again what was taken out on request. Raises `SourceError` for what was not."""
    state = RunState(folder)
    try:
        with state.batch():
            for document_id in ids:
                outcome = state.outcomes.get(document_id)
                if outcome is None or outcome.kind != REMOVED:
                    raise SourceError(
                        f"{document_id!r} was not taken out on request, so there is nothing to restore."
                    )
                state.outcomes.settle(document_id)
    finally:
        state.close()


def purge_beside(collection: Collection, released: Iterable[Entry]) -> None:
    """Leave nothing on the disk of documents that are neither in the index nor waiting for a person.

    Raises `CollectionBusyError` while a run is going on, whose texts these are.
    """
    folder = collection.folder
    try:
        with FileLock(folder / "run.lock", timeout=0):
            state = RunState(folder)
            try:
                state.purge()
                waiting = [state.quarantine.entry(one.document_id) for one in state.quarantine.held()]
            finally:
                state.close()
            kept = [*released, *(entry for entry in waiting if entry is not None)]
            forget_unused(
                folder, {name for entry in kept for name in _PSEUDONYM.findall(entry.document.text)}
            )
            for path in (folder / "runs").glob("*.json"):
                _redact(path)
    except Timeout as exc:
        raise CollectionBusyError(
            f"A run is writing the collection {collection.name!r}, and nothing was purged beside the index. Try again."
        ) from exc


def _redact(path: Path) -> None:
    report = json.loads(path.read_text("utf-8"))
    clean: dict[str, dict[str, object]] = {
        name: {i: _rules(reason) for i, reason in report.get(name, {}).items()} for name in _QUOTING
    }
    if "tokens" in report:
        clean["tokens"] = {**report["tokens"], "worst": {}}
    if any(report.get(name, {}) != value for name, value in clean.items()):
        write_atomically(path, json.dumps({**report, **clean}, indent=1))


def _rules(reason: str) -> str:
    """`rule: words of the text; other: …` without the words."""
    return "; ".join(part.partition(":")[0] for part in reason.split("; "))
