"""Requests with an `Idempotency-Key`, kept in the database, so that one that is repeated is answered and not done twice.

Works across processes and restarts. Knows nothing of HTTP but the status of a reply.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import ColumnElement, Engine, and_, delete, or_, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from service.database import AWAY
from service.errors import ConflictError, NotReadyError
from service.logs import get_logger
from service.tables import IdempotentRequest

log = get_logger()
# A day, and another one for a clock that is set forward.
_KEPT = timedelta(hours=48)
# A process that died leaves its claim behind. A change takes less, and doing one again does no harm: all are upserts.
_ABANDONED = timedelta(minutes=30)


@dataclass(frozen=True, slots=True)
class KeyedRequest:
    """Who asks with which key, and the digest of all that is asked."""

    caller: str
    key: str
    digest: str


@dataclass(frozen=True, slots=True)
class StoredReply:
    """A reply as it was sent; the body is JSON."""

    status: int
    body: str


def digest_of(parts: Iterable[bytes]) -> str:
    """The SHA-256 of parts, of which none can be taken for a piece of another."""
    sha = hashlib.sha256()
    for part in parts:
        sha.update(len(part).to_bytes(8, "big"))
        sha.update(part)
    return sha.hexdigest()


def claim(engine: Engine, request: KeyedRequest, *, now: datetime | None = None) -> StoredReply | None:
    """The first reply to a request that was answered; None for one that is the caller's to do now, and then to `settle`.

    Raises `ConflictError` for one that is under way or whose key was used for another, `NotReadyError` without a database.
    """
    try:
        return _claimed(engine, request, now or datetime.now(UTC))
    except AWAY as exc:
        raise NotReadyError(
            "The database can't be reached, so that nothing was begun. Send the request again with the same Idempotency-Key."
        ) from exc


def _claimed(engine: Engine, request: KeyedRequest, now: datetime) -> StoredReply | None:
    with Session(engine) as session, session.begin():
        session.execute(delete(IdempotentRequest).where(_is_over(now)))
    row = IdempotentRequest(caller=request.caller, key=request.key, digest=request.digest, created_at=now)
    try:
        with Session(engine) as session, session.begin():
            session.add(row)
        return None
    except IntegrityError:
        return _first_reply(engine, request)


def _is_over(now: datetime) -> ColumnElement[bool]:
    at = IdempotentRequest.created_at
    return or_(at < now - _KEPT, and_(at < now - _ABANDONED, IdempotentRequest.status.is_(None)))


def _first_reply(engine: Engine, request: KeyedRequest) -> StoredReply:
    with Session(engine) as session:
        first = session.get(IdempotentRequest, (request.caller, request.key))
    if first is not None and first.digest != request.digest:
        raise _conflict(request, "was used for another request. Use a new one.")
    if first is None or first.status is None:
        raise _conflict(
            request, "is of a request that is still under way. Send it again when that has ended."
        )
    return StoredReply(first.status, first.body or "")


def _conflict(request: KeyedRequest, why: str) -> ConflictError:
    return ConflictError(f"The Idempotency-Key {request.key!r} {why}", param="Idempotency-Key")


def settle(engine: Engine, request: KeyedRequest, reply: StoredReply | None) -> None:
    """Keep the reply to a claimed request; without one, let the next request with the key try again.

    A database that is away now only means that the key stays taken for a while: the reply must be sent all the same.
    """
    mine = and_(
        IdempotentRequest.caller == request.caller,
        IdempotentRequest.key == request.key,
        IdempotentRequest.digest == request.digest,
        IdempotentRequest.status.is_(None),
    )
    try:
        with Session(engine) as session, session.begin():
            if reply is None:
                session.execute(delete(IdempotentRequest).where(mine))
            else:
                values = {"status": reply.status, "body": reply.body}
                session.execute(update(IdempotentRequest).where(mine).values(values))
    except AWAY as exc:
        log.warning("idempotent_reply_not_kept", error=type(exc).__name__)
