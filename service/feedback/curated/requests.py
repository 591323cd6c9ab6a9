"""What clients send and get of curated answers. Pydantic checks it; nothing is looked up here."""

from datetime import datetime
from typing import Annotated, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, model_validator

from ingestion.audience import plain_id
from service.feedback.curated.answer import Curated, CuratedSource
from service.feedback.requests import Text

_QUESTION_CHARS, _ANSWER_CHARS = 400, 8_000
Question = Annotated[Text, Field(min_length=1, max_length=_QUESTION_CHARS, pattern=r"\S")]
AnswerText = Annotated[Text, Field(min_length=1, max_length=_ANSWER_CHARS, pattern=r"\S")]
Group = Annotated[Text, Field(min_length=1, max_length=100, pattern="^[^,]+$")]
CuratedId = Annotated[str, Field(pattern="^[0-9A-Za-z._-]{1,64}$")]


class CitedSource(BaseModel):
    """What an answer rests on: a document of the collection, a passage of one, or a web page with a title."""

    model_config = ConfigDict(extra="forbid")

    document_id: Annotated[Text, Field(min_length=1, max_length=300)] | None = None
    chunk_id: Annotated[Text, Field(min_length=1, max_length=200)] | None = None
    url: Annotated[Text, Field(max_length=2_000, pattern="^https?://[^\\s<>\"']+$")] | None = None
    title: Annotated[Text, Field(min_length=1, max_length=300)] | None = Field(
        None, description="Without it, the document's own."
    )

    @model_validator(mode="after")
    def _names_one(self) -> Self:
        if sum(one is not None for one in (self.document_id, self.chunk_id, self.url)) != 1:
            raise ValueError("name one of document_id, chunk_id and url")
        if self.url is not None and self.title is None:
            raise ValueError("a url needs a title")
        return self


class CuratedBody(BaseModel):
    """What an author writes of an answer, beside its question."""

    model_config = ConfigDict(extra="forbid")

    answer: AnswerText
    alternatives: Annotated[list[Question], Field(max_length=50)] = Field(
        [], description="Other ways to ask the same."
    )
    citations: Annotated[list[CitedSource], Field(max_length=10)] = []
    groups: Annotated[list[Group], Field(max_length=50)] = Field(
        [], description="Who may get it; without any, everybody."
    )
    language: Annotated[str, Field(pattern="^[a-z]{2}$")] | None = Field(
        None, description="Without it, as the question reads."
    )
    valid_from: AwareDatetime | None = None
    valid_until: AwareDatetime | None = None

    @model_validator(mode="after")
    def _has_duration(self) -> Self:
        if self.valid_from and self.valid_until and self.valid_from >= self.valid_until:
            raise ValueError("valid_until must be after valid_from")
        return self


class CuratedRequest(CuratedBody):
    """A curated answer for the questions of an assistant."""

    assistant: Annotated[Text, Field(max_length=100)] | None = Field(
        None, description="Not needed where there is one."
    )
    question: Question


class SourceReply(BaseModel):
    """What an answer rests on. `is_stale`: the document has changed since, was superseded, or is gone."""

    title: str
    document_id: str | None
    chunk_id: str | None
    url: str | None
    is_stale: bool

    @classmethod
    def of(cls, source: CuratedSource, *, is_stale: bool) -> Self:
        """From what is stored."""
        document_id = plain_id(source.document_id) if source.document_id else None
        return cls(
            title=source.title,
            document_id=document_id,
            chunk_id=source.chunk_id,
            url=source.url,
            is_stale=is_stale,
        )


class CuratedReply(BaseModel):
    """A curated answer. `hits` counts the answers that were given with it; `stale` says that one of its sources changed."""

    id: str
    assistant: str
    question: str
    alternatives: list[str]
    answer: str
    language: str
    sources: list[SourceReply]
    groups: list[str]
    valid_from: datetime | None
    valid_until: datetime | None
    created_at: datetime
    created_by: str
    changed_at: datetime
    changed_by: str
    retired_at: datetime | None
    hits: int
    stale: bool

    @classmethod
    def of(cls, curated: Curated, *, hits: int, stale: frozenset[str]) -> Self:
        """From what is stored, its hits, and the ids of documents that have changed."""
        text = curated.text
        sources = [SourceReply.of(one, is_stale=one.document_id in stale) for one in text.sources]
        return cls(
            id=curated.id,
            assistant=text.assistant,
            question=text.question,
            alternatives=list(text.alternatives),
            answer=text.answer,
            language=text.language,
            sources=sources,
            groups=list(text.groups),
            valid_from=text.valid_from,
            valid_until=text.valid_until,
            created_at=curated.created_at,
            created_by=curated.created_by,
            changed_at=curated.changed_at,
            changed_by=curated.changed_by,
            retired_at=curated.retired_at,
            hits=hits,
            stale=any(source.is_stale for source in sources),
        )


class CuratedChanged(BaseModel):
    """What was stored. `masked` names what the guards took out of the answer."""

    curated: CuratedReply
    already_existed: bool
    masked: list[str]


class CuratedList(BaseModel):
    """Curated answers in the order of their ids, a page of them."""

    curated: list[CuratedReply]
    has_more: bool
