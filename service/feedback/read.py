"""Feedback and answers as analysts read them."""

from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from service.feedback.current import current_feedback
from service.feedback.event import EARLIEST, Kind
from service.tables import Answer, FeedbackEvent

_LATEST = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class FeedbackQuery:
    """Which events: all that are given must hold. `after` is the id of the last event of the page before."""

    answer_id: str | None = None
    conversation_id: str | None = None
    kind: Kind | None = None
    since: datetime | None = None
    after: str | None = None
    is_current: bool = False
    limit: int = 100


def find_feedback(engine: Engine, query: FeedbackQuery) -> list[FeedbackEvent]:
    """Events in the order of their arrival, one more than the limit where there are more."""
    wanted = current_feedback() if query.is_current else select(FeedbackEvent)
    if query.answer_id is not None:
        wanted = wanted.where(FeedbackEvent.answer_id == query.answer_id)
    if query.conversation_id is not None:
        answers = select(Answer.id).where(Answer.conversation_id == query.conversation_id)
        wanted = wanted.where(FeedbackEvent.answer_id.in_(answers))
    if query.kind is not None:
        wanted = wanted.where(FeedbackEvent.kind == query.kind)
    if query.since is not None:
        # Within bounds: in another zone the first and the last day of all years are no time in UTC.
        since = min(max(query.since, EARLIEST), _LATEST)
        wanted = wanted.where(FeedbackEvent.received_at >= since)
    if query.after is not None:
        wanted = wanted.where(FeedbackEvent.event_id > query.after)
    with Session(engine, expire_on_commit=False) as session:
        return list(session.scalars(wanted.order_by(FeedbackEvent.event_id).limit(query.limit + 1)))


def find_answer(engine: Engine, answer_id: str) -> tuple[Answer, list[FeedbackEvent]] | None:
    """The record of an answer with the feedback that counts."""
    with Session(engine, expire_on_commit=False) as session:
        answer = session.get(Answer, answer_id)
        if answer is None:
            return None
        wanted = current_feedback().where(FeedbackEvent.answer_id == answer_id)
        return answer, list(session.scalars(wanted.order_by(FeedbackEvent.event_id)))
