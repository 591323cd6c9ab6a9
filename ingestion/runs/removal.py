"""Which documents leave the index with a run, and which must not: those of a source that could not be read."""

from collections.abc import Collection, Iterator, Sequence
from datetime import UTC, datetime

from ingestion.load.archive import is_container
from ingestion.load.folder import UNREADABLE
from ingestion.releases.release import Release
from ingestion.runs.discovery import same_name
from ingestion.runs.state import Outcome, RunState

_OUT = ("refused", "blocked", "copy", "rejected")


class Removal:
    """Compares the release that a run builds on with what the run met. `kept` are sources that it could not list."""

    def __init__(self, base: Release, state: RunState, kept: frozenset[str]) -> None:
        self._base, self._state, self._kept = base, state, kept

    def documents(self, sources: Sequence[str], declared: Collection[str] | None) -> list[str]:
        """Documents that their source has no more, whose clearance has run out, or that became a copy.

        With `declared`, also those of sources that are declared no more.
        """
        gone: set[str] = set()
        for source_name in sources:
            gone.update(self._missing(source_name))
            outcomes = self._state.outcomes.of(source_name)
            gone.update(i for i, outcome in outcomes.items() if outcome.kind in _OUT)
        today = datetime.now(UTC).date().isoformat()
        gone.update(self._base.documents.ids("expires <> '' and expires < ?", (today,)))
        for source_name in self._base.documents.sources() if declared is not None else ():
            if source_name not in (declared or ()) and not source_name.startswith("upload:"):
                gone.update(self._of(source_name))
        return sorted(i for i in gone if self._base.documents.holder(i) is not None)

    def _of(self, source_name: str) -> Iterator[str]:
        return self._base.documents.ids("source_name = ?", (source_name,))

    def _missing(self, source_name: str) -> Iterator[str]:
        """What a source has no more. What lies in an archive or a folder that can't be opened now stays."""
        if source_name in self._kept:
            return
        closed = _closed(self._state, source_name)
        for document_id in self._of(source_name):
            if _is_gone(self._state, document_id, closed, source_name):
                yield document_id

    def give_way(self) -> None:
        """Leave out what would take the id of a document whose source failed; that document stays."""
        if not self._kept:
            return
        with self._state.batch():
            for source_name, ids in self._state.staging.by_source().items():
                for document_id in ids:
                    facts = self._base.documents.facts(document_id)
                    if facts is not None and facts[2] != source_name and facts[2] in self._kept:
                        self._leave_out(document_id, source_name, facts[2])

    def _leave_out(self, document_id: str, source_name: str, other: str) -> None:
        entry = self._state.staging.entry(document_id)
        if entry is not None:
            document = entry.document
            self._state.staging.unstage(document_id)
            outcome = Outcome("failed", same_name(other), document.digest, document.recipe)
            self._state.outcomes.note(f"{source_name}:{document_id}", source_name, outcome)


def forget_unseen(
    state: RunState, sources: Sequence[str], declared: Collection[str] | None, kept: frozenset[str]
) -> None:
    """Forget what waits in quarantine of documents that their source has no more; `declared` as for `Removal`."""
    with state.batch():
        for one in state.quarantine.held():
            name = one.source_name
            is_undeclared = (
                declared is not None and name not in (*declared, *sources) and not name.startswith("upload:")
            )
            is_asked = name in sources and name not in kept
            if is_undeclared or (is_asked and _is_gone(state, one.document_id, _closed(state, name), name)):
                state.quarantine.forget(one.document_id)
                state.outcomes.settle(one.document_id)


def _closed(state: RunState, source_name: str) -> set[str]:
    """Archives and folders of a source that can't be opened now."""
    return {
        document_id
        for document_id, outcome in state.outcomes.of(source_name).items()
        if outcome.kind == "failed" and (is_container(document_id) or outcome.digest == UNREADABLE)
    }


def _is_gone(state: RunState, document_id: str, closed: set[str], source_name: str) -> bool:
    """Whether neither a document was met nor anything closed that it may lie in.

    An id that was told apart by its source's name may be the one of a member whose archive wasn't.
    """
    around = closed & (_containers(document_id) | _containers(document_id.removeprefix(f"{source_name}/")))
    return not state.staging.has_seen(document_id) and not any(state.staging.has_seen(one) for one in around)


def _containers(document_id: str) -> set[str]:
    """Folders and archives that a document lies in: `a`, `a/b.zip` and `a/b.zip!/c` of `a/b.zip!/c/d.md`."""
    parts = document_id.split("/")
    return {"/".join(parts[:end]).removesuffix("!") for end in range(1, len(parts))}
