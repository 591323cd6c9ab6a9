"""Chat completions and the list of assistants."""

import time
from collections.abc import AsyncGenerator

from fastapi import APIRouter, Request
from fastapi.responses import Response

from service.answer.request import Reply
from service.deps import AnswerCall
from service.errors import UnknownModelError
from service.openapi import errors
from service.protocol import ChatRequest
from service.routes.answer_headers import answer_headers
from service.routes.ask import ask_of, last_of
from service.routes.disconnect import ClosingStream, while_connected
from service.routes.options import CHAT, refuse_unsupported
from service.routes.sse import STREAM_HEADERS, Piece, call_of, chat_chunks, usage_of, with_refusals
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
async def chat(ask: ChatRequest, request: Request, call: AnswerCall, response: Response) -> Response | Json:
    """Answer a question, streamed or not."""
    refuse_unsupported(ask.model_extra or {}, CHAT)
    pipeline = call.state.pipeline
    turn = await while_connected(request, pipeline.begin(ask_of(ask, call)))
    pieces: AsyncGenerator[Piece, None] = pipeline.stream(turn)
    if not ask.stream:
        reply = await while_connected(request, last_of(pieces))
        response.headers.update(answer_headers(turn, reply.rag["timings"]))
        return _completion(ask.model, reply, may_refuse=ask.response_format is not None)
    # The first piece is awaited here, so that what fails at once gets its proper status.
    if ask.response_format is not None:
        pieces = with_refusals(pieces)
    first = await while_connected(request, anext(pieces))
    usage = bool(ask.stream_options and ask.stream_options.include_usage)
    chunks = chat_chunks(
        first,
        pieces,
        reply_id=_reply_id(turn.id),
        model=ask.model,
        request_id=call.request_id,
        include_usage=usage,
        may_call=turn.request.options.tools is not None,
    )
    return ClosingStream(
        chunks, media_type="text/event-stream", headers={**STREAM_HEADERS, **answer_headers(turn)}
    )


def _completion(model: str, reply: Reply, *, may_refuse: bool) -> Json:
    """`may_refuse`: the client reads JSON, and what the assistant says instead is a refusal in OpenAI's sense."""
    message: Json = {"role": "assistant", "content": reply.text}
    if may_refuse and reply.is_fixed:
        message = {"role": "assistant", "content": None, "refusal": reply.text}
    if reply.calls:
        calls = [call_of(call) for call in reply.calls]
        message = {"role": "assistant", "content": reply.text or None, "tool_calls": calls}
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
