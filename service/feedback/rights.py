"""On which answers a key may give feedback: its own, and all for a key with the scope `admin`."""

from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from service.database import AWAY
from service.errors import NotReadyError
from service.tables import Answer, FeedbackEvent

# Databases take only so many values in one statement.
_AT_ONCE = 1_000
_UNREACHED = "The database can't be reached just now, and nothing was stored. Send it again with the same Idempotency-Key."


@dataclass(frozen=True, slots=True)
class RatedAnswer:
    """What feedback needs to know of an answer that is recorded."""

    id: str
    caller: str
    conversation_id: str
    assistant: str


def answers_by_id(engine: Engine, ids: Collection[str]) -> dict[str, RatedAnswer]:
    """Those of the answers that are recorded. Raises `NotReadyError` without a database."""
    columns = (Answer.id, Answer.caller, Answer.conversation_id, Answer.assistant)
    found: dict[str, RatedAnswer] = {}
    wanted = sorted(set(ids))
    try:
        # No transaction: one statement needs none, and it would cost two more ways to the database.
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            for start in range(0, len(wanted), _AT_ONCE):
                query = select(*columns).where(Answer.id.in_(wanted[start : start + _AT_ONCE]))
                found |= {row[0]: RatedAnswer(*row) for row in connection.execute(query)}
    except AWAY as exc:
        raise NotReadyError(_UNREACHED) from exc
    return found


def answers_of_conversations(
    engine: Engine, ids: Collection[str], caller: str | None, actor: str
) -> dict[str, RatedAnswer]:
    """The answer on which a statement about each conversation is stored: the last one of this caller (None: of any).

    Where the actor has spoken of the conversation before it is the same as then, so that the new word replaces the old.
    Raises `NotReadyError` without a database.
    """
    found: dict[str, RatedAnswer] = {}
    wanted = sorted(set(ids))
    try:
        with Session(engine) as session:
            for start in range(0, len(wanted), _AT_ONCE):
                found |= _conversations(session, wanted[start : start + _AT_ONCE], caller, actor)
    except AWAY as exc:
        raise NotReadyError(_UNREACHED) from exc
    return found


def _conversations(
    session: Session, ids: Collection[str], caller: str | None, actor: str
) -> dict[str, RatedAnswer]:
    """By conversation the one answer of its own that is chosen."""
    spoken = (
        select(FeedbackEvent.answer_id, FeedbackEvent.received_at)
        .where(
            FeedbackEvent.conversation_id.in_(ids),
            FeedbackEvent.actor == actor,
            FeedbackEvent.target == "conversation",
        )
        .subquery()
    )
    columns = (Answer.id, Answer.caller, Answer.conversation_id, Answer.assistant)
    query = (
        select(*columns, Answer.created_at, spoken.c.received_at)
        .outerjoin(spoken, spoken.c.answer_id == Answer.id)
        .where(Answer.conversation_id.in_(ids))
    )
    if caller is not None:
        query = query.where(Answer.caller == caller)
    rows = [tuple(row) for row in session.execute(query)]
    # Answers on which the actor has spoken come last, then the newer one; the last of a conversation stays.
    rows.sort(key=lambda row: (row[5] is not None, row[5] or row[4], row[0]))
    return {row[2]: RatedAnswer(*row[:4]) for row in rows}
