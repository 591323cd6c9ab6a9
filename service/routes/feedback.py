"""Feedback on answers."""

from functools import partial

from fastapi import APIRouter, Request

from service.database import WAIT_S
from service.deps import AppState, State
from service.feedback.record import store
from service.metrics import FEEDBACK
from service.routes.once import IdempotencyKey
from service.schemas import FeedbackReply, FeedbackRequest
from service.threads import within

router = APIRouter(prefix="/v1")


@router.post("/feedback", status_code=201)
async def feedback(
    event: FeedbackRequest,
    request: Request,
    state: AppState,
    idempotency_key: IdempotencyKey = None,
) -> FeedbackReply:
    """Store a thumb; the reply's token or a key with the scope `feedback` lets one in."""
    caller = _caller(event, request, state)
    work = partial(
        store,
        state.engine,
        answer_id=event.answer_id,
        caller=caller,
        kind=event.kind,
        value=event.value,
        idempotency_key=idempotency_key,
    )
    event_id = await within(WAIT_S, state.database_threads, work, "The database")
    FEEDBACK.labels(event.kind).inc()
    outcome = "retracted" if event.value is None else "set"
    return FeedbackReply(event_id=event_id, answer_id=event.answer_id, state=outcome)


def _caller(event: FeedbackRequest, request: Request, state: State) -> str:
    if event.token is not None:
        state.signer.check(event.answer_id, event.token)
        return "token"
    caller = state.keys.identify(request.headers.get("authorization"))
    caller.need("feedback")
    return caller.id
