"""Which feedback may become training data: stricter than what figures count, since a model learns what it is told."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import Engine
from sqlalchemy.orm import Session

from service.database import without_limit
from service.feedback.current import current_feedback
from service.feedback.screen.opinion import Opinion, Verdict, verdict_of
from service.feedback.screen.stored import opinion_of
from service.tables import Answer, FeedbackEvent

# Why a row is believed: who says it, what they said before, or that somebody else says the same.
Ground = Literal["trusted", "history", "confirmed"]
_TRUSTED = ("agent", "analyst")
# A history is so many events on so many documents over so many days.
_EVENTS, _DOCUMENTS, _DAYS = 3, 2, 7.0


@dataclass(frozen=True, slots=True)
class DatasetRow:
    """A judgement of an answer that may be learned from, with what it rests on. `correction` is what it should have been."""

    event_id: str
    answer_id: str
    conversation_id: str
    verdict: Verdict
    reasons: tuple[str, ...]
    correction: str | None
    question: str
    answer: str
    citations: tuple[Mapping[str, Any], ...]
    collection: str
    release_id: str
    variant: str
    ground: Ground


def dataset_rows(engine: Engine) -> list[DatasetRow]:
    """Thumbs, ratings and corrections that may be learned from, in the order of their arrival.

    A row counts (see `current_feedback`), its actor consented to `train`, it is not suspect, and there is a ground to
    believe it: an agent or analyst says it; its actor has a history of at least three events that are not suspect, on
    two documents, over a week; or another actor, not suspect either, says the same of the same passage. Ratings of three
    say nothing. Run `touchstone feedback screen` before, since it is what makes events suspect.
    """
    query = (
        current_feedback()
        .join(Answer, Answer.id == FeedbackEvent.answer_id)
        .where(FeedbackEvent.suspect.is_(None), FeedbackEvent.kind.in_(("thumb", "rating", "correction")))
        .add_columns(Answer)
        .order_by(FeedbackEvent.event_id)
    )
    with Session(engine, expire_on_commit=False) as session:
        without_limit(session.connection())
        rows = [(event, answer) for event, answer in session.execute(query)]
    opinions = [opinion for opinion in (opinion_of(event, answer) for event, answer in rows) if opinion]
    trusted = {event.event_id for event, _ in rows if event.actor_kind in _TRUSTED}
    found = grounds(opinions, trusted)
    return [
        _row(event, answer, found[event.event_id])
        for event, answer in rows
        if event.consent == "train" and event.event_id in found
    ]


def grounds(opinions: Sequence[Opinion], trusted: Collection[str]) -> dict[str, Ground]:
    """By event why it is believed; `trusted` are events of agents and analysts. None of the opinions may be suspect."""
    known = _with_history(opinions)
    voices: dict[tuple[str, Verdict], set[str]] = {}
    for one in opinions:
        voices.setdefault((one.passage, one.verdict), set()).add(one.actor)
    found: dict[str, Ground] = {}
    for one in opinions:
        if one.event_id in trusted:
            found[one.event_id] = "trusted"
        elif one.actor in known:
            found[one.event_id] = "history"
        elif len(voices[one.passage, one.verdict]) > 1:
            found[one.event_id] = "confirmed"
    return found


def _with_history(opinions: Iterable[Opinion]) -> set[str]:
    mine: dict[str, list[Opinion]] = {}
    for one in opinions:
        mine.setdefault(one.actor, []).append(one)
    return {
        actor
        for actor, said in mine.items()
        if len(said) >= _EVENTS
        and len({one.document for one in said}) >= _DOCUMENTS
        and max(one.at for one in said) - min(one.at for one in said) >= _DAYS
    }


def _row(event: FeedbackEvent, answer: Answer, ground: Ground) -> DatasetRow:
    verdict = verdict_of(event.kind, event.value)
    assert verdict is not None, "only opinions have a ground"
    return DatasetRow(
        event_id=event.event_id,
        answer_id=answer.id,
        conversation_id=answer.conversation_id,
        verdict=verdict,
        reasons=tuple(event.reasons),
        correction=event.correction,
        question=answer.question,
        answer=answer.answer,
        citations=tuple(answer.citations),
        collection=answer.collection,
        release_id=answer.release_id,
        variant=answer.variant,
        ground=ground,
    )
