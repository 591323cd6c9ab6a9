"""What clients send and get of gaps."""

from datetime import datetime
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from service.feedback.curated.requests import CuratedBody, CuratedReply, Question
from service.feedback.gaps.gap import Verdict
from service.feedback.requests import Text


class DismissRequest(BaseModel):
    """Why a gap needs no answer."""

    model_config = ConfigDict(extra="forbid")

    reason: Annotated[Text, Field(min_length=1, max_length=500, pattern=r"\S")]


class AcceptRequest(CuratedBody):
    """The answer to a gap."""

    question: Question | None = Field(None, description="Without it, the gap's title.")
    expected: Annotated[list[Annotated[Text, Field(min_length=1, max_length=400)]], Field(max_length=10)] = (
        Field([], description="Short texts of which a right answer holds one; without any, the whole answer.")
    )


class NearDocument(BaseModel):
    """A document that comes near, with the score of its best passage."""

    document_id: str
    title: str
    source: str
    score: float


class GapDecided(BaseModel):
    """What was decided about a gap before."""

    verdict: Verdict
    at: datetime
    askers: int
    days: int


class GapReply(BaseModel):
    """Questions that ask about the same and found no good answer. `askers` counts people, `answers` their questions."""

    id: str
    title: str
    examples: list[str]
    languages: list[str]
    askers: int
    answers: int
    first_seen: datetime
    last_seen: datetime
    abstained_share: float
    rated_badly_share: float
    documents: list[NearDocument]
    decision: GapDecided | None


class GapList(BaseModel):
    """Gaps of the last days, those that most people ask first, and how many there are."""

    assistant: str
    days: int
    gaps: list[GapReply]
    total: int


class DismissReply(BaseModel):
    """Which gap was dismissed; it comes back when twice as many ask it a day."""

    gap: str
    askers: int
    days: int


class AcceptReply(BaseModel):
    """What came of a gap: its curated answer, what guards took out of it, and its evaluation case."""

    gap: str
    curated: CuratedReply
    masked: list[str]
    case: dict[str, Any]
