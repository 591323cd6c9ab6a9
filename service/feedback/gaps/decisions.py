"""What people decided about gaps, and the evaluation cases that come of those that were accepted."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from service.feedback.curated.answer import Curated, CuratedText
from service.feedback.curated.store import put_within, read_all
from service.feedback.gaps.gap import Decision, Gap, Verdict
from service.ids import uuid7
from service.tables import GapDecision


@dataclass(frozen=True, slots=True)
class Decided:
    """About which gap of which assistant somebody decides, and within how many days its questions were asked."""

    assistant: str
    gap: Gap
    days: int
    by: str


def read_decisions(engine: Engine, assistant: str) -> list[Decision]:
    """All decisions about an assistant's gaps, the oldest first."""
    query = select(GapDecision).where(GapDecision.assistant == assistant).order_by(GapDecision.id)
    with Session(engine) as session:
        return [_decision(row) for row in session.scalars(query)]


def _decision(row: GapDecision) -> Decision:
    verdict: Verdict = "accepted" if row.decision == "accepted" else "dismissed"
    return Decision(row.question, verdict, row.created_at, row.askers, row.days)


def dismiss(engine: Engine, decided: Decided, reason: str) -> None:
    """Keep a gap away until twice as many ask it a day."""
    with Session(engine) as session, session.begin():
        session.add(_row(decided, "dismissed", reason=reason))


def accept(
    engine: Engine, decided: Decided, text: CuratedText, *, passage: str | None, expected: Sequence[str]
) -> tuple[Curated, dict[str, Any]]:
    """Answer a gap: its curated answer and its evaluation case, kept in one transaction.

    `passage` is the text of a cited passage, `expected` are short texts that a right answer holds.
    """
    with Session(engine) as session, session.begin():
        curated, _ = put_within(session, uuid7(), text, by=decided.by)
        row = _row(decided, "accepted")
        row.curated_id, row.passage, row.expected = curated.id, passage, list(expected)
        session.add(row)
        return curated, _case(row, curated)


def _row(decided: Decided, verdict: Verdict, *, reason: str | None = None) -> GapDecision:
    gap = decided.gap
    return GapDecision(
        id=uuid7(),
        assistant=decided.assistant,
        gap=gap.id,
        question=gap.title,
        decision=verdict,
        reason=reason,
        askers=gap.askers,
        days=decided.days,
        expected=[],
        created_at=datetime.now(UTC),
        created_by=decided.by,
    )


def cases_of(engine: Engine, assistant: str | None = None) -> list[dict[str, Any]]:
    """An evaluation case for each accepted gap whose answer still stands, in the form that `evals.case` reads.

    An answer that was changed since is the changed one in its case.
    """
    query = select(GapDecision).where(GapDecision.decision == "accepted").order_by(GapDecision.id)
    if assistant is not None:
        query = query.where(GapDecision.assistant == assistant)
    with Session(engine) as session:
        rows = session.scalars(query).all()
    standing = {one.id: one for one in read_all(engine)}
    return [_case(row, standing[row.curated_id]) for row in rows if row.curated_id in standing]


def _case(row: GapDecision, curated: Curated) -> dict[str, Any]:
    text = curated.text
    documents = [source.document_id for source in text.sources if source.document_id]
    return {
        "id": f"gap-{curated.id}",
        "question": text.question,
        "answerable": True,
        "language": text.language,
        "documents": documents or [curated.name],
        "passage": row.passage or text.answer,
        "answers": list(row.expected) or [text.answer],
    }
