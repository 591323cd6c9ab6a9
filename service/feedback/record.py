"""Append-only storage of feedback events: several in one transaction, each once. Accepted means durable.

Which event of a slot counts is in `current.py`; here each new one is told what it supersedes.
"""

import hashlib
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Engine, insert, select
from sqlalchemy.exc import IntegrityError

from service.errors import ConflictError
from service.feedback.event import Event, Receipt, Slot
from service.ids import uuid7
from service.tables import FeedbackEvent

Written = Receipt | ConflictError
Row = dict[str, Any]
_SLOT = (FeedbackEvent.answer_id, FeedbackEvent.actor, FeedbackEvent.kind, FeedbackEvent.target)
_ORDER = (FeedbackEvent.observed_at, FeedbackEvent.event_id)
_TRIES = 3
_TICK = timedelta(microseconds=1)


def bound(owner: str, key: str | None) -> str | None:
    """A key as it is stored: its owner's own, whatever keys others choose. A token's owner is its answer."""
    return None if key is None else hashlib.sha256(f"{owner}\n{key}".encode()).hexdigest()


def write(
    engine: Engine, events: Sequence[Event], *, now: datetime | None = None, is_trial: bool = False
) -> list[Written]:
    """Store events in one transaction, and tell of each what became of it, in their order; a trial is undone.

    An event whose key is known is not stored again; one whose key was used for another event is a `ConflictError` in
    the list, and the others are stored all the same. Raises what the database raises, and then none is stored.
    """
    for attempt in range(_TRIES):
        try:
            with engine.connect() as connection:
                written = _write(connection, events, now or datetime.now(UTC))
                if not is_trial:
                    connection.commit()
                return written
        except IntegrityError:
            # Another process has stored one of the keys meanwhile; the next look finds it.
            if attempt == _TRIES - 1:
                raise
    raise AssertionError("unreachable")


def _write(connection: Connection, events: Sequence[Event], now: datetime) -> list[Written]:
    known = _known(connection, events)
    latest = _latest(connection, [event for event in events if event.idempotency_key not in known])
    rows: list[Row] = []
    written: list[Written] = []
    for event in events:
        first = known.get(event.idempotency_key)
        if first is not None:
            written.append(_repeated(event, first))
            continue
        row = _row(event, latest.get(event.slot), now)
        order = (row["observed_at"], row["event_id"])
        latest[event.slot] = max(order, latest.get(event.slot, order))
        if event.idempotency_key is not None:
            known[event.idempotency_key] = row
        rows.append(row)
        written.append(Receipt(row["event_id"], event.answer_id, event.state, is_new=True))
    if rows:
        # In the order of their keys: two processes with the same events don't lock each other out.
        rows.sort(key=lambda row: row["idempotency_key"] or "")
        connection.execute(insert(FeedbackEvent), rows)
    return written


def _known(connection: Connection, events: Sequence[Event]) -> dict[str | None, Mapping[str, Any]]:
    """Stored events by the keys of these."""
    keys = [event.idempotency_key for event in events if event.idempotency_key is not None]
    if not keys:
        return {}
    query = select(*FeedbackEvent.__table__.columns).where(FeedbackEvent.idempotency_key.in_(keys))
    found = connection.execute(query)
    return {row["idempotency_key"]: dict(row) for row in found.mappings()}


def _latest(connection: Connection, events: Sequence[Event]) -> dict[Slot, tuple[datetime, str]]:
    """The time and id of the last event of each slot of these."""
    if not events:
        return {}
    query = select(*_SLOT, *_ORDER).where(
        FeedbackEvent.answer_id.in_({event.answer_id for event in events}),
        FeedbackEvent.actor.in_({event.speaker.actor for event in events}),
    )
    found: dict[Slot, tuple[datetime, str]] = {}
    for answer_id, actor, kind, target, observed_at, event_id in connection.execute(query):
        slot, order = (answer_id, actor, kind, target), (observed_at, event_id)
        found[slot] = max(order, found.get(slot, order))
    return found


def _row(event: Event, before: tuple[datetime, str] | None, now: datetime) -> Row:
    observed_at = _observed(event, before, now)
    is_last = before is not None and before[0] <= observed_at
    return {
        **_content(event),
        "event_id": uuid7(),
        "idempotency_key": event.idempotency_key,
        "conversation_id": event.conversation_id,
        "caller": event.speaker.caller,
        "supersedes": before[1] if before is not None and is_last else None,
        "observed_at": observed_at,
        "received_at": now,
        "source": event.speaker.source,
        "suspect": None,
    }


def _content(event: Event) -> Row:
    """What two requests with one key must have in common."""
    return {
        "answer_id": event.answer_id,
        "actor": event.speaker.actor,
        "actor_kind": event.speaker.actor_kind,
        "kind": event.kind,
        "value": event.value,
        "reasons": list(event.reasons),
        "comment": event.comment,
        "correction": event.correction,
        "target": event.target,
        "state": event.state,
        "consent": event.consent,
    }


def _observed(event: Event, before: tuple[datetime, str] | None, now: datetime) -> datetime:
    """When it was said. A clock that runs ahead is set back to ours, else a later retraction would come too early.

    What is said just now is said after everything that is there, whatever our own clock does.
    """
    if event.observed_at is not None:
        return min(event.observed_at, now)
    return now if before is None or before[0] < now else before[0] + _TICK


def _repeated(event: Event, first: Mapping[str, Any]) -> Written:
    if any(first[name] != value for name, value in _content(event).items()):
        return ConflictError(
            "The Idempotency-Key was used for another event. Use a new one.", param="Idempotency-Key"
        )
    return Receipt(first["event_id"], first["answer_id"], event.state, is_new=False)
