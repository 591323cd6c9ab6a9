"""Feedback on answers: one statement, or what a helpdesk posts."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

from fastapi import APIRouter, Request

from service.auth import Caller
from service.database import WAIT_S
from service.deps import AppState, State
from service.errors import ConflictError, NotFoundError
from service.feedback.event import Receipt, Speaker
from service.feedback.intake import event_of
from service.feedback.limits import Quota
from service.feedback.record import bound
from service.feedback.requests import FeedbackReply, FeedbackRequest, WebhookReply
from service.feedback.rights import RatedAnswer, answers_by_id, answers_of_conversations
from service.feedback.webhooks import OpenWebhook
from service.metrics import FEEDBACK, FEEDBACK_WEBHOOKS
from service.openapi import errors
from service.routes.once import IdempotencyKey
from service.threads import within

router = APIRouter(prefix="/v1", responses=errors(400, 401, 404, 409, 413, 429, 503))
T = TypeVar("T")
# An answer is recorded a moment after it was sent, with the others of that moment.
_RECORDED_WITHIN_S = 0.25


@dataclass(frozen=True, slots=True)
class _Voice:
    """Who speaks, with which key (None with a token), and of which quotas that takes."""

    caller: Caller | None
    speaker: Speaker
    quotas: tuple[tuple[Quota, str], ...]


@router.post("/feedback", status_code=201)
async def feedback(
    statement: FeedbackRequest,
    request: Request,
    state: AppState,
    idempotency_key: IdempotencyKey = None,
) -> FeedbackReply:
    """Store a statement, once it is durable; the reply's token, or a key with the scope `feedback`, lets one in."""
    by_token = statement.token is not None
    voice = _by_token(statement, state) if by_token else _by_key(statement, request, state)
    taken, receipt = state.feedback.limits.take(*voice.quotas), None
    try:
        receipt = await _stored(statement, voice, state, idempotency_key)
    finally:
        if receipt is None or not receipt.is_new:
            taken.give_back()
    FEEDBACK.labels(statement.kind).inc(receipt.is_new)
    return FeedbackReply(event_id=receipt.event_id, answer_id=receipt.answer_id, state=receipt.state)


def _by_token(statement: FeedbackRequest, state: State) -> _Voice:
    desk = state.feedback
    speaker = desk.identities.of_token(statement)
    quotas = (desk.limits.answers, str(statement.answer_id)), (desk.limits.actors, speaker.actor)
    return _Voice(None, speaker, quotas)


def _by_key(statement: FeedbackRequest, request: Request, state: State) -> _Voice:
    caller = state.keys.identify(request.headers.get("authorization"))
    caller.need("feedback")
    desk = state.feedback
    speaker = desk.identities.of_key(statement, caller.id)
    by_user = ((desk.limits.actors, speaker.actor),) if statement.user is not None else ()
    return _Voice(caller, speaker, ((desk.limits.callers, caller.id), *by_user))


async def _stored(statement: FeedbackRequest, voice: _Voice, state: State, key: str | None) -> Receipt:
    """The receipt of an event that is durable. Raises `ConflictError`, `NotFoundError`, `NotReadyError`."""
    if voice.caller is None:
        answer_id, answer = await _of_token(statement, state)
    else:
        answer = await _of_key(statement, voice.caller, voice.speaker, state)
        answer_id = answer.id
    owner = answer_id if voice.caller is None else voice.caller.id
    mask, bound_key = state.feedback.mask, bound(owner, key)
    work = partial(event_of, statement, voice.speaker, answer_id, answer, mask, key=bound_key)
    event = await asyncio.to_thread(work) if statement.has_text else work()
    try:
        return await state.feedback.writer.add(event)
    except ConflictError as exc:
        raise ConflictError(
            f"The Idempotency-Key {key!r} was used for another event. Use a new one.", param="Idempotency-Key"
        ) from exc


async def _of_token(statement: FeedbackRequest, state: State) -> tuple[str, RatedAnswer | None]:
    """The answer's id, and its record where that matters: the token says enough, but a text's mask is the assistant's."""
    answer_id = str(statement.answer_id)
    work = partial(answers_by_id, state.engine, [answer_id])
    found = await _aside(state, work) if statement.has_text else {}
    return answer_id, found.get(answer_id)


async def _of_key(statement: FeedbackRequest, caller: Caller, speaker: Speaker, state: State) -> RatedAnswer:
    work = partial(_answer_for, state, statement, caller, speaker)
    answer = await _aside(state, work)
    if answer is None:
        await asyncio.sleep(_RECORDED_WITHIN_S)
        answer = await _aside(state, work)
    if answer is None:
        raise _unknown(statement)
    return answer


def _answer_for(
    state: State, statement: FeedbackRequest, caller: Caller, speaker: Speaker
) -> RatedAnswer | None:
    """The answer that the caller may speak of; what is another's looks like what isn't there."""
    is_admin = "admin" in caller.scopes
    if statement.conversation_id is not None:
        spoken = statement.conversation_id, speaker.actor
        return answers_of_conversations(state.engine, [spoken], None if is_admin else caller.id).get(spoken)
    answer = answers_by_id(state.engine, [str(statement.answer_id)]).get(str(statement.answer_id))
    return answer if answer is not None and (is_admin or answer.caller == caller.id) else None


def _unknown(statement: FeedbackRequest) -> NotFoundError:
    if statement.conversation_id is not None:
        return NotFoundError(
            f"This key has no answer in the conversation {statement.conversation_id!r}. Use the key that asked, and the"
            " `conversation_id` that it gave or that the reply has.",
            param="conversation_id",
        )
    return NotFoundError(
        f"This key has no answer {statement.answer_id!r}. Use the key that asked, or the token of the reply.",
        param="answer_id",
    )


@router.post("/feedback/webhook/{name}")
async def webhook(name: str, request: Request, state: AppState) -> WebhookReply:
    """Take what a helpdesk of the scope file's `webhooks` posts. What means nothing here is `ignored` with a 200."""
    hook = state.feedback.webhooks.get(name)
    if hook is None:
        raise NotFoundError(f"The scope file has no webhook {name!r:.100}.")
    body = await request.body()
    hook.check(request.headers, body)
    reply = await _reported(hook, body, state)
    FEEDBACK_WEBHOOKS.labels(name, reply.reason or reply.status).inc()
    return reply


async def _reported(hook: OpenWebhook, body: bytes, state: State) -> WebhookReply:
    report = hook.read(body)
    if isinstance(report, str):
        return WebhookReply(status="ignored", reason=report)
    pseudonyms = state.feedback.identities.pseudonyms
    spoken = report.conversation_id, hook.actor(pseudonyms)
    work = partial(answers_of_conversations, state.engine, [spoken], hook.config.caller)
    answer = (await _aside(state, work)).get(spoken)
    if answer is None:
        return WebhookReply(status="ignored", reason="unknown_conversation")
    try:
        receipt = await state.feedback.writer.add(hook.event(report, answer, pseudonyms))
    except ConflictError:
        return WebhookReply(status="ignored", reason="id_of_another_event")
    FEEDBACK.labels("outcome").inc(receipt.is_new)
    return WebhookReply(status="stored" if receipt.is_new else "known", event_id=receipt.event_id)


async def _aside(state: State, work: Callable[[], T]) -> T:
    return await within(WAIT_S, state.database_threads, work, "The database")
