"""The screen over what is stored: reads feedback with its answers, writes why an event is suspect, and takes it back."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from sqlalchemy import Engine, update
from sqlalchemy.orm import Session, load_only

from service.database import without_limit
from service.feedback.current import current_feedback
from service.feedback.screen.judge import judge
from service.feedback.screen.opinion import Opinion, verdict_of
from service.feedback.screen.texts import Remark, judge_texts
from service.tables import Answer, FeedbackEvent

_DAY_S = 86_400.0
_AT_ONCE = 500
# Who a key vouches for is not screened.
_TRUSTED = ("agent", "analyst", "system")


@dataclass(frozen=True, slots=True)
class Screened:
    """How many events were looked at, how many are suspect by reason, and how many no longer are."""

    events: int
    suspect: Mapping[str, int]
    cleared: int


@dataclass(slots=True)
class Material:
    """What is stored, as the screen reads it; `marked` are the reasons that are written now.

    An actor has one opinion of an answer, however many events say it: a thumb, a rating and a correction. It is that of
    the event that came last; `events` are all of them, by the id of that one.
    """

    opinions: dict[tuple[str, str], Opinion] = field(default_factory=dict)
    events: dict[str, list[str]] = field(default_factory=dict)
    remarks: list[Remark] = field(default_factory=list)
    hosts: set[str] = field(default_factory=set)
    marked: dict[str, str | None] = field(default_factory=dict)
    received: dict[str, datetime] = field(default_factory=dict)

    def since(self, moment: datetime) -> set[str]:
        """The events that came since a moment."""
        return {name for name, at in self.received.items() if at >= moment}


def screen(engine: Engine, *, days: float = 90, now: datetime | None = None) -> Screened:
    """Look at the feedback of so many days, and write what is suspect.

    What is no longer so is cleared in the later half. In the earlier one marks stay: of a campaign that slides out of
    view the rest would look like nothing.
    """
    now = now or datetime.now(UTC)
    material = load(engine, now - timedelta(days=days))
    found = reasons_of(material)
    recent = material.since(now - timedelta(days=days / 2))
    changed = {
        name: found.get(name)
        for name, was in material.marked.items()
        if was != found.get(name) and (name in found or name in recent)
    }
    _write(engine, changed)
    cleared = sum(reason is None for reason in changed.values())
    return Screened(len(material.marked), dict(Counter(found.values())), cleared)


def clear(engine: Engine) -> int:
    """Take every mark back; how many there were."""
    with engine.begin() as connection:
        without_limit(connection)
        marked = FeedbackEvent.suspect.is_not(None)
        done = connection.execute(update(FeedbackEvent).where(marked).values(suspect=None))
        return done.rowcount


def reasons_of(material: Material) -> dict[str, str]:
    """By event why it is suspect; what a text says outweighs what many say."""
    judged = judge(list(material.opinions.values()))
    of_all = {event: reason for one, reason in judged.items() for event in material.events[one]}
    return of_all | judge_texts(material.remarks, material.hosts)


def load(engine: Engine, since: datetime) -> Material:
    """The feedback that counts since a moment, with what its answers rest on. Events without an answer are left out."""
    query = (
        current_feedback()
        .join(Answer, Answer.id == FeedbackEvent.answer_id)
        .where(FeedbackEvent.received_at >= since, FeedbackEvent.actor_kind.not_in(_TRUSTED))
        .add_columns(Answer)
        .options(load_only(Answer.citations, Answer.collection, Answer.outcome, Answer.variant))
        .order_by(FeedbackEvent.event_id)
        .execution_options(yield_per=_AT_ONCE)
    )
    found = Material()
    with Session(engine) as session:
        without_limit(session.connection())
        for event, answer in session.execute(query):
            _add(found, event, answer)
    return found


def opinion_of(event: FeedbackEvent, answer: Answer) -> Opinion | None:
    """What an event says of its answer; None where it says neither good nor bad."""
    verdict = verdict_of(event.kind, event.value)
    if verdict is None:
        return None
    passage, document = _rests_on(answer)
    at = event.observed_at.timestamp() / _DAY_S
    return Opinion(event.event_id, _actor(event), at, verdict, document, passage, answer.variant)


def _actor(event: FeedbackEvent) -> str:
    """Events from before there were actors are each one's own."""
    return event.actor or f"event {event.event_id}"


def _add(found: Material, event: FeedbackEvent, answer: Answer) -> None:
    found.marked[event.event_id] = event.suspect
    found.received[event.event_id] = event.received_at
    found.hosts |= set(filter(None, _hosts(answer.citations)))
    texts = (text for text in (event.correction, event.comment) if text)
    found.remarks += [Remark(event.event_id, _actor(event), text) for text in texts]
    opinion = opinion_of(event, answer)
    if opinion is not None:
        before = found.opinions.get((opinion.actor, answer.id))
        found.opinions[opinion.actor, answer.id] = opinion
        found.events[opinion.event_id] = [
            opinion.event_id,
            *(found.events.pop(before.event_id) if before else ()),
        ]


def _rests_on(answer: Answer) -> tuple[str, str]:
    """The passage that an answer cites first, and its document; of one without citations, what kind of reply it is.

    Curated answers and results of tools have no passage: they stand for themselves.
    """
    for citation in answer.citations:
        document = str(citation["document_id"] or citation["title"])
        return str(citation["chunk_id"] or document), document
    reply = f"{answer.collection} {answer.outcome}"
    return reply, reply


def _hosts(citations: Sequence[Mapping[str, Any]]) -> Iterable[str]:
    """Where cited documents are on the web."""
    for citation in citations:
        # A source is whatever its document says, and not all that looks like an address is one.
        with suppress(ValueError):
            yield (urlsplit(str(citation.get("source", ""))).hostname or "").casefold()


def _write(engine: Engine, changed: Mapping[str, str | None]) -> None:
    rows = [{"event_id": name, "suspect": reason} for name, reason in sorted(changed.items())]
    for start in range(0, len(rows), _AT_ONCE):
        with Session(engine) as session, session.begin():
            session.execute(update(FeedbackEvent), rows[start : start + _AT_ONCE])
