"""Tables of the gateway: keys, answers, experiments, feedback, curated answers, replies to repeated requests."""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import JSON, Boolean, DateTime, Float, Index, Integer, String, Text, text
from sqlalchemy.engine import Dialect
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from sqlalchemy.types import TypeDecorator


class UtcDateTime(TypeDecorator[datetime]):
    """Aware datetimes in UTC; SQLite stores them naive."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Refuse naive values, store UTC."""
        if value is not None and value.tzinfo is None:
            raise ValueError("naive datetime")
        return value.astimezone(UTC) if value is not None else None

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Give back UTC."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Base(DeclarativeBase):
    """All tables."""


class ApiKey(Base):
    """An API key; only the SHA-256 of its secret is stored."""

    __tablename__ = "api_keys"

    public_id: Mapped[str] = mapped_column(String(16), primary_key=True)
    name: Mapped[str] = mapped_column(String(200))
    secret_sha256: Mapped[str] = mapped_column(String(64))
    scopes: Mapped[list[str]] = mapped_column(JSON)
    groups: Mapped[list[str]] = mapped_column(JSON)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime())
    revoked_at: Mapped[datetime | None] = mapped_column(UtcDateTime())


class Answer(Base):
    """The record of an answer: what was asked (scrubbed), said, and with which versions."""

    __tablename__ = "answers"
    __table_args__ = (
        Index("answers_created", "created_at"),
        Index("answers_of_experiment", "experiment", "created_at"),
        # The hits of curated answers, and nothing else.
        Index(
            "answers_curated",
            "generator",
            sqlite_where=text("reason = 'curated'"),
            postgresql_where=text("reason = 'curated'"),
        ),
    )

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime())
    request_id: Mapped[str] = mapped_column(String(64))
    conversation_id: Mapped[str] = mapped_column(String(64), index=True)
    caller: Mapped[str] = mapped_column(String(16))
    subject: Mapped[str | None] = mapped_column(String(64), index=True)
    assistant: Mapped[str] = mapped_column(String(100))
    variant: Mapped[str] = mapped_column(String(100))
    experiment: Mapped[str | None] = mapped_column(String(100))
    outcome: Mapped[str] = mapped_column(String(16))
    reason: Mapped[str | None] = mapped_column(String(64))
    finish_reason: Mapped[str] = mapped_column(String(32))
    degraded: Mapped[bool] = mapped_column(Boolean)
    question: Mapped[str] = mapped_column(Text)
    answer: Mapped[str] = mapped_column(Text)
    citations: Mapped[list[dict[str, Any]]] = mapped_column(JSON)
    verdicts: Mapped[list[dict[str, Any]]] = mapped_column(JSON)
    timings: Mapped[dict[str, float]] = mapped_column(JSON)
    prompt_tokens: Mapped[int] = mapped_column(Integer)
    completion_tokens: Mapped[int] = mapped_column(Integer)
    collection: Mapped[str] = mapped_column(String(100))
    release_id: Mapped[str] = mapped_column(String(64))
    release_digest: Mapped[str] = mapped_column(String(64))
    prompt_digest: Mapped[str] = mapped_column(String(16))
    generator: Mapped[str] = mapped_column(String(200))
    adapter: Mapped[str | None] = mapped_column(String(200))
    scope_digest: Mapped[str] = mapped_column(String(16))
    # What experiments count, beside what stands above.
    variant_digest: Mapped[str | None] = mapped_column(String(16))
    arm: Mapped[str | None] = mapped_column(String(60))
    epoch: Mapped[int | None] = mapped_column(Integer)
    stage: Mapped[str | None] = mapped_column(String(16))
    unit: Mapped[str | None] = mapped_column(String(80))
    propensity: Mapped[float | None] = mapped_column(Float)
    sentences: Mapped[int | None] = mapped_column(Integer)
    unsupported: Mapped[int | None] = mapped_column(Integer)
    first_token_s: Mapped[float | None] = mapped_column(Float)
    total_s: Mapped[float | None] = mapped_column(Float)
    cost: Mapped[float | None] = mapped_column(Float)
    failures: Mapped[int | None] = mapped_column(Integer)


class Exposure(Base):
    """That a unit met an arm: once for each epoch, before the first byte of its first answer."""

    __tablename__ = "exposures"

    experiment: Mapped[str] = mapped_column(String(100), primary_key=True)
    epoch: Mapped[int] = mapped_column(Integer, primary_key=True)
    unit: Mapped[str] = mapped_column(String(80), primary_key=True)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime())
    stage: Mapped[str] = mapped_column(String(16))
    arm: Mapped[str] = mapped_column(String(60))
    variant: Mapped[str] = mapped_column(String(100))
    variant_digest: Mapped[str] = mapped_column(String(16))
    propensity: Mapped[float] = mapped_column(Float)
    answer_id: Mapped[str] = mapped_column(String(36))
    caller: Mapped[str] = mapped_column(String(16))


class DeclaredExperiment(Base):
    """An experiment as it was declared when it was first started, or by the API."""

    __tablename__ = "experiments"

    name: Mapped[str] = mapped_column(String(100), primary_key=True)
    declared: Mapped[dict[str, Any]] = mapped_column(JSON)
    digest: Mapped[str] = mapped_column(String(16))
    # Digest of each arm's variant, which may not change either.
    variants: Mapped[dict[str, str]] = mapped_column(JSON)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime())
    created_by: Mapped[str] = mapped_column(String(16))


class ExperimentEpoch(Base):
    """A stretch of time with one stage and one split, append-only: the last one that has begun rules."""

    __tablename__ = "experiment_epochs"

    experiment: Mapped[str] = mapped_column(String(100), primary_key=True)
    epoch: Mapped[int] = mapped_column(Integer, primary_key=True)
    # shadow, canary, ab, paused, stopped or promoted
    stage: Mapped[str] = mapped_column(String(16))
    coverage: Mapped[float] = mapped_column(Float)
    weights: Mapped[dict[str, float]] = mapped_column(JSON)
    begins_at: Mapped[datetime] = mapped_column(UtcDateTime())
    created_at: Mapped[datetime] = mapped_column(UtcDateTime())
    created_by: Mapped[str] = mapped_column(String(16))
    reason: Mapped[str] = mapped_column(Text)


class ExperimentAlarm(Base):
    """What a watch found: a faulty arm, a canary with errors, a guardrail, a sample ratio."""

    __tablename__ = "experiment_alarms"

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    experiment: Mapped[str] = mapped_column(String(100), index=True)
    arm: Mapped[str | None] = mapped_column(String(60))
    kind: Mapped[str] = mapped_column(String(16))
    message: Mapped[str] = mapped_column(Text)
    detail: Mapped[dict[str, Any]] = mapped_column(JSON)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime())


class ModelFingerprint(Base):
    """What a model said to the fixed prompts when it was first served under its name."""

    __tablename__ = "model_fingerprints"

    model: Mapped[str] = mapped_column(String(300), primary_key=True)
    prompts: Mapped[str] = mapped_column(String(16), primary_key=True)
    fingerprint: Mapped[list[dict[str, float]]] = mapped_column(JSON)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime())


class FeedbackEvent(Base):
    """Append-only: a retraction is an event too. The latest event of an answer, actor, kind and target counts.

    Experiment, arm and versions are those of the answer, where they were written when it was given.
    """

    __tablename__ = "feedback"
    __table_args__ = (
        Index("feedback_received", "received_at"),
        Index(
            "feedback_slot",
            "answer_id",
            "actor",
            "kind",
            "target",
            "observed_at",
            "event_id",
        ),
    )

    event_id: Mapped[str] = mapped_column(String(36), primary_key=True)
    idempotency_key: Mapped[str | None] = mapped_column(String(200), unique=True)
    answer_id: Mapped[str] = mapped_column(String(36), index=True)
    conversation_id: Mapped[str | None] = mapped_column(String(64), index=True)
    caller: Mapped[str] = mapped_column(String(16))
    # Empty where nobody knew, as of events from before actors were kept.
    actor: Mapped[str] = mapped_column(String(64))
    actor_kind: Mapped[str] = mapped_column(String(16))
    kind: Mapped[str] = mapped_column(String(16))
    value: Mapped[str | None] = mapped_column(String(16))
    reasons: Mapped[list[str]] = mapped_column(JSON)
    comment: Mapped[str | None] = mapped_column(Text)
    correction: Mapped[str | None] = mapped_column(Text)
    target: Mapped[str] = mapped_column(String(80))
    state: Mapped[str] = mapped_column(String(16))
    supersedes: Mapped[str | None] = mapped_column(String(36))
    observed_at: Mapped[datetime] = mapped_column(UtcDateTime())
    received_at: Mapped[datetime] = mapped_column(UtcDateTime())
    source: Mapped[str] = mapped_column(String(16))
    consent: Mapped[str] = mapped_column(String(16))
    # Why it is set aside from figures and datasets; null for what counts.
    suspect: Mapped[str | None] = mapped_column(String(64))


class CuratedAnswer(Base):
    """An answer that a person wrote for a question. It is never removed: a retired one answers nobody any more."""

    __tablename__ = "curated_answers"

    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    assistant: Mapped[str] = mapped_column(String(100), index=True)
    question: Mapped[str] = mapped_column(Text)
    alternatives: Mapped[list[str]] = mapped_column(JSON)
    answer: Mapped[str] = mapped_column(Text)
    language: Mapped[str] = mapped_column(String(8))
    sources: Mapped[list[dict[str, Any]]] = mapped_column(JSON)
    groups: Mapped[list[str]] = mapped_column(JSON)
    valid_from: Mapped[datetime | None] = mapped_column(UtcDateTime())
    valid_until: Mapped[datetime | None] = mapped_column(UtcDateTime())
    # Rises with every change, so that one query tells every process whether there is anything new.
    version: Mapped[int] = mapped_column(Integer)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime())
    created_by: Mapped[str] = mapped_column(String(16))
    changed_at: Mapped[datetime] = mapped_column(UtcDateTime())
    changed_by: Mapped[str] = mapped_column(String(16))
    retired_at: Mapped[datetime | None] = mapped_column(UtcDateTime())
    # Hits of answers that are deleted; those of the answer log are counted there.
    past_hits: Mapped[int] = mapped_column(Integer)


class GapDecision(Base):
    """What a person decided about a gap: dismissed, or accepted with a curated answer. The latest one counts."""

    __tablename__ = "gap_decisions"

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    assistant: Mapped[str] = mapped_column(String(100), index=True)
    gap: Mapped[str] = mapped_column(String(16))
    question: Mapped[str] = mapped_column(Text)
    # dismissed or accepted
    decision: Mapped[str] = mapped_column(String(16))
    reason: Mapped[str | None] = mapped_column(Text)
    # How many asked, within how many days, when it was decided.
    askers: Mapped[int] = mapped_column(Integer)
    days: Mapped[int] = mapped_column(Integer)
    curated_id: Mapped[str | None] = mapped_column(String(64))
    # Of the evaluation case: the passage of a cited document, and short texts that a right answer holds.
    passage: Mapped[str | None] = mapped_column(Text)
    expected: Mapped[list[str]] = mapped_column(JSON)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime())
    created_by: Mapped[str] = mapped_column(String(16))


class IdempotentRequest(Base):
    """A request with an `Idempotency-Key` and its reply; without a status it is under way."""

    __tablename__ = "idempotent_requests"

    caller: Mapped[str] = mapped_column(String(16), primary_key=True)
    key: Mapped[str] = mapped_column(String(200), primary_key=True)
    digest: Mapped[str] = mapped_column(String(64))
    status: Mapped[int | None] = mapped_column(Integer)
    body: Mapped[str | None] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime(), index=True)
