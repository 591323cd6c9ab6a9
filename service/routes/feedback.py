"""Feedback on answers."""

import asyncio
import hashlib
from collections.abc import Callable
from functools import partial
from typing import TypeVar

from fastapi import APIRouter, Request

from service.auth import Caller
from service.database import WAIT_S
from service.deps import AppState, State
from service.errors import ConflictError, NotFoundError
from service.feedback.record import store
from service.feedback.rights import may_rate
from service.metrics import FEEDBACK
from service.openapi import errors
from service.routes.once import IdempotencyKey
from service.schemas import FeedbackReply, FeedbackRequest
from service.threads import within

router = APIRouter(prefix="/v1", responses=errors(400, 401, 404, 409, 413, 503))
T = TypeVar("T")
# An answer is recorded a moment after it was sent, with the others of that moment.
_RECORDED_WITHIN_S = 0.25


@router.post("/feedback", status_code=201)
async def feedback(
    event: FeedbackRequest,
    request: Request,
    state: AppState,
    idempotency_key: IdempotencyKey = None,
) -> FeedbackReply:
    """Store a thumb; the reply's token, or the key that asked if it has the scope `feedback`, lets one in."""
    caller = await _caller(event, request, state)
    event_id = await _stored(state, event, caller, idempotency_key)
    FEEDBACK.labels(event.kind).inc()
    outcome = "retracted" if event.value is None else "set"
    return FeedbackReply(event_id=event_id, answer_id=event.answer_id, state=outcome)


async def _caller(event: FeedbackRequest, request: Request, state: State) -> str:
    if event.token is not None:
        state.signer.check(event.answer_id, event.token)
        return "token"
    caller = state.keys.identify(request.headers.get("authorization"))
    caller.need("feedback")
    await _check_rights(event.answer_id, caller, state)
    return caller.id


async def _check_rights(answer_id: str, caller: Caller, state: State) -> None:
    """Raise `NotFoundError` for an answer that isn't recorded or is another caller's: both look alike."""
    work = partial(may_rate, state.engine, answer_id, caller.id, is_admin="admin" in caller.scopes)
    if await _aside(state, work):
        return
    await asyncio.sleep(_RECORDED_WITHIN_S)
    if not await _aside(state, work):
        raise NotFoundError(
            f"This key has no answer {answer_id!r}. Use the key that asked, or the token of the reply.",
            param="answer_id",
        )


async def _stored(state: State, event: FeedbackRequest, caller: str, key: str | None) -> str:
    owner = event.answer_id if caller == "token" else caller
    work = partial(
        store,
        state.engine,
        answer_id=event.answer_id,
        caller=caller,
        kind=event.kind,
        value=event.value,
        idempotency_key=_bound(owner, key),
    )
    try:
        return await _aside(state, work)
    except ConflictError as exc:
        raise ConflictError(
            f"The Idempotency-Key {key!r} was used for another event. Use a new one.", param="Idempotency-Key"
        ) from exc


def _bound(owner: str, key: str | None) -> str | None:
    """The key as it is stored: everybody's own, whatever keys others choose. A token's owner is its answer."""
    return None if key is None else hashlib.sha256(f"{owner}\n{key}".encode()).hexdigest()


async def _aside(state: State, work: Callable[[], T]) -> T:
    return await within(WAIT_S, state.database_threads, work, "The database")
