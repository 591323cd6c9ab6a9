"""The documents of a collection as a list: those that are served, and what became of the others. Knows nothing of HTTP."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Literal

from ingestion.audience import plain_id, shown_id
from ingestion.columns import column_of
from ingestion.filter import Filter, mask_of
from ingestion.index.texts import facts_of
from ingestion.prepare.screen import describe
from ingestion.releases.documents import DocumentSummary, ReleaseDocuments
from ingestion.releases.release import Release
from ingestion.runs.holders import Holders, live_id
from ingestion.runs.state import Outcome, RunState
from ingestion.view import View

Status = Literal["served", "held", "refused"]
# Outcomes of documents that no person took out and that don't wait for one.
_REFUSED = frozenset({"failed", "refused", "blocked", "copy", "rejected"})
_RUN_TIME = re.compile(r"(\d{8}T\d{6})-")


@dataclass(frozen=True, slots=True)
class Page:
    """Which part of a list is asked for: ids behind `after`, at most `limit`, of some statuses (None: of any)."""

    limit: int
    after: str = ""
    statuses: frozenset[Status] | None = None


@dataclass(frozen=True, slots=True)
class ListedDocument:
    """A document by the id that the caller is shown.

    `reason` says why it is held or refused; of one that is served, why a newer text of it isn't.
    """

    id: str
    status: Status
    reason: str | None
    source_name: str
    at: str | None
    summary: DocumentSummary | None


@dataclass(frozen=True, slots=True)
class DocumentListing:
    """A page of a list, how many documents the whole of it has, and how many of each status there are."""

    documents: tuple[ListedDocument, ...]
    total: int
    counts: Mapping[Status, int]
    has_more: bool


@dataclass(frozen=True, slots=True)
class _Aside:
    """A document, or a newer text of one, that isn't served."""

    status: Status
    reason: str
    source_name: str
    stored: str
    at: str | None = None


@dataclass(frozen=True, slots=True)
class _Row:
    """What is known of an id before anything else is read: what is served under it, and what isn't."""

    id: str
    served: str | None
    aside: _Aside | None

    @property
    def status(self) -> Status:
        return "served" if self.served is not None or self.aside is None else self.aside.status

    def is_of(self, statuses: frozenset[Status] | None) -> bool:
        """Whether it or its newer text has one of the statuses."""
        own = {self.status} | ({self.aside.status} if self.aside else set())
        return statuses is None or not own.isdisjoint(statuses)


def list_documents(
    release: Release | None, state: RunState | None, view: View, page: Page
) -> DocumentListing:
    """A page of what a view shows. Without `state`, of served documents alone."""
    texts = release.documents if release else None
    served = _served(texts, view) if texts else {}
    aside = _aside(release, state, view) if state else {}
    rows = [_Row(i, served.get(i), aside.get(i)) for i in sorted(served.keys() | aside.keys())]
    matching = [row for row in rows if row.is_of(page.statuses)]
    behind = [row for row in matching if row.id > page.after][: page.limit + 1]
    counts: Counter[Status] = Counter(row.status for row in rows)
    shown = tuple(_listed(row, texts, state) for row in behind[: page.limit])
    statuses: tuple[Status, ...] = ("served", "held", "refused")
    return DocumentListing(
        shown, len(matching), {one: counts[one] for one in statuses}, len(behind) > page.limit
    )


def _served(texts: ReleaseDocuments, view: View) -> dict[str, str]:
    """Stored ids by the ids that the caller is shown, which may read the same: then the one that the caller means."""
    found: dict[str, str] = {}
    for stored in texts.visible_ids(replace(view, include_superseded=True)):
        shown = shown_id(stored, view.groups)
        meant = live_id(texts, shown, view.groups) if shown in found else None
        found[shown] = meant or stored
    return found


def _aside(release: Release | None, state: RunState, view: View) -> dict[str, _Aside]:
    """What isn't served. Whose a refused document would be is not known, so that who sees everything sees it alone."""
    found: dict[str, _Aside] = {}
    if view.groups is None:
        refused = {
            i: _Aside("refused", _reason(outcome), source_name, i)
            for i, source_name, outcome in state.outcomes.all()
            if outcome.kind in _REFUSED
        }
        facts = [{"id": plain_id(i), "place": one.source_name} for i, one in refused.items()]
        found |= _chosen(refused, facts, view.filter)
    waiting: dict[str, _Aside] = {}
    known: list[Mapping[str, object]] = []
    for held in Holders(release, state.quarantine, view.groups).held():
        document = state.quarantine.waiting(held.document_id)
        shown = shown_id(held.document_id, view.groups)
        if document is not None and shown not in waiting:
            waiting[shown] = _Aside(
                "held", describe(held.flags), held.source_name, held.document_id, _to_second(held.at)
            )
            known.append(facts_of(document))
    return found | _chosen(waiting, known, view.filter)


def _chosen(
    rows: Mapping[str, _Aside], facts: Sequence[Mapping[str, object]], wanted: Filter | None
) -> dict[str, _Aside]:
    """The rows for whose facts a filter holds."""
    if wanted is None or not rows:
        return dict(rows)
    mask = mask_of(wanted, lambda field: column_of(facts, field), len(facts))
    return {i: one for (i, one), holds in zip(rows.items(), mask.tolist(), strict=True) if holds}


def _reason(outcome: Outcome) -> str:
    if outcome.kind == "copy":
        return f"It is a copy of {plain_id(outcome.detail)!r}."
    return outcome.detail or f"It was {outcome.kind}."


def _listed(row: _Row, texts: ReleaseDocuments | None, state: RunState | None) -> ListedDocument:
    aside, summary = row.aside, None
    if row.served is not None and texts is not None:
        summary = texts.summary(row.served)
    elif aside is not None and aside.status == "held" and state is not None:
        entry = state.quarantine.entry(aside.stored)
        summary = DocumentSummary.of(entry.document, len(entry.chunks)) if entry else None
    source_name = summary.source_name if summary else (aside.source_name if aside else "")
    at = run_time(summary.run_id) if summary else None
    return ListedDocument(
        id=row.id,
        status=row.status,
        reason=aside.reason if aside else None,
        source_name=source_name,
        at=at or (aside.at if aside else None),
        summary=summary,
    )


def run_time(run_id: str) -> str | None:
    """When a run began, which its id says, in UTC."""
    found = _RUN_TIME.match(run_id)
    return datetime.strptime(found[1], "%Y%m%dT%H%M%S").replace(tzinfo=UTC).isoformat() if found else None


def _to_second(at: str) -> str:
    return datetime.fromisoformat(at).replace(microsecond=0).isoformat()


def policies_of(documents: Iterable[ListedDocument]) -> set[str]:
    """The policies that the listed documents were scrubbed under."""
    return {one.summary.pii_policy for one in documents if one.summary}
