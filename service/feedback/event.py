"""The values of feedback: what was said of an answer, by whom, and how it was stored."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

Kind = Literal["thumb", "rating", "comment", "correction", "outcome"]
ActorKind = Literal["end_user", "agent", "analyst", "system"]
Consent = Literal["none", "improve", "train"]
Source = Literal["widget", "api", "webhook", "batch"]
State = Literal["set", "retracted"]
# Nothing that people say of answers is older than the first of them.
EARLIEST = datetime(2020, 1, 1, tzinfo=UTC)
# A slot holds one statement: what comes later in the same one takes its place.
Slot = tuple[str, str | None, str, str]


@dataclass(frozen=True, slots=True)
class Speaker:
    """Who says it: the caller as it is stored (`token` for who holds one), the actor's pseudonym, and by which way."""

    caller: str
    actor: str
    actor_kind: ActorKind
    source: Source


@dataclass(frozen=True, slots=True)
class Event:
    """A statement on an answer, or the retraction of one; its texts are scrubbed.

    `observed_at` is None for what is said just now. `idempotency_key` is its sender's own already, see `bound`.
    """

    answer_id: str
    speaker: Speaker
    kind: Kind
    value: str | None
    state: State
    conversation_id: str | None = None
    reasons: tuple[str, ...] = ()
    comment: str | None = None
    correction: str | None = None
    target: str = "answer"
    consent: Consent = "none"
    observed_at: datetime | None = None
    idempotency_key: str | None = None

    @property
    def slot(self) -> Slot:
        """What it takes the place of."""
        return self.answer_id, self.speaker.actor, self.kind, self.target


@dataclass(frozen=True, slots=True)
class Receipt:
    """What was stored. `is_new` is False for an event that was there already."""

    event_id: str
    answer_id: str
    state: State
    is_new: bool
