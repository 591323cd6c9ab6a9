"""The values of curated answers."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal

# What the id of a curated answer has in front of it where ids of documents and generators stand too.
CURATED: Final = "curated"


@dataclass(frozen=True, slots=True)
class CuratedSource:
    """What a curated answer rests on, as its author named it: a document or a passage of it, or a web page.

    `digest` is that of the document when the answer was written.
    """

    title: str
    document_id: str | None = None
    chunk_id: str | None = None
    url: str | None = None
    digest: str | None = None


@dataclass(frozen=True, slots=True)
class CuratedText:
    """What an author writes, guarded. Without `groups` it is for everybody; `alternatives` are other ways to ask."""

    assistant: str
    question: str
    answer: str
    language: str
    alternatives: tuple[str, ...] = ()
    sources: tuple[CuratedSource, ...] = ()
    groups: tuple[str, ...] = ()
    valid_from: datetime | None = None
    valid_until: datetime | None = None

    @property
    def phrasings(self) -> tuple[str, ...]:
        """All ways to ask."""
        return (self.question, *self.alternatives)

    def is_valid(self, now: datetime) -> bool:
        """Whether it holds at a moment."""
        has_begun = self.valid_from is None or self.valid_from <= now
        return has_begun and (self.valid_until is None or now < self.valid_until)


@dataclass(frozen=True, slots=True)
class Curated:
    """A curated answer as it is stored. `version` rises with every change; a retired one answers nobody any more."""

    id: str
    text: CuratedText
    version: int
    created_at: datetime
    created_by: str
    changed_at: datetime
    changed_by: str
    retired_at: datetime | None = None

    @property
    def name(self) -> str:
        """What names it among documents, passages and generators."""
        return f"{CURATED}:{self.id}"


@dataclass(frozen=True, slots=True)
class CuratedMatch:
    """A curated answer and how its question was met; `score` is the cosine of the two questions, 1 for an exact one."""

    curated: Curated
    kind: Literal["exact", "near"]
    score: float
