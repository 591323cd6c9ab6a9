"""Counts an experiment's answers, conversations and feedback in the database. Knows no statistics.

Feedback counts for the arm of its answer, as it was written when the answer was given.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np
from sqlalchemy import (
    BindParameter,
    ColumnElement,
    Connection,
    Engine,
    Select,
    and_,
    case,
    func,
    literal,
    or_,
    select,
    text,
)

from service.database import without_limit
from service.experiments.totals import Bucket, Counted, EntryKey, Numbers, Totals, bucket_for, totals_of
from service.scope import Metric
from service.tables import Answer, Exposure, FeedbackEvent

# The one arm of traffic without an experiment.
ALL = "all"
# Rows that are fetched at a time.
_ROWS = 20_000
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


def count(engine: Engine, span: Span, metrics: Collection[Metric]) -> Totals:
    """The totals that some metrics are made of, with what people did later within their windows."""
    windows: dict[float, set[str]] = defaultdict(set)
    for metric in metrics:
        if metric.is_late:
            windows[metric.window_days] |= {metric.numerator, metric.denominator}
    with engine.connect() as connection:
        _make_room(connection)
        asked = _asked(connection, span, _wanted(metrics))
        events = _events(connection, span, asked.number_of) if windows else []
    began = asked.began()
    late = {
        days: [*_thumbs(events, span.bucket, days, names), *_outcomes(events, began, days, names)]
        for days, names in sorted(windows.items())
    }
    return totals_of(asked.entries, [asked.counted, _conversations(began)], late, span.bucket)


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


def _wanted(metrics: Iterable[Metric]) -> dict[str, ColumnElement[Any]]:
    """The totals of answers that metrics are made of; whether there were any at all is always counted."""
    named = {name for metric in metrics for name in (metric.numerator, metric.denominator)} | {"answers"}
    return {name: column for name, column in _ANSWERS.items() if name in named}


def _make_room(connection: Connection) -> None:
    """Let a large experiment be counted, as long as it takes. PostgreSQL does it in memory, or it would sort on the disk."""
    without_limit(connection)
    if connection.dialect.name == "postgresql":
        connection.execute(text("set local work_mem = '64MB'"))
        connection.execute(text("set local jit = off"))


# A conversation of an entry.
_Place = tuple[int, str]


@dataclass(frozen=True, slots=True)
class _Beginning:
    """When a conversation began."""

    at: datetime
    bucket: str


@dataclass(frozen=True, slots=True)
class _Asked:
    """What was asked and answered: a row for each conversation and bucket, with its first moment and its totals."""

    entries: Sequence[EntryKey]
    conversations: Sequence[str]
    firsts: Sequence[datetime]
    counted: Counted

    @property
    def number_of(self) -> dict[EntryKey, int]:
        """The entries' numbers."""
        return {entry: number for number, entry in enumerate(self.entries)}

    def began(self) -> dict[_Place, _Beginning]:
        """When each conversation began; a later message belongs to it all the same."""
        found: dict[_Place, _Beginning] = {}
        rows = zip(self.counted.entries, self.conversations, self.firsts, self.counted.buckets, strict=True)
        for entry, conversation, first, bucket in rows:
            place = (entry, conversation)
            if place not in found or first < found[place].at:
                found[place] = _Beginning(first, bucket)
        return found


def _asked(connection: Connection, span: Span, wanted: Mapping[str, ColumnElement[Any]]) -> _Asked:
    """One pass over the answers, which are wide rows. Rows and entries are in the order of their names, not the database's."""
    bucket = _bucket(connection, span.bucket, Answer.created_at)
    first = func.min(Answer.created_at)
    query: Select[Any] = (
        select(*_labelled(span), Answer.conversation_id, bucket, first, *wanted.values())
        .where(span.holds)
        .group_by(*_grouping(span), Answer.conversation_id, bucket)
    )
    keys: list[EntryKey] = []
    conversations: list[str] = []
    buckets: list[str] = []
    firsts: list[datetime] = []
    values = [np.empty((0, len(wanted)))]
    for rows in connection.execute(query).partitions(_ROWS):
        arms, epochs, units, talks, names, moments, *totals = zip(*rows, strict=True)
        keys += zip(arms, epochs, units, strict=True)
        conversations += talks
        buckets += names
        firsts += moments
        values.append(np.array(totals, dtype=float).T)
    entries = sorted(set(keys))
    number_of = {entry: number for number, entry in enumerate(entries)}
    numbers = [number_of[key] for key in keys]
    order = sorted(range(len(keys)), key=lambda row: (numbers[row], conversations[row], buckets[row]))
    counted = Counted(
        tuple(wanted),
        [numbers[row] for row in order],
        [buckets[row] for row in order],
        np.concatenate(values)[order],
    )
    return _Asked(entries, [conversations[row] for row in order], [firsts[row] for row in order], counted)


def _conversations(began: Mapping[_Place, _Beginning]) -> Counted:
    """How many conversations each unit began in a bucket."""
    entries = [entry for entry, _ in began]
    buckets = [beginning.bucket for beginning in began.values()]
    return Counted(("conversations",), entries, buckets, np.ones((len(entries), 1)))


def _labelled(span: Span) -> list[Any]:
    names = ("arm", "epoch", "unit")
    return [column.label(name) for name, column in zip(names, span.key, strict=True)]


def _grouping(span: Span) -> list[Any]:
    """What rows are grouped by: a constant is no column."""
    return [column for column in span.key if not isinstance(column, BindParameter)]


def _bucket(connection: Connection, bucket: Bucket, column: Any) -> ColumnElement[str]:
    if connection.dialect.name == "postgresql":
        told = func.to_char(func.timezone("UTC", column), "YYYY-MM-DD HH24:MI")
        return func.substr(told, 1, bucket.chars)
    return func.substr(column, 1, bucket.chars)


@dataclass(frozen=True, slots=True)
class _Event:
    """A piece of feedback with the entry, the conversation and the moment of its answer."""

    entry: int
    conversation_id: str
    answered_at: datetime
    answer_id: str
    actor: str | None
    kind: str
    target: str
    value: str | None
    is_set: bool
    observed_at: datetime


def _events(connection: Connection, span: Span, number_of: Mapping[EntryKey, int]) -> list[_Event]:
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
    rows = connection.execute(query)
    # An answer that came between the two queries has no entry yet.
    return [
        _Event(number_of[arm, epoch, unit], *rest)
        for arm, epoch, unit, *rest in rows
        if (arm, epoch, unit) in number_of
    ]


def _window(days: float) -> timedelta:
    return timedelta(days=days) if days else timedelta.max


def _thumbs(events: Iterable[_Event], bucket: Bucket, days: float, names: Collection[str]) -> list[Counted]:
    """What people said of an answer within a window of it, if any of these totals are of that."""
    if not set(names) & set(_THUMBS):
        return []
    latest = {
        (event.answer_id, event.actor, event.kind, event.target): event
        for event in events
        if event.kind != "outcome" and event.observed_at - event.answered_at <= _window(days)
    }
    told = [one for one in latest.values() if one.is_set and one.target in ("answer", "conversation")]
    counted = Counted(
        _THUMBS,
        [event.entry for event in told],
        [bucket.name(event.answered_at) for event in told],
        _table([_as_thumb(event) for event in told], _THUMBS),
    )
    return [counted]


def _table(rows: Sequence[Sequence[float]], names: Sequence[str]) -> Numbers:
    return np.array(rows, dtype=float).reshape(len(rows), len(names))


def _as_thumb(event: _Event) -> Sequence[float]:
    is_thumb, is_rating = event.kind == "thumb", event.kind == "rating"
    rating = float(event.value or 0) if is_rating else 0.0
    return (is_thumb, is_thumb and event.value == "up", is_rating, rating, event.kind == "correction")


def _outcomes(
    events: Iterable[_Event], began: Mapping[_Place, _Beginning], days: float, names: Collection[str]
) -> list[Counted]:
    """What became of conversations within a window of their beginning, if any of these totals are of that."""
    if not set(names) & set(_OUTCOMES):
        return []
    window = _window(days)
    by_place: dict[_Place, list[_Event]] = defaultdict(list)
    for event in events:
        place = (event.entry, event.conversation_id)
        if event.kind == "outcome" and place in began and event.observed_at - began[place].at <= window:
            by_place[place].append(event)
    told = {place: standing for place, all_of in by_place.items() if (standing := _standing(all_of))}
    rows = [_as_outcome([event.value for event in standing]) for standing in told.values()]
    buckets = [began[place].bucket for place in told]
    return [Counted(_OUTCOMES, [entry for entry, _ in told], buckets, _table(rows, _OUTCOMES))]


def _as_outcome(values: Sequence[str | None]) -> Sequence[float]:
    return (1.0, values[-1] in _SETTLED, "escalated" in values, "reopened" in values)


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
    engine: Engine,
    assistant: str,
    since: datetime,
    until: datetime,
    *,
    metrics: Iterable[Metric],
    units: Sequence[str],
) -> dict[str, Numbers]:
    """What subjects did with an assistant before an experiment: by the name of a total, for each of the units."""
    wanted = _wanted(metrics)
    query: Select[Any] = (
        select(Answer.subject, *wanted.values())
        .where(
            Answer.assistant == assistant,
            Answer.created_at >= since,
            Answer.created_at < until,
            Answer.subject.is_not(None),
        )
        .group_by(Answer.subject)
    )
    number_of = {unit: number for number, unit in enumerate(units)}
    found = np.zeros((len(units), len(wanted)))
    with engine.connect() as connection:
        _make_room(connection)
        for subject, *totals in connection.execute(query):
            number = number_of.get(f"s:{subject}")
            if number is not None:
                found[number] = totals
    return {name: found[:, index] for index, name in enumerate(wanted)}


def count_exposures(engine: Engine, experiment: str, until: datetime) -> list[tuple[int, str, str, int]]:
    """Exposures by epoch, stage and arm, in that order."""
    key = (Exposure.epoch, Exposure.stage, Exposure.arm)
    query = (
        select(*key, func.count())
        .where(Exposure.experiment == experiment, Exposure.created_at < until)
        .group_by(*key)
        .order_by(*key)
    )
    with engine.connect() as connection:
        _make_room(connection)
        return [(row[0], row[1], row[2], row[3]) for row in connection.execute(query)]


def find_callers(engine: Engine, experiment: str, until: datetime) -> dict[tuple[int, str], str]:
    """The caller through which a unit met its arm first, by epoch and unit."""
    query = select(Exposure.epoch, Exposure.unit, Exposure.caller).where(
        Exposure.experiment == experiment, Exposure.created_at < until
    )
    with engine.connect() as connection:
        _make_room(connection)
        return {(epoch, unit): caller for epoch, unit, caller in connection.execute(query)}
