"""On which answers a key may give feedback: its own, and all for a key with the scope `admin`."""

from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from service.database import AWAY
from service.errors import NotReadyError
from service.tables import Answer


def may_rate(engine: Engine, answer_id: str, caller: str, *, is_admin: bool) -> bool:
    """Whether an answer is recorded and the caller may rate it. Raises `NotReadyError` without a database."""
    query = select(Answer.caller).where(Answer.id == answer_id)
    try:
        with Session(engine) as session:
            asked_by = session.scalar(query)
    except AWAY as exc:
        raise NotReadyError(
            "The database can't be reached just now, and nothing was stored. Send it again with the same Idempotency-Key."
        ) from exc
    return asked_by is not None and (is_admin or asked_by == caller)
