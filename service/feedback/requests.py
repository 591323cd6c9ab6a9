"""What clients send as feedback: one statement, or a row of a file. Pydantic checks it; nothing is looked up here."""

import re
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Literal, Self, get_args

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    StrictInt,
    ValidationInfo,
    field_validator,
    model_validator,
)

from service.feedback.event import EARLIEST, ActorKind, Consent, Kind, State
from service.schemas import Words
from service.scope.webhooks import Outcome

COMMENT_CHARS, CORRECTION_CHARS = 4_000, 20_000
_AHEAD = timedelta(minutes=1)
_NUL = "\x00"
_SHOWN = "\N{REPLACEMENT CHARACTER}"
# The values of each kind that are not texts.
_VALUES: dict[str, tuple[str, ...]] = {
    "thumb": ("up", "down"),
    "rating": ("1", "2", "3", "4", "5"),
    "outcome": get_args(Outcome),
}
_TEXTS = {"comment": COMMENT_CHARS, "correction": CORRECTION_CHARS}


def _storable(text: str) -> str:
    """PostgreSQL stores no NUL in text."""
    return text.replace(_NUL, _SHOWN)


Text = Annotated[Words, AfterValidator(_storable)]
Code = Annotated[str, Field(pattern="^[a-z][a-z0-9_]{0,39}$")]
Id = Annotated[str, Field(pattern="^[0-9A-Za-z-]{36}$")]
ConversationId = Annotated[Words, Field(min_length=1, max_length=64, pattern="^[^\\x00]+$")]


class Statement(BaseModel):
    """A statement on an answer or a conversation; `value: null` takes the last one of its kind back."""

    model_config = ConfigDict(extra="forbid")

    answer_id: Id | None = Field(None, description="The answer that it is about.")
    conversation_id: ConversationId | None = Field(
        None, description="Instead of `answer_id`, with a key: the conversation; kept with its last answer."
    )
    kind: Kind
    value: Annotated[str, Field(max_length=CORRECTION_CHARS)] | StrictInt | None = Field(
        description="`up` or `down`; 1 to 5; the text of a comment or a correction; `resolved`, `escalated`, `reopened` or"
        " `ticket_closed`. Null retracts.",
    )
    reasons: Annotated[list[Code], Field(max_length=10)] = Field(
        [], description="Short codes, e.g. `incomplete`."
    )
    comment: Annotated[Text, Field(max_length=COMMENT_CHARS)] | None = Field(
        None, description="A remark beside a value that is no text itself."
    )
    target: Annotated[str, Field(pattern="^(answer|conversation|(sentence|citation):[0-9]{1,4})$")] | None = (
        Field(
            None,
            description="`answer`, `conversation`, `sentence:N` or `citation:N`; without it, what fits the kind.",
        )
    )
    consent: Consent = Field(
        "none", description="What it may be used for: figures alone, improving, training."
    )
    user: Annotated[Words, Field(min_length=1, max_length=256)] | None = Field(
        None, description="Who says it, with a key; stored as a pseudonym."
    )
    actor_kind: ActorKind | None = Field(
        None, description="What they are, with a key; an end user without it."
    )
    observed_at: AwareDatetime | None = Field(
        None, description="When it was said, with a key; without it, when it arrives."
    )

    @field_validator("value")
    @classmethod
    def _fits_the_kind(cls, value: str | int | None, info: ValidationInfo) -> str | None:
        kind = info.data.get("kind")
        if value is None or kind is None:
            return None
        text = str(value)
        if kind in _TEXTS:
            if not isinstance(value, str) or not text.strip() or len(text) > _TEXTS[kind]:
                raise ValueError(f"a {kind} is a text of 1 to {_TEXTS[kind]} characters")
            return _storable(_whole(text))
        if text not in _VALUES[kind]:
            raise ValueError(
                f"the value of {_an(kind)} is one of {', '.join(_VALUES[kind])}, or null to retract it"
            )
        return text

    @field_validator("observed_at")
    @classmethod
    def _is_past(cls, value: datetime | None) -> datetime | None:
        if value is None:
            return None
        if not EARLIEST <= value <= datetime.now(UTC) + _AHEAD:
            raise ValueError("it is before 2020 or in the future")
        return value.astimezone(UTC)

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        if (self.answer_id is None) == (self.conversation_id is None):
            raise ValueError("name either an `answer_id` or a `conversation_id`")
        if self.comment is not None and (self.kind == "comment" or self.value is None):
            raise ValueError("`comment` goes with a value that is no comment itself")
        if self.value is None and self.reasons:
            raise ValueError("a retraction has no `reasons`")
        return self

    @property
    def state(self) -> State:
        """Whether it says something or takes it back."""
        return "retracted" if self.value is None else "set"

    @property
    def stored_value(self) -> str | None:
        """The value, where it is no text."""
        return None if self.kind in _TEXTS or self.value is None else str(self.value)

    @property
    def remark(self) -> str | None:
        """The comment: beside a value, or as the value itself."""
        return str(self.value) if self.kind == "comment" and self.value is not None else self.comment

    @property
    def correction(self) -> str | None:
        """What the answer should have been."""
        return str(self.value) if self.kind == "correction" and self.value is not None else None

    @property
    def has_text(self) -> bool:
        """Whether there is something to mask."""
        return self.remark is not None or self.correction is not None

    @property
    def aim(self) -> str:
        """What it is about: an outcome, and whatever names a conversation, is about the conversation."""
        is_wide = self.kind == "outcome" or self.conversation_id is not None
        return self.target or ("conversation" if is_wide else "answer")


class FeedbackRequest(Statement):
    """A statement with the token of the reply, or with a key."""

    token: Annotated[str, Field(max_length=200)] | None = Field(
        None, description="The reply's `feedback_token`; not needed with a key of scope `feedback`."
    )

    @model_validator(mode="after")
    def _fits_the_token(self) -> Self:
        if self.token is not None and self.answer_id is None:
            raise ValueError("a token is of an answer: name its `answer_id`")
        return self


class FeedbackRow(Statement):
    """A row of a file. Without `event_id` or `idempotency_key`, the same row counts once."""

    event_id: Annotated[Words, Field(min_length=1, max_length=200)] | None = Field(
        None, description="The sender's own id of the event."
    )
    idempotency_key: Annotated[Words, Field(min_length=1, max_length=200)] | None = Field(
        None, description="The same as `event_id`, under the name that single requests have."
    )


def _whole(text: str) -> str:
    if re.search("[\ud800-\udfff]", text):
        raise ValueError("it holds half a character (a lone surrogate)")
    return text


def _an(kind: str) -> str:
    return f"an {kind}" if kind == "outcome" else f"a {kind}"


class FeedbackReply(BaseModel):
    """What was stored."""

    event_id: str
    answer_id: str
    state: State


class RefusedRow(BaseModel):
    """A row that was not stored, and why."""

    line: int
    reason: str


class BatchReply(BaseModel):
    """What became of a file: rows that are stored now, that were before, and that can't be; at most a thousand are named."""

    accepted: int
    known: int
    refused: int
    refusals: list[RefusedRow]


class WebhookReply(BaseModel):
    """What became of a webhook's event. One that is ignored would be ignored again: it must not be sent again."""

    status: Literal["stored", "known", "ignored"]
    event_id: str | None = None
    reason: str | None = None


class StoredFeedback(BaseModel):
    """An event as it is stored; the actor is a pseudonym, texts are scrubbed."""

    model_config = ConfigDict(from_attributes=True)

    event_id: str
    answer_id: str
    conversation_id: str | None
    caller: str
    actor: str
    actor_kind: str
    kind: str
    value: str | None
    reasons: list[str]
    comment: str | None
    correction: str | None
    target: str
    state: str
    supersedes: str | None
    observed_at: datetime
    received_at: datetime
    source: str
    consent: str
    suspect: str | None


class FeedbackList(BaseModel):
    """Events, the oldest first, a page of them; `cursor` is for the next page."""

    events: list[StoredFeedback]
    cursor: str | None


class AnswerRecord(BaseModel):
    """The record of an answer with the feedback that counts. `withheld` says that the key may not read what was said."""

    answer: dict[str, Any]
    withheld: bool
    feedback: list[StoredFeedback]
