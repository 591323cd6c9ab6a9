"""Answers that must go: those that quote what the documents no longer say, and those that are too old."""

import json
from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

import orjson
from sqlalchemy import Engine, delete, select, text, update
from sqlalchemy.orm import Session

from ingestion.atomic import write_atomically
from service.answer.record import insert_rows
from service.answer.spill import Spill
from service.database import without_limit
from service.feedback.curated.store import keep_hits, read_all
from service.tables import Answer, Exposure, FeedbackEvent, IdempotentRequest

# Whether a passage of a collection, by the id of its chunk, is still in the index.
Stands = Callable[[str, str], bool]
_NOTHING: dict[str, Any] = {"answer": "", "citations": [], "verdicts": []}


def clear_quoting(engine: Engine, spill: Spill, stands: Stands) -> int:
    """Clear text, quotes and verdicts of answers that quote a passage which is gone; how many there were.

    An answer without citations can't be shown to quote only what stands, as one that was cut off, so it is cleared
    too; one that quotes a curated answer stands as long as that does. Questions, versions and figures stay. Answers that
    waited in files are written first.
    """
    spill.drain(partial(insert_rows, engine))
    stands = _or_curated(stands, {one.name for one in read_all(engine)})
    columns = (Answer.id, Answer.collection, Answer.outcome, Answer.answer, Answer.citations)
    with Session(engine) as session, session.begin():
        found = [
            row.id for row in session.execute(select(*columns)) if _quotes_gone(dict(row._mapping), stands)
        ]
        for answer_id in found:
            session.execute(update(Answer).where(Answer.id == answer_id).values(**_NOTHING))
        # Replies that were kept for clients that ask again name documents and say why one was refused.
        session.execute(delete(IdempotentRequest).where(IdempotentRequest.status.is_not(None)))
    _clear_refused(spill.refused, stands)
    return len(found)


def _or_curated(stands: Stands, curated: Collection[str]) -> Stands:
    """Curated answers are cited by their names."""
    return lambda collection, cited: cited in curated or stands(collection, cited)


def _quotes_gone(row: Mapping[str, Any], stands: Stands) -> bool:
    if row.get("outcome") != "answered" or not row["answer"]:
        return False
    named = [one for one in row["citations"] if one.get("kind") != "tool"]  # what a tool gave is no document
    cited = [str(citation["chunk_id"] or citation["document_id"]) for citation in named]
    return not cited or not all(stands(row["collection"], chunk_id) for chunk_id in cited)


def _clear_refused(path: Path, stands: Stands) -> None:
    if not path.is_file():
        return
    rows = [orjson.loads(line) for line in path.read_bytes().splitlines()]
    cleared = [{**row, **_NOTHING} if _quotes_gone(row, stands) else row for row in rows]
    write_atomically(path, "".join(json.dumps(row) + "\n" for row in cleared))
    path.chmod(0o600)


def delete_older(engine: Engine, before: datetime) -> int:
    """Delete answers from before a moment with their feedback, feedback on none, and exposures; how many answers there were."""
    with Session(engine) as session, session.begin():
        keep_hits(session, Answer.created_at < before)
        old = session.scalars(select(Answer.id).where(Answer.created_at < before)).all()
        for answer_id in old:
            session.execute(delete(FeedbackEvent).where(FeedbackEvent.answer_id == answer_id))
            session.execute(delete(Answer).where(Answer.id == answer_id))
        on_nothing = FeedbackEvent.answer_id.not_in(select(Answer.id))
        session.execute(delete(FeedbackEvent).where(FeedbackEvent.received_at < before, on_nothing))
        session.execute(delete(Exposure).where(Exposure.created_at < before))
    return len(old)


def compact(engine: Engine) -> None:
    """Leave no trace of what was deleted or cleared in the files of the database."""
    is_sqlite = engine.dialect.name == "sqlite"
    tables = [one.__tablename__ for one in (Answer, FeedbackEvent, Exposure, IdempotentRequest)]
    statements: Iterable[str] = (
        ("vacuum", "pragma wal_checkpoint(truncate)")
        if is_sqlite
        else [f"vacuum full {table}" for table in tables]
    )
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        without_limit(connection)
        for statement in statements:
            connection.execute(text(statement))
