"""What may be shown and learned of a release: documents that everybody may see and that are cleared for training, in the
base model's languages, on two sides: those that are learned from, and those that only measure."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cached_property

from finetune.lora.rows import Source
from ingestion.config import CollectionConfig
from ingestion.corpus import Chunk, Hit
from ingestion.embed import Embedder
from ingestion.releases.release import Release
from ingestion.search.asking import asked_part
from ingestion.search.retrieve import RetrievalSettings, SearchRequest, Tools, retrieve
from ingestion.view import View

_EVERYBODY = View(frozenset())
# Further passages than are shown: some are left out and asked about all the same, some hold evaluation cases.
SPARE = 8


@dataclass(frozen=True, slots=True)
class Cleared:
    """Documents by id with their sources; why others may not be learned from, with how many."""

    sources: Mapping[str, Source]
    refused: Mapping[str, int]


def cleared_documents(
    release: Release, config: CollectionConfig, languages: Sequence[str], today: date
) -> Cleared:
    """Documents whose clearance allows `train` on a day and that no group keeps to itself."""
    public = set(release.documents.visible_ids(_EVERYBODY))
    sources: dict[str, Source] = {}
    refused: dict[str, int] = {}
    for document in release.documents.all():
        reason = _refusal(release, config, document.id, today)
        if document.id not in public:
            reason = "for some groups alone"
        elif document.language not in languages:
            reason = "in another language"
        if reason is not None:
            refused[reason] = refused.get(reason, 0) + 1
            continue
        clearance = config.clearance_of(_source_name(release, document.id))
        assert clearance is not None
        expires = clearance.expires.isoformat() if clearance.expires else None
        sources[document.id] = Source(
            "document", document.id, document.digest, clearance.supplier, clearance.licence, expires
        )
    return Cleared(sources, refused)


def _source_name(release: Release, document_id: str) -> str:
    facts = release.documents.facts(document_id)
    return facts[2] if facts else ""


def _refusal(release: Release, config: CollectionConfig, document_id: str, today: date) -> str | None:
    clearance = config.clearance_of(_source_name(release, document_id))
    if clearance is None:
        return "without clearance"
    if clearance.refusal("train", today) is None:
        return None
    return "expired clearance" if "train" in clearance.purposes else "not cleared for training"


def is_development(group: str, share: float, seed: int) -> bool:
    """Whether a document or conversation only measures: the same in every process, whatever else there is."""
    number = int.from_bytes(hashlib.sha256(f"{seed}/{group}".encode()).digest()[:8])
    return number < share * 2**64


@dataclass(frozen=True)
class Passages:
    """Finds passages as serving does, among some documents."""

    release: Release
    embedder: Embedder
    settings: RetrievalSettings

    @cached_property
    def _tools(self) -> Tools:
        return Tools(self.embedder.languages, self.embedder.late)

    def near(self, questions: Sequence[str], documents: Mapping[str, Source]) -> list[list[Hit]]:
        """The hits of each question, the best first, in these documents alone."""
        encoded = self.embedder.encode_questions([asked_part(question) for question in questions])
        return [
            [
                hit
                for hit in retrieve(
                    self.release,
                    SearchRequest(text, question, "", self.settings, _EVERYBODY),
                    self._tools,
                )
                if hit.chunk.document_id in documents and not hit.chunk.superseded
            ]
            for text, question in zip(questions, encoded, strict=True)
        ]

    def chunks(self, documents: Mapping[str, Source]) -> list[Chunk]:
        """The chunks of documents, in order."""
        found = (self.release.documents.document_chunks(one) for one in sorted(documents))
        return [chunk for chunks in found for _, chunk in chunks if not chunk.superseded]
