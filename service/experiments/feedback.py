"""What people said of answers later: thumbs, ratings, corrections and outcomes, within a window. Knows no statistics."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np
from sqlalchemy import Engine, select

from service.experiments.span import Span, counting, labelled
from service.experiments.totals import Bucket, Counted, EntryKey, Numbers
from service.tables import Answer, FeedbackEvent

_SETTLED = ("resolved", "ticket_closed")
_THUMBS = ("thumbs", "thumbs_up", "ratings", "rating", "corrections")
_OUTCOMES = ("observed", "resolved", "escalated", "reopened")


# A conversation of an entry.
Place = tuple[int, str]


@dataclass(frozen=True, slots=True)
class Beginning:
    """When a conversation began."""

    at: datetime
    bucket: str


@dataclass(frozen=True, slots=True)
class Event:
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


def read_rows(engine: Engine, span: Span) -> Sequence[Any]:
    """Feedback that isn't set aside, in the order in which it was observed: of which entry it is, and the rest of it."""
    query = (
        select(
            *labelled(span),
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
    with counting(engine) as connection:
        return connection.execute(query).all()


def events_of(rows: Iterable[Any], number_of: Mapping[EntryKey, int]) -> list[Event]:
    """The same with the numbers of entries. An answer that came while it was read has no entry yet, and is left out."""
    return [
        Event(number_of[arm, epoch, unit], *rest)
        for arm, epoch, unit, *rest in rows
        if (arm, epoch, unit) in number_of
    ]


def _window(days: float) -> timedelta:
    return timedelta(days=days) if days else timedelta.max


def thumbs_of(events: Iterable[Event], bucket: Bucket, days: float, names: Collection[str]) -> list[Counted]:
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


def _as_thumb(event: Event) -> Sequence[float]:
    is_thumb, is_rating = event.kind == "thumb", event.kind == "rating"
    rating = float(event.value or 0) if is_rating else 0.0
    return (is_thumb, is_thumb and event.value == "up", is_rating, rating, event.kind == "correction")


def outcomes_of(
    events: Iterable[Event], began: Mapping[Place, Beginning], days: float, names: Collection[str]
) -> list[Counted]:
    """What became of conversations within a window of their beginning, if any of these totals are of that."""
    if not set(names) & set(_OUTCOMES):
        return []
    window = _window(days)
    by_place: dict[Place, list[Event]] = defaultdict(list)
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


def _standing(events: Sequence[Event]) -> list[Event]:
    """The events of a conversation that nobody took back: a retraction takes back all of its actor before it."""
    kept: list[Event] = []
    for event in events:
        if event.is_set:
            kept.append(event)
        else:
            kept = [one for one in kept if (one.answer_id, one.actor) != (event.answer_id, event.actor)]
    return kept
