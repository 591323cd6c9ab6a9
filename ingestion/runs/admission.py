"""Which prepared documents enter: neither copies, nor what a policy blocks, nor what must wait for a person."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from ingestion.config import CollectionConfig
from ingestion.corpus import Document, Flag
from ingestion.index.segment import Entry
from ingestion.prepare.near_duplicates import NEAR, is_copy, resemblance
from ingestion.prepare.preparer import PreparedDocument
from ingestion.prepare.rivals import beginning, rivals
from ingestion.prepare.screen import describe
from ingestion.releases.release import Release
from ingestion.runs.ruling import Ruling, rule_on
from ingestion.runs.state import Outcome, RunState

_CANDIDATES = 20
# Poisoned passages are short; a manual that begins like another is not.
_SHORT_CHUNKS = 3
_KNOWN_SOURCE_DOCUMENTS = 20
_TRUST = ("low", "normal", "high")
_NO_VECTORS = np.empty((0, 0), np.float32)


class Admission:
    """Decides about one document after the other, in order, and at the end about all of them together."""

    def __init__(
        self,
        state: RunState,
        config: CollectionConfig,
        previous: Release | None,
        run_id: str,
        *,
        kept: frozenset[str] = frozenset(),
    ) -> None:
        """`kept` are sources whose documents stay though this run did not meet them.

        `passages` and `let_through` tell of which documents only passages wait, and what approvals of their sources let in.
        """
        self._state = state
        self._config = config
        self._previous = previous
        self._run_id = run_id
        self._kept = kept
        self._learned = state.lessons.learned()
        self.passages: dict[str, str] = {}
        self.let_through: dict[str, str] = {}

    def admit(self, prepared: PreparedDocument) -> PreparedDocument | None:
        """Stage a document without its vectors, or note why not. Call it within a batch of the state."""
        document = prepared.document
        self._state.outcomes.settle(document.id)
        self._state.staging.unstage(document.id)
        self._state.quarantine.forget(document.id, but=document.content)
        ruling = self._rule_on(prepared)
        if ruling.kind == "blocked":
            self._refuse(document, ruling.kind, ruling.detail)
            return None
        copy_of = self._copy_of(document, prepared.bands) if self._config.deduplicate else None
        if copy_of is not None:
            self._refuse(document, "copy", copy_of)
            return None
        if ruling.kind == "held":
            self._state.quarantine.hold(entry_of(prepared), document.flags, self._run_id)
        if ruling.kind != "enters":
            self._refuse(document, ruling.kind, ruling.detail)
            return None
        prepared = self._versioned(ruling.prepared)
        self._hold_passages(ruling, prepared.document.superseded_by)
        is_doubted = len(prepared.chunks) <= _SHORT_CHUNKS and _trust(document) < len(_TRUST) - 1
        start = beginning(document) if is_doubted else None
        self._state.staging.stage(entry_of(prepared), start or "")
        return prepared

    def _rule_on(self, prepared: PreparedDocument) -> Ruling:
        document = prepared.document
        decision = self._state.quarantine.decision(document.id, document.content)
        return rule_on(prepared, decision, self._learned.get(document.source_name, frozenset()))

    def _hold_passages(self, ruling: Ruling, superseded_by: str | None) -> None:
        """What waits of a document that enters; nothing of it waits any longer where that is nothing."""
        document = ruling.prepared.document
        if ruling.passed:
            self.let_through[document.id] = describe(ruling.passed)
        if ruling.waits is None:
            self._state.quarantine.forget(document.id)
            return
        whole = _superseded(ruling.waits, superseded_by) if superseded_by else ruling.waits
        self._state.quarantine.hold(entry_of(whole), whole.document.flags, self._run_id)
        self.passages[document.id] = ruling.detail

    def _refuse(self, document: Document, kind: str, detail: str) -> None:
        self._state.outcomes.note(
            document.id, document.source_name, Outcome(kind, detail, document.digest, document.recipe)
        )

    def _alike(self, document: Document, bands: Sequence[int]) -> Iterator[Document]:
        """Other documents that are to be in the release and share a band, those of this run first."""
        for document_id in self._state.staging.like(document.content, bands)[:_CANDIDATES]:
            entry = self._state.staging.entry(document_id)
            if document_id != document.id and entry is not None:
                yield entry.document
        if self._previous is None:
            return
        near = list(self._previous.documents.ids("content = ?", (document.content,)))
        near += sorted(set(self._previous.documents.near(bands)))
        for document_id in list(dict.fromkeys(near))[:_CANDIDATES]:
            if document_id == document.id or self._state.staging.holds(document_id):
                continue
            found = self._previous.documents.document(document_id)
            if found is not None and self._stays(found):
                yield found

    def _stays(self, document: Document) -> bool:
        """Whether a document of the previous release will be in the next one, as far as can be known now."""
        if self._state.staging.has_seen(document.id) or document.source_name in self._kept:
            return True
        return document.source_name not in self._state.staging.sources_seen()

    def _copy_of(self, document: Document, bands: Sequence[int]) -> str | None:
        for other in self._alike(document, bands):
            if other.content == document.content or (
                other.language == document.language
                and other.superseded_by is None
                and _is_same_version(document, other)
                and is_copy(document.text, other.text)
            ):
                return other.id
        return None

    def _versioned(self, prepared: PreparedDocument) -> PreparedDocument:
        """Of two dated versions of one text, the older is marked as superseded by the newer."""
        document = prepared.document
        if document.superseded_by or not document.updated or not self._config.deduplicate:
            return prepared
        for other in self._alike(document, prepared.bands):
            if not _is_version(document, other):
                continue
            older, newer = sorted((document, other), key=lambda one: one.updated or "")
            if _trust(older) > _trust(newer):
                continue
            if older is document:
                return _superseded(prepared, newer.id)
            self._supersede(older.id, newer.id)
        return prepared

    def _supersede(self, old: str, new: str) -> None:
        entry = self._state.staging.entry(old) or (
            self._previous.documents.entry(old) if self._previous else None
        )
        if entry is None or entry.document.superseded_by:
            return
        marked = _superseded(PreparedDocument(entry.document, entry.chunks, entry.bands), new)
        self._state.staging.stage(replace(entry_of(marked), vectors=entry.vectors), "")

    # Of all documents of the run together.

    def screen_together(self) -> None:
        """Hold back floods, sources not seen before, and near copies that are aimed at one question."""
        policy = self._config.screen
        if not policy.enabled:
            return
        for question, group in list(self._state.staging.beginnings(policy.near_copies)):
            entries = [self._state.staging.entry(document_id) for document_id in group]
            texts = [entry.document.text for entry in entries if entry is not None]
            alike = [group[i] for i in rivals(texts, question)]
            if len(alike) >= policy.near_copies:
                reason = f"{len(alike)} short documents begin with the same question and answer it alike"
                self._hold_staged(alike, Flag("near_copies", reason))
        if self._previous is None:
            return
        for source_name, staged in self._state.staging.by_source().items():
            before = self._previous.documents.count("source_name = ?", (source_name,))
            fresh = [i for i in staged if self._previous.documents.holder(i) is None]
            if not before and policy.new_sources == "quarantine":
                self._hold_staged(fresh, Flag("new_source", f"nothing came from {source_name!r} before"))
            is_known = before >= _KNOWN_SOURCE_DOCUMENTS
            if (
                is_known
                and len(fresh) >= policy.flood_documents
                and len(fresh) > policy.flood_factor * before
            ):
                reason = f"{len(fresh)} documents at once from {source_name!r}, which had {before}"
                self._hold_staged(fresh, Flag("flood", reason))

    def _hold_staged(self, ids: Sequence[str], flag: Flag) -> None:
        with self._state.batch():
            for document_id in ids:
                entry = self._state.staging.entry(document_id)
                if entry is not None:
                    self._hold(entry, flag)

    def _hold(self, entry: Entry, flag: Flag) -> None:
        # What waits of a document holds all of it.
        entry = self._state.quarantine.entry(entry.document.id) or entry
        document = replace(entry.document, flags=(*entry.document.flags, flag))
        prepared = PreparedDocument(document, entry.chunks, entry.bands)
        ruling = self._rule_on(prepared)
        if ruling.kind == "held":
            self._state.staging.unstage(document.id)
            self._state.quarantine.hold(entry_of(prepared), document.flags, self._run_id)
            self._refuse(document, ruling.kind, ruling.detail)
            self.passages.pop(document.id, None)


def entry_of(prepared: PreparedDocument) -> Entry:
    """A prepared document as an entry that waits for its vectors."""
    return Entry(
        prepared.document, prepared.chunks, tuple(range(len(prepared.chunks))), _NO_VECTORS, prepared.bands
    )


def _is_same_version(one: Document, other: Document) -> bool:
    return not (one.updated and other.updated and one.updated != other.updated)


def _is_version(one: Document, other: Document) -> bool:
    """The same page of another date: alike in text, and of the same title but for figures."""
    if not other.updated or other.updated == one.updated or other.superseded_by:
        return False
    is_same_title = _letters(one.title) == _letters(other.title)
    return is_same_title and one.language == other.language and resemblance(one.text, other.text) >= NEAR


def _trust(document: Document) -> int:
    """How far its source is believed, as a rank: a document supersedes none that is believed more than itself."""
    return _TRUST.index(str(document.clearance.get("trust", "normal")))


def _letters(text: str) -> str:
    return "".join(c for c in text.casefold() if c.isalpha())


def _superseded(prepared: PreparedDocument, by: str) -> PreparedDocument:
    return replace(
        prepared,
        document=replace(prepared.document, superseded_by=by),
        chunks=tuple(replace(chunk, superseded=True) for chunk in prepared.chunks),
    )
