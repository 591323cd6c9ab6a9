"""Curated answers in the database. Hits are counted from the answer log, so that no answer waits for a counter."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime

from sqlalchemy import ColumnElement, Engine, func, select, update
from sqlalchemy.orm import Session

from service.errors import NotFoundError
from service.feedback.curated.answer import CURATED, Curated, CuratedSource, CuratedText
from service.tables import Answer, CuratedAnswer

# How many there are, and the sum of their versions: none is ever removed, so that every change raises it.
Stamp = tuple[int, int]
# A treatment's answer that nobody sees is no hit.
_IS_HIT = (Answer.reason == CURATED) & Answer.stage.is_distinct_from("unseen")


def read_stamp(engine: Engine) -> Stamp:
    """What tells whether anything has changed."""
    with Session(engine) as session:
        query = select(func.count(CuratedAnswer.id), func.coalesce(func.sum(CuratedAnswer.version), 0))
        count, versions = session.execute(query).one()
        return count, versions


def read_all(engine: Engine) -> list[Curated]:
    """Those that are not retired."""
    with Session(engine) as session:
        query = select(CuratedAnswer).where(CuratedAnswer.retired_at.is_(None)).order_by(CuratedAnswer.id)
        return [_curated(row) for row in session.scalars(query)]


def read_page(
    engine: Engine, assistant: str | None, *, after: str, limit: int, with_retired: bool
) -> list[Curated]:
    """Some of them in the order of their ids."""
    query = select(CuratedAnswer).where(CuratedAnswer.id > after).order_by(CuratedAnswer.id).limit(limit)
    if assistant is not None:
        query = query.where(CuratedAnswer.assistant == assistant)
    if not with_retired:
        query = query.where(CuratedAnswer.retired_at.is_(None))
    with Session(engine) as session:
        return [_curated(row) for row in session.scalars(query)]


def read_one(engine: Engine, curated_id: str) -> Curated | None:
    """One of them, also when it is retired."""
    with Session(engine) as session:
        row = session.get(CuratedAnswer, curated_id)
        return _curated(row) if row else None


def put(engine: Engine, curated_id: str, text: CuratedText, *, by: str) -> tuple[Curated, bool]:
    """Write one or replace it, which brings a retired one back; and whether it was there already."""
    with Session(engine) as session, session.begin():
        return put_within(session, curated_id, text, by=by)


def put_within(session: Session, curated_id: str, text: CuratedText, *, by: str) -> tuple[Curated, bool]:
    """The same in a transaction of the caller's."""
    now = datetime.now(UTC)
    row = session.get(CuratedAnswer, curated_id, with_for_update=True)
    is_there = row is not None
    if row is None:
        row = CuratedAnswer(id=curated_id, version=0, created_at=now, created_by=by, past_hits=0)
        session.add(row)
    row.version += 1
    row.changed_at, row.changed_by, row.retired_at = now, by, None
    row.assistant, row.question, row.answer, row.language = (
        text.assistant,
        text.question,
        text.answer,
        text.language,
    )
    row.alternatives, row.groups = list(text.alternatives), list(text.groups)
    row.sources = [asdict(source) for source in text.sources]
    row.valid_from, row.valid_until = text.valid_from, text.valid_until
    session.flush()
    return _curated(row), is_there


def retire(engine: Engine, curated_id: str, *, by: str) -> Curated:
    """Let it answer nobody any more. Raises `NotFoundError`."""
    now = datetime.now(UTC)
    with Session(engine) as session, session.begin():
        row = session.get(CuratedAnswer, curated_id, with_for_update=True)
        if row is None or row.retired_at is not None:
            raise NotFoundError(f"There is no curated answer {curated_id!r}.")
        row.version += 1
        row.retired_at, row.changed_at, row.changed_by = now, now, by
        return _curated(row)


def hits_of(engine: Engine, answers: Sequence[Curated]) -> dict[str, int]:
    """How often each has answered, by id."""
    names = {one.name: one.id for one in answers}
    counted = select(Answer.generator, func.count()).where(_IS_HIT, Answer.generator.in_(names))
    past = select(CuratedAnswer.id, CuratedAnswer.past_hits).where(CuratedAnswer.id.in_(names.values()))
    with Session(engine) as session:
        hits: dict[str, int] = {key: count for key, count in session.execute(past)}
        for name, count in session.execute(counted.group_by(Answer.generator)):
            hits[names[name]] += count
    return hits


def keep_hits(session: Session, of_answers: ColumnElement[bool]) -> None:
    """Add the hits of answers that are about to be deleted to those that are past."""
    counted = select(Answer.generator, func.count()).where(_IS_HIT, of_answers).group_by(Answer.generator)
    for name, count in session.execute(counted).all():
        curated_id = name.removeprefix(f"{CURATED}:")
        past = CuratedAnswer.past_hits + count
        session.execute(update(CuratedAnswer).where(CuratedAnswer.id == curated_id).values(past_hits=past))


def _curated(row: CuratedAnswer) -> Curated:
    text = CuratedText(
        assistant=row.assistant,
        question=row.question,
        answer=row.answer,
        language=row.language,
        alternatives=tuple(row.alternatives),
        sources=tuple(CuratedSource(**source) for source in row.sources),
        groups=tuple(row.groups),
        valid_from=row.valid_from,
        valid_until=row.valid_until,
    )
    return Curated(
        row.id,
        text,
        row.version,
        row.created_at,
        row.created_by,
        row.changed_at,
        row.changed_by,
        row.retired_at,
    )
