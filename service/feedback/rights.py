"""On which answers a key may give feedback: its own, and all for a key with the scope `admin`."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from service.database import AWAY
from service.errors import NotReadyError
from service.tables import Answer, FeedbackEvent

# Databases take only so many values in one statement.
_AT_ONCE = 1_000
# A conversation, and the actor who speaks of it.
Voice = tuple[str, str]
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
    engine: Engine, voices: Collection[Voice], caller: str | None
) -> dict[Voice, RatedAnswer]:
    """The answer on which a statement about a conversation is stored: the last one of this caller (None: of any).

    Where the actor has spoken of the conversation before it is the same as then, so that the new word replaces the old.
    Raises `NotReadyError` without a database.
    """
    found: dict[Voice, RatedAnswer] = {}
    wanted = sorted(set(voices))
    try:
        with Session(engine) as session:
            for start in range(0, len(wanted), _AT_ONCE):
                found |= _chosen(session, wanted[start : start + _AT_ONCE], caller)
    except AWAY as exc:
        raise NotReadyError(_UNREACHED) from exc
    return found


def _chosen(session: Session, voices: Sequence[Voice], caller: str | None) -> dict[Voice, RatedAnswer]:
    conversations, actors = {name for name, _ in voices}, {actor for _, actor in voices}
    # A treatment's answer that nobody saw is of the same caller and conversation, and newer.
    is_meant = Answer.conversation_id.in_(conversations) & Answer.stage.is_distinct_from("unseen")
    if caller is not None:
        is_meant &= Answer.caller == caller
    columns = (Answer.id, Answer.caller, Answer.conversation_id, Answer.assistant)
    answers = select(*columns).where(is_meant).order_by(Answer.created_at, Answer.id)
    last = {row[2]: RatedAnswer(*row) for row in session.execute(answers)}
    spoken = (
        select(*columns, FeedbackEvent.actor)
        .join(FeedbackEvent, FeedbackEvent.answer_id == Answer.id)
        .where(is_meant, FeedbackEvent.actor.in_(actors), FeedbackEvent.target == "conversation")
        .order_by(FeedbackEvent.received_at, FeedbackEvent.event_id)
    )
    before = {(row[2], row[4]): RatedAnswer(*row[:4]) for row in session.execute(spoken)}
    chosen = {voice: before.get(voice) or last.get(voice[0]) for voice in voices}
    return {voice: answer for voice, answer in chosen.items() if answer is not None}
