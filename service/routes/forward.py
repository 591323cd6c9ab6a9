"""What goes to the generator without documents: text completions and tokens, for evaluation harnesses.

The guards of the assistant hold here too.
"""

from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import orjson
from fastapi import APIRouter, Request
from fastapi.responses import Response, StreamingResponse

from service.deps import AnswerCall, State
from service.errors import GeneratorError, InvalidRequestError, UnknownModelError
from service.guard.build import AssistantGuards
from service.guard.completions import guard_prompt, guard_reply, guard_stream
from service.logs import get_logger
from service.routes.sse import STREAM_HEADERS

router = APIRouter()
log = get_logger()


@router.post("/v1/completions", response_model=None)
async def completions(request: Request, call: AnswerCall) -> Response:
    """Text completion by the generator itself, without documents."""
    body = await _body(request, call.state)
    guards = _guards_of(body, call.state)
    reply = await _sent(call.state, "/completions", await guard_prompt(body, guards))
    kind = reply.headers.get("content-type", "application/json")
    if kind.startswith("text/event-stream"):
        relayed = guard_stream(_relay(reply), guards)
        return StreamingResponse(relayed, reply.status, media_type=kind, headers=STREAM_HEADERS)
    async with reply:
        data = await reply.read()
    if reply.status != 200:
        return Response(data, reply.status, media_type=kind)
    return Response(orjson.dumps(guard_reply(orjson.loads(data), guards)), 200, media_type=kind)


@router.post("/tokenize", response_model=None)
async def tokenize(request: Request, call: AnswerCall) -> Response:
    """The generator's tokens of a text; vLLM has this route beside `/v1`, not below it."""
    body = await _body(request, call.state)
    reply = await _sent(call.state, "/../tokenize", await guard_prompt(body, _guards_of(body, call.state)))
    async with reply:
        kind = reply.headers.get("content-type", "application/json")
        return Response(await reply.read(), reply.status, media_type=kind)


async def _body(request: Request, state: State) -> dict[str, Any]:
    try:
        body = orjson.loads(await request.body())
    except orjson.JSONDecodeError as exc:
        raise InvalidRequestError(f"The body is not valid JSON: {exc}.") from exc
    if not isinstance(body, dict):
        raise InvalidRequestError("The body must be a JSON object.")
    wanted = body.get("model")
    if wanted is not None and wanted not in state.scope.assistants:
        known = sorted(state.scope.assistants)
        raise UnknownModelError(f"There is no assistant {wanted!r}. Choose one of {known}.", param="model")
    return body


def _guards_of(body: dict[str, Any], state: State) -> AssistantGuards:
    """The guards of the assistant that was named, or of the first."""
    return state.guards[str(body.get("model") or next(iter(state.scope.assistants)))]


async def _sent(state: State, path: str, body: dict[str, Any]) -> aiohttp.ClientResponse:
    if state.generator is None:
        raise GeneratorError("No generator is configured. Set TOUCHSTONE_GENERATOR_URL.")
    return await state.generator.forward(path, body)


async def _relay(reply: aiohttp.ClientResponse) -> AsyncIterator[bytes]:
    """Bytes as they come. Closing the reply early tells the server to stop."""
    try:
        async for chunk in reply.content.iter_any():
            yield chunk
    except (aiohttp.ClientError, TimeoutError) as exc:
        log.warning("relay_interrupted", error=type(exc).__name__)
        error = GeneratorError("The generator stopped in the middle of its reply.")
        yield b"data: " + orjson.dumps(error.body("")) + b"\n\ndata: [DONE]\n\n"
    finally:
        reply.close()
