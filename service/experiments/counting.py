"""Counts an experiment's answers, conversations and feedback in the database. Knows no statistics.

Feedback counts for the arm of its answer, as it was written when the answer was given.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import BindParameter, ColumnElement, Engine, Select, and_, case, func, literal, or_, select
from sqlalchemy.orm import Session

from service.database import without_limit
from service.experiments.totals import Bucket, CellKey, Counted, Totals, bucket_for, totals_of
from service.tables import Answer, Exposure, FeedbackEvent

# The one arm of traffic without an experiment.
ALL = "all"
_SETTLED = ("resolved", "ticket_closed")
_THUMBS = ("thumbs", "thumbs_up", "ratings", "rating", "corrections")
_OUTCOMES = ("observed", "resolved", "escalated", "reopened")


@dataclass(frozen=True, slots=True, eq=False)
class Span:
    """Which answers count, up to a moment, and whose they are: `key` tells the arm, the epoch and the unit."""

    holds: ColumnElement[bool]
    key: tuple[Any, Any, Any]
    until: datetime
    bucket: Bucket


def of_experiment(name: str, stages: Sequence[str], until: datetime, bucket: Bucket) -> Span:
    """The answers of an experiment in some of its stages."""
    holds = and_(
        Answer.experiment == name,
        Answer.stage.in_(stages),
        Answer.created_at < until,
        Answer.arm.is_not(None),
    )
    return Span(holds, (Answer.arm, Answer.epoch, Answer.unit), until, bucket)


def of_traffic(assistant: str, unit: str, since: datetime, until: datetime) -> Span:
    """The answers that an assistant gave, all as if of one arm, for a plan; `unit` as an experiment has it."""
    conversation = "c:" + Answer.conversation_id
    whose = {
        "subject": case((Answer.subject.is_not(None), "s:" + Answer.subject), else_=conversation),
        "tenant": "t:" + Answer.caller,
        "conversation": conversation,
    }[unit]
    holds = and_(
        Answer.assistant == assistant,
        Answer.created_at >= since,
        Answer.created_at < until,
        func.coalesce(Answer.stage, "") != "unseen",
    )
    return Span(holds, (literal(ALL), literal(1), whose), until, bucket_for(until - since))


def count(engine: Engine, span: Span, windows: Iterable[float]) -> Totals:
    """All totals, with what people did later for each window in days; 0 sets no limit."""
    with Session(engine) as session:
        without_limit(session.connection())
        answers = _answers(session, span)
        conversations = _conversations(session, span)
        events = _events(session, span)
        began = _beginnings(session, span)
    late = {days: _late(events, began, span, days) for days in set(windows)}
    return totals_of([answers, conversations], late, span.bucket)


def _sum(condition: ColumnElement[bool]) -> ColumnElement[Any]:
    return func.sum(case((condition, 1), else_=0))


def _total(column: Any) -> ColumnElement[Any]:
    return func.coalesce(func.sum(column), 0)


# A generator failed: the answer broke off, or another one wrote it.
FAILED = or_(Answer.finish_reason == "interrupted", func.coalesce(Answer.failures, 0) > 0)
_ANSWERS: dict[str, ColumnElement[Any]] = {
    "answers": func.count(),
    "answered": _sum(Answer.outcome == "answered"),
    "abstained": _sum(Answer.outcome == "abstained"),
    "refused": _sum(Answer.outcome == "refused"),
    "escalated_answers": _sum(Answer.outcome == "escalated"),
    "degraded": _sum(Answer.degraded.is_(True)),
    "interrupted": _sum(Answer.finish_reason == "interrupted"),
    "failed": _sum(FAILED),
    "sentences": _total(Answer.sentences),
    "unsupported": _total(Answer.unsupported),
    "timed": func.count(Answer.total_s),
    "first_token_s": _total(case((Answer.total_s.is_not(None), Answer.first_token_s))),
    "total_s": _total(Answer.total_s),
    "prompt_tokens": _total(Answer.prompt_tokens),
    "completion_tokens": _total(Answer.completion_tokens),
    "tokens": _total(Answer.prompt_tokens + Answer.completion_tokens),
    "cost": _total(Answer.cost),
}


def _answers(session: Session, span: Span) -> Counted:
    bucket = _bucket(session, span.bucket, Answer.created_at)
    key = (*_labelled(span), bucket)
    query: Select[Any] = select(*key, *_ANSWERS.values()).where(span.holds).group_by(*_grouping(span), bucket)
    rows: Sequence[Any] = session.execute(query).all()
    return Counted(tuple(_ANSWERS), [(_key(row), _values(row)) for row in rows])


def _conversations(session: Session, span: Span) -> Counted:
    """How many conversations each unit began in a bucket; a later message belongs to the bucket of the first."""
    began = func.min(Answer.created_at).label("began")
    inner = (
        select(*_labelled(span), began)
        .where(span.holds)
        .group_by(*_grouping(span), Answer.conversation_id)
        .subquery()
    )
    bucket = _bucket(session, span.bucket, inner.c.began)
    key = (inner.c.arm, inner.c.epoch, inner.c.unit, bucket)
    rows = session.execute(select(*key, func.count()).group_by(*key)).all()
    return Counted(("conversations",), [(_key(row), _values(row)) for row in rows])


def _labelled(span: Span) -> list[Any]:
    names = ("arm", "epoch", "unit")
    return [column.label(name) for name, column in zip(names, span.key, strict=True)]


def _grouping(span: Span) -> list[Any]:
    """What rows are grouped by: a constant is no column."""
    return [column for column in span.key if not isinstance(column, BindParameter)]


def _bucket(session: Session, bucket: Bucket, column: Any) -> ColumnElement[str]:
    if session.get_bind().dialect.name == "postgresql":
        told = func.to_char(func.timezone("UTC", column), "YYYY-MM-DD HH24:MI")
        return func.substr(told, 1, bucket.chars)
    return func.substr(column, 1, bucket.chars)


def _key(row: Any) -> CellKey:
    return str(row[0]), int(row[1]), str(row[2]), str(row[3])


def _values(row: Any) -> list[float]:
    return [float(value) for value in list(row)[4:]]


@dataclass(frozen=True, slots=True)
class _Event:
    """A piece of feedback with what its answer's row says."""

    arm: str
    epoch: int
    unit: str
    conversation_id: str
    answered_at: datetime
    answer_id: str
    actor: str | None
    kind: str
    target: str
    value: str | None
    is_set: bool
    observed_at: datetime


def _events(session: Session, span: Span) -> list[_Event]:
    """Feedback that isn't set aside, in the order in which it was observed."""
    query = (
        select(
            *_labelled(span),
            Answer.conversation_id,
            Answer.created_at,
            FeedbackEvent.answer_id,
            FeedbackEvent.actor,
            FeedbackEvent.kind,
            FeedbackEvent.target,
            FeedbackEvent.value,
            FeedbackEvent.state == "set",
            FeedbackEvent.observed_at,
        )
        .join(Answer, Answer.id == FeedbackEvent.answer_id)
        .where(span.holds, FeedbackEvent.suspect.is_(None), FeedbackEvent.observed_at < span.until)
        .order_by(FeedbackEvent.observed_at, FeedbackEvent.received_at, FeedbackEvent.event_id)
    )
    return [_Event(*values) for values in _plain(session.execute(query).all())]


def _plain(rows: Sequence[Any]) -> Iterator[tuple[Any, ...]]:
    yield from (tuple(row) for row in rows)


# A conversation within an arm and an epoch.
_Place = tuple[str, int, str, str]


def _beginnings(session: Session, span: Span) -> dict[_Place, datetime]:
    """When each conversation with an outcome began."""
    told = select(FeedbackEvent.conversation_id).where(FeedbackEvent.kind == "outcome")
    asked = (
        select(Answer.conversation_id)
        .join(FeedbackEvent, FeedbackEvent.answer_id == Answer.id)
        .where(FeedbackEvent.kind == "outcome", span.holds)
    )
    query = (
        select(*_labelled(span), Answer.conversation_id, func.min(Answer.created_at))
        .where(span.holds, Answer.conversation_id.in_(told.union(asked)))
        .group_by(*_grouping(span), Answer.conversation_id)
    )
    return {(row[0], row[1], row[2], row[3]): row[4] for row in _plain(session.execute(query).all())}


def _late(events: Sequence[_Event], began: dict[_Place, datetime], span: Span, days: float) -> list[Counted]:
    """What people said within a window of the answer, and of a conversation's beginning."""
    window = timedelta(days=days) if days else timedelta.max
    of_answers: dict[tuple[str, str | None, str, str], _Event] = {}
    of_conversations: dict[_Place, list[_Event]] = defaultdict(list)
    for event in events:
        if event.kind == "outcome":
            place = (event.arm, event.epoch, event.unit, event.conversation_id)
            if event.observed_at - began[place] <= window:
                of_conversations[place].append(event)
        elif event.observed_at - event.answered_at <= window:
            of_answers[event.answer_id, event.actor, event.kind, event.target] = event
    return [_thumbs(of_answers.values(), span.bucket), _outcomes(of_conversations, began, span.bucket)]


def _thumbs(events: Iterable[_Event], bucket: Bucket) -> Counted:
    rows: list[tuple[CellKey, Sequence[float]]] = []
    for event in events:
        if event.is_set and event.target in ("answer", "conversation"):
            key = (event.arm, event.epoch, event.unit, bucket.name(event.answered_at))
            rows.append((key, _as_thumb(event)))
    return Counted(_THUMBS, rows)


def _as_thumb(event: _Event) -> Sequence[float]:
    is_thumb, is_rating = event.kind == "thumb", event.kind == "rating"
    rating = float(event.value or 0) if is_rating else 0.0
    return (is_thumb, is_thumb and event.value == "up", is_rating, rating, event.kind == "correction")


def _outcomes(
    of_conversations: dict[_Place, list[_Event]], began: dict[_Place, datetime], bucket: Bucket
) -> Counted:
    rows: list[tuple[CellKey, Sequence[float]]] = []
    for place, events in of_conversations.items():
        standing = _standing(events)
        if standing:
            values = [event.value for event in standing]
            row = (1.0, values[-1] in _SETTLED, "escalated" in values, "reopened" in values)
            rows.append(((*place[:3], bucket.name(began[place])), row))
    return Counted(_OUTCOMES, rows)


def _standing(events: Sequence[_Event]) -> list[_Event]:
    """The events of a conversation that nobody took back: a retraction takes back all of its actor before it."""
    kept: list[_Event] = []
    for event in events:
        if event.is_set:
            kept.append(event)
        else:
            kept = [one for one in kept if (one.answer_id, one.actor) != (event.answer_id, event.actor)]
    return kept


def count_before(
    engine: Engine, assistant: str, since: datetime, until: datetime
) -> dict[str, dict[str, float]]:
    """What subjects did with an assistant before an experiment: by the name of a total, by unit."""
    query: Select[Any] = (
        select(Answer.subject, *_ANSWERS.values())
        .where(
            Answer.assistant == assistant,
            Answer.created_at >= since,
            Answer.created_at < until,
            Answer.subject.is_not(None),
        )
        .group_by(Answer.subject)
    )
    with Session(engine) as session:
        without_limit(session.connection())
        rows: Sequence[Any] = session.execute(query).all()
    return {
        name: {f"s:{row[0]}": float(row[index]) for row in rows}
        for index, name in enumerate(_ANSWERS, start=1)
    }


def count_exposures(engine: Engine, experiment: str, until: datetime) -> list[tuple[int, str, str, int]]:
    """Exposures by epoch, stage and arm, in that order."""
    key = (Exposure.epoch, Exposure.stage, Exposure.arm)
    query = (
        select(*key, func.count())
        .where(Exposure.experiment == experiment, Exposure.created_at < until)
        .group_by(*key)
        .order_by(*key)
    )
    with Session(engine) as session:
        return [(row[0], row[1], row[2], row[3]) for row in session.execute(query).all()]


def count_mixed(engine: Engine, experiment: str, until: datetime) -> tuple[int, int]:
    """Units that met two arms: within an epoch, which must not be, and in all, which a ramp may do."""
    holds = and_(
        Answer.experiment == experiment, Answer.stage.in_(("canary", "ab")), Answer.created_at < until
    )
    with Session(engine) as session:
        without_limit(session.connection())
        within = select(Answer.unit).where(holds).group_by(Answer.unit, Answer.epoch)
        over = select(Answer.unit).where(holds).group_by(Answer.unit)
        counts = []
        for query in (within, over):
            mixed = query.having(func.count(func.distinct(Answer.arm)) > 1).subquery()
            counts.append(session.scalar(select(func.count()).select_from(mixed)) or 0)
    return counts[0], counts[1]
