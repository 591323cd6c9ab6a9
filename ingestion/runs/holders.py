"""Who holds which id of a collection, and what an update keeps of the document that it replaces."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from ingestion.audience import candidates, own_id, own_range
from ingestion.config import CollectionConfig
from ingestion.corpus import NAMED_FACTS, Document, Fact, Source, SourceFacts
from ingestion.errors import AudienceError
from ingestion.releases.documents import ReleaseDocuments
from ingestion.releases.release import Release
from ingestion.runs.state import QuarantinedDocument
from ingestion.runs.state.quarantine import Quarantine
from ingestion.view import may_see


@dataclass(frozen=True, slots=True)
class Holding:
    """Under which id a caller's document is kept, and the document that the caller has there."""

    id: str
    document: Document | None = None

    def is_like(self, other: "Holding") -> bool:
        """Whether an update would go to the same place for the same groups."""
        return self.id == other.id and _audience(self.document) == _audience(other.document)


def _audience(document: Document | None) -> tuple[object, ...]:
    return (document.groups, document.declared_by, document.named) if document else ()


def live_id(documents: ReleaseDocuments, document_id: str, groups: frozenset[str] | None) -> str | None:
    """The stored id of the document that callers of these groups mean; None when there is none for them."""
    first, last = own_range(document_id)
    others = list(documents.ids("id >= ? and id < ?", (first, last))) if groups is not None else []
    for stored in candidates(document_id, groups, others):
        found = documents.document(stored)
        if found is not None and may_see(groups, found.groups):
            return stored
    return None


class Holders:
    """The ids of a collection as callers of some groups (None: all) find them, in the index and in quarantine."""

    def __init__(
        self, release: Release | None, quarantine: Quarantine, groups: frozenset[str] | None
    ) -> None:
        self.groups = groups
        self._documents = release.documents if release else None
        self._quarantine = quarantine

    def holding(self, document_id: str) -> Holding:
        """Where a document that is brought under an id goes: to what it replaces, else to a place of its own."""
        for stored in self._candidates(document_id):
            found = self._visible(stored)
            if found is not None:
                return Holding(stored, found)
        is_taken = self.groups is not None and self._is_held(document_id)
        return Holding(own_id(document_id, self.groups or frozenset()) if is_taken else document_id)

    def waiting(self, document_id: str) -> str | None:
        """The stored id under which a document waits that these callers may decide about."""
        return next((one for one in self._candidates(document_id) if self._may_decide(one)), None)

    def held(self) -> list[QuarantinedDocument]:
        """What waits in quarantine and these callers may decide about."""
        return [one for one in self._quarantine.held() if self._may_decide(one.document_id)]

    def _candidates(self, document_id: str) -> list[str]:
        if self.groups is None:
            return [document_id]
        first, last = own_range(document_id)
        others = set(self._quarantine.ids_between(first, last))
        if self._documents is not None:
            others.update(self._documents.ids("id >= ? and id < ?", (first, last)))
        return candidates(document_id, self.groups, list(others))

    def _live(self, stored: str) -> Document | None:
        return self._documents.document(stored) if self._documents is not None else None

    def _is_held(self, stored: str) -> bool:
        return self._live(stored) is not None or self._quarantine.waiting(stored) is not None

    def _visible(self, stored: str) -> Document | None:
        """The latest that was said under an id, unless what is in the index there is hidden."""
        live, waiting = self._live(stored), self._quarantine.waiting(stored)
        if live is not None and not may_see(self.groups, live.groups):
            return None
        return waiting if waiting is not None and may_see(self.groups, waiting.groups) else live

    def _may_decide(self, stored: str) -> bool:
        live, waiting = self._live(stored), self._quarantine.waiting(stored)
        return all(may_see(self.groups, one.groups) for one in (live, waiting) if one) and waiting is not None


def updated(source: Source, held: Holding, config: CollectionConfig, groups: frozenset[str] | None) -> Source:
    """A source as it enters: under its id, with what its upload doesn't name kept from the document that it replaces.

    Raises `AudienceError` for a document that callers of these groups can't give to whom it would be for.
    """
    declared_by = _declared_by(held.document, config)
    rules = declared_by or source.source_name
    facts = _kept(source.facts, held.document)
    if facts.groups is None:
        facts = replace(facts, groups=tuple(config.groups_of(rules)))
    _check_audience(source, facts, held.document, config.groups_of(rules), groups)
    digest = hashlib.sha256(source.digest.encode() + _bytes_of(facts)).hexdigest()
    return replace(source, id=held.id, facts=facts, digest=digest, declared_by=declared_by)


def _bytes_of(facts: SourceFacts) -> bytes:
    return json.dumps(asdict(replace(facts, named=None)), sort_keys=True).encode()


def _declared_by(previous: Document | None, config: CollectionConfig) -> str:
    """The source of the scope file whose declaration holds on; none for what was uploaded from the beginning."""
    if previous is None:
        return ""
    name = previous.declared_by or previous.source_name
    return name if name in config.sources_by_name else ""


def _kept(facts: SourceFacts, previous: Document | None) -> SourceFacts:
    named = set(facts.told() if facts.named is None else facts.named)
    if previous is None:
        return replace(facts, named=_told(facts, has_groups="groups" in named))
    changes: dict[str, Any] = {
        name: value
        for name, value in _facts_of(previous).items()
        if name in previous.named and name not in named
    }
    if not facts.metadata and "metadata" not in named:
        changes["metadata"] = _metadata_of(previous)
    has_groups = "groups" in {*named, *previous.named}
    if facts.groups is None and (previous.groups or has_groups):
        changes["groups"] = previous.groups
    kept = replace(facts, **changes)
    return replace(kept, named=_told(kept, has_groups=has_groups))


def _told(facts: SourceFacts, *, has_groups: bool) -> tuple[str, ...]:
    return tuple(name for name in facts.told() if has_groups or name != "groups")


def _facts_of(document: Document) -> dict[str, str]:
    values = (document.title, document.language, document.updated or "", document.source)
    return dict(zip(NAMED_FACTS, values, strict=True))


def _metadata_of(document: Document) -> Mapping[str, Fact]:
    return {key: value for key, value in document.metadata.items() if f"metadata.{key}" in document.named}


def _check_audience(
    source: Source,
    facts: SourceFacts,
    previous: Document | None,
    declared: list[str],
    groups: frozenset[str] | None,
) -> None:
    is_kept = previous is not None and set(facts.groups or ()) == set(previous.groups)
    if groups is None or is_kept:
        return
    own = groups | set(previous.groups if previous else ())
    foreign = sorted(set(facts.groups or ()) - own)
    if source.facts.groups is None and may_see(groups, tuple(declared)):
        return
    if foreign:
        raise AudienceError(
            f"{source.id!r} would be for the groups {foreign}, and this key has {sorted(groups)}. Name groups of the"
            " key, or use a key that has them."
        )
    if declared and not facts.groups:
        raise AudienceError(
            f"{source.id!r} would be for everybody, in a collection that isn't. Name groups of the key, which has"
            f" {sorted(groups)}, or use a key that sees everything."
        )
