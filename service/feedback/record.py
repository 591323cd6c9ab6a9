"""Append-only storage of feedback events. Accepted means durable."""

from datetime import UTC, datetime
from typing import Literal

from sqlalchemy import Engine, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from service.database import AWAY
from service.errors import ConflictError, NotReadyError
from service.ids import uuid7
from service.tables import FeedbackEvent

Thumb = Literal["up", "down"]


def store(
    engine: Engine,
    *,
    answer_id: str,
    caller: str,
    kind: str,
    value: Thumb | None,
    idempotency_key: str | None,
) -> str:
    """Write an event and return its id; the same idempotency key gives the same event.

    A `value` of None retracts. Raises `ConflictError` when the key was used for another event, `NotReadyError` when the
    database is away.
    """
    event = FeedbackEvent(
        event_id=uuid7(),
        idempotency_key=idempotency_key,
        answer_id=answer_id,
        caller=caller,
        kind=kind,
        value=value,
        state="retracted" if value is None else "set",
        received_at=datetime.now(UTC),
    )
    try:
        return _stored(engine, event)
    except AWAY as exc:
        raise NotReadyError(
            "The database can't take feedback just now, and nothing was stored. Send it again with the same Idempotency-Key."
        ) from exc


def _stored(engine: Engine, event: FeedbackEvent) -> str:
    # The event can't be read any more once its transaction failed.
    event_id, key, wanted = event.event_id, event.idempotency_key, (event.answer_id, event.kind, event.value)
    try:
        with Session(engine) as session, session.begin():
            session.add(event)
        return event_id
    except IntegrityError:
        return _same(engine, key, wanted)


def _same(engine: Engine, key: str | None, wanted: tuple[str, str, str | None]) -> str:
    with Session(engine) as session:
        query = select(FeedbackEvent).where(FeedbackEvent.idempotency_key == key)
        known = session.scalars(query).one()
        if (known.answer_id, known.kind, known.value) != wanted:
            raise ConflictError(
                f"The Idempotency-Key {key!r} was used for another event. Use a new one.",
                param="Idempotency-Key",
            )
        return known.event_id
