"""Questions of the answer log that found no good answer: abstentions, and answers that people rate badly."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Engine, Row, Select, select
from sqlalchemy.orm import Session

from service.feedback.current import current_feedback
from service.feedback.gaps.gap import Asked, Standalone, standing_alone
from service.tables import Answer, FeedbackEvent

NO_ANSWER = ("below_relevance_floor", "generator_found_no_answer")
_BAD_RATINGS = ("1", "2")
# Values in one statement; SQLite takes 32,766.
_TOGETHER = 5_000
# The newest of more; clusters of so many questions are clear.
_MOST = 50_000
_COLUMNS = (
    Answer.id,
    Answer.conversation_id,
    Answer.question,
    Answer.subject,
    Answer.created_at,
    Answer.outcome,
    Answer.reason,
)
_Query = Select[str, str, str, str | None, datetime, str, str | None]


def read_asked(engine: Engine, assistant: str, since: datetime, standalone: Standalone) -> list[Asked]:
    """Every such question since a moment. Answers that nobody saw don't count, nor does feedback that is suspect.

    `standalone` makes a question whole by what it leans on in the user's earlier ones, the oldest first.
    """
    with Session(engine) as session:
        abstained = session.execute(_seen(assistant, since).where(_HAS_ABSTAINED).limit(_MOST)).all()
        bad = set(session.scalars(_rated_badly(since)))
        rated = [
            row
            for ids in _parts(sorted(bad)[-_MOST:])
            for row in session.execute(_seen(assistant, since).where(Answer.id.in_(ids), _IS_ANSWER))
        ]
        rows = {row.id: row for row in (*abstained, *rated)}
        conversations = sorted({row.conversation_id for row in rows.values()})
        earlier = [
            (row.conversation_id, row.id, row.question)
            for part in _parts(conversations)
            for row in session.execute(_said(assistant, part))
        ]
    questions = [(row.conversation_id, row.id, row.question) for row in rows.values()]
    texts = standing_alone(questions, earlier, standalone)
    return [_asked(row, texts[row.id], row.id in bad) for row in rows.values()]


_HAS_ABSTAINED = (Answer.outcome == "abstained") & Answer.reason.in_(NO_ANSWER)
# A refusal and a greeting are no gap of the documents, however they are rated.
_IS_ANSWER = Answer.outcome.in_(("answered", "abstained")) & Answer.reason.is_distinct_from("small_talk")


def _seen(assistant: str, since: datetime) -> _Query:
    return (
        select(*_COLUMNS)
        .where(
            Answer.assistant == assistant,
            Answer.created_at >= since,
            Answer.stage.is_distinct_from("unseen"),
        )
        .order_by(Answer.created_at.desc())
    )


def _said(assistant: str, conversations: Sequence[str]) -> Select[str, str, str]:
    return select(Answer.conversation_id, Answer.id, Answer.question).where(
        Answer.conversation_id.in_(conversations),
        Answer.assistant == assistant,
        Answer.stage.is_distinct_from("unseen"),
    )


def _rated_badly(since: datetime) -> Select[str]:
    """Ids of answers with a bad word that counts; what is said of an answer is said after it was given."""
    is_bad = (
        ((FeedbackEvent.kind == "thumb") & (FeedbackEvent.value == "down"))
        | ((FeedbackEvent.kind == "rating") & FeedbackEvent.value.in_(_BAD_RATINGS))
        | (FeedbackEvent.kind == "correction")
    )
    query = current_feedback().where(
        is_bad, FeedbackEvent.suspect.is_(None), FeedbackEvent.received_at >= since
    )
    return query.with_only_columns(FeedbackEvent.answer_id)


def _parts(values: Sequence[str]) -> Iterable[tuple[str, ...]]:
    return (tuple(values[start : start + _TOGETHER]) for start in range(0, len(values), _TOGETHER))


def _asked(row: Row[*tuple[Any, ...]], text: str, is_bad: bool) -> Asked:
    has_abstained = row.outcome == "abstained" and row.reason in NO_ANSWER
    return Asked(text, row.subject or f"c:{row.conversation_id}", row.created_at, has_abstained, is_bad)
