"""Chat completions and the list of assistants."""

import time
from collections.abc import AsyncGenerator
from contextlib import aclosing

from fastapi import APIRouter, Request
from fastapi.responses import Response

from service.answer.request import AnswerRequest, Options, RawMessage, Reply
from service.deps import AnswerCall, Call
from service.errors import InternalError, UnknownModelError
from service.guard.texts import RawText
from service.openapi import errors
from service.protocol import ChatRequest
from service.routes.disconnect import ClosingStream, while_connected
from service.routes.options import refuse_unsupported
from service.routes.sse import STREAM_HEADERS, Piece, chat_chunks, usage_of
from service.schemas import Json, Model, ModelList

router = APIRouter(prefix="/v1", responses=errors(400, 401))


@router.get("/models")
async def models(call: AnswerCall) -> ModelList:
    """The assistants."""
    assistants = call.state.scope.assistants.items()
    return ModelList(data=[Model(id=name, description=a.description) for name, a in assistants])


@router.get("/models/{model:path}", responses=errors(404))
async def model(model: str, call: AnswerCall) -> Model:
    """One of the assistants."""
    known = call.state.scope.assistants
    if model not in known:
        raise UnknownModelError(
            f"There is no assistant {model!r}. Choose one of {sorted(known)}.", param="model"
        )
    return Model(id=model, description=known[model].description)


@router.post("/chat/completions", response_model=None, responses=errors(404, 413, 502, 503))
async def chat(ask: ChatRequest, request: Request, call: AnswerCall) -> Response | Json:
    """Answer a question, streamed or not."""
    pipeline = call.state.pipeline
    turn = await while_connected(request, pipeline.begin(_ask_of(ask, call)))
    pieces = pipeline.stream(turn)
    if not ask.stream:
        reply = await while_connected(request, _last(pieces))
        return _completion(ask.model, reply)
    # The first piece is awaited here, so that what fails at once gets its proper status.
    first = await while_connected(request, anext(pieces))
    usage = bool(ask.stream_options and ask.stream_options.include_usage)
    chunks = chat_chunks(
        first,
        pieces,
        reply_id=_reply_id(turn.id),
        model=ask.model,
        request_id=call.request_id,
        include_usage=usage,
    )
    return ClosingStream(chunks, media_type="text/event-stream", headers=STREAM_HEADERS)


def _ask_of(ask: ChatRequest, call: Call) -> AnswerRequest:
    refuse_unsupported({**(ask.model_extra or {}), "response_format": ask.response_format})
    return AnswerRequest(
        assistant=ask.model,
        messages=tuple(RawMessage(m.role, RawText(m.text)) for m in ask.messages),
        caller=call.caller.id,
        request_id=call.request_id,
        subject=call.state.pseudonyms.of(ask.user),
        conversation_id=ask.rag.conversation_id,
        variant=ask.rag.variant,
        top_k=ask.rag.top_k,
        view=call.view(ask.rag.filter),
        temperature=ask.temperature,
        max_tokens=ask.max_completion_tokens or ask.max_tokens,
        options=Options(stop=ask.stop_words, seed=ask.seed, top_p=ask.top_p),
        dry_run=ask.rag.dry_run,
        is_streamed=ask.stream,
        groups=call.view().groups,
    )


async def _last(pieces: AsyncGenerator[Piece, None]) -> Reply:
    async with aclosing(pieces):
        async for piece in pieces:
            if isinstance(piece, Reply):
                return piece
    raise InternalError("The answer ended without a reply.")


def _completion(model: str, reply: Reply) -> Json:
    message = {"role": "assistant", "content": reply.text}
    return {
        "id": _reply_id(reply.rag["answer_id"]),
        "object": "chat.completion",
        "created": int(time.time()),
        "model": model,
        "choices": [{"index": 0, "message": message, "finish_reason": reply.finish_reason}],
        "usage": usage_of(reply),
        "rag": reply.rag,
    }


def _reply_id(answer_id: str) -> str:
    """The same for streamed and whole replies: it names the answer, whose record and feedback have that id."""
    return f"chatcmpl-{answer_id}"
