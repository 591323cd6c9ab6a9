"""What goes to the generator without documents: text completions and tokens, for evaluation harnesses.

The guards of the assistant hold here too.
"""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import orjson
from fastapi import APIRouter, Request
from fastapi.responses import Response, StreamingResponse

from service.deps import AnswerCall, State
from service.errors import GeneratorError, InvalidRequestError, UnknownModelError
from service.guard.build import AssistantGuards
from service.guard.completions import INLINE_CHARS, guard_prompt, guard_reply, guard_stream
from service.logs import get_logger
from service.openapi import errors
from service.routes.disconnect import while_connected
from service.routes.sse import STREAM_HEADERS

router = APIRouter(responses=errors(400, 401, 404, 413, 502, 503))
log = get_logger()
_SHOWN_CHARS = 80


@router.post("/v1/completions", response_model=None)
async def completions(request: Request, call: AnswerCall) -> Response:
    """Text completion by the generator itself, without documents."""
    body = await _body(request, call.state)
    return await while_connected(request, _completed(call.state, body, _guards_of(body, call.state)))


@router.post("/tokenize", response_model=None)
async def tokenize(request: Request, call: AnswerCall) -> Response:
    """The generator's tokens of a text; vLLM has this route beside `/v1`, not below it."""
    body = await _body(request, call.state)
    return await while_connected(request, _tokenized(call.state, body, _guards_of(body, call.state)))


async def _completed(state: State, body: dict[str, Any], guards: AssistantGuards) -> Response:
    reply = await _sent(state, "/completions", await guard_prompt(body, guards))
    kind = _kind_of(reply)
    if kind.startswith("text/event-stream"):
        relayed = guard_stream(_relay(reply), guards)
        return StreamingResponse(relayed, reply.status, media_type=kind, headers=STREAM_HEADERS)
    data = await _read(reply)
    if reply.status != 200:
        return Response(data, reply.status, media_type=kind)
    if len(data) > INLINE_CHARS:
        return Response(await asyncio.to_thread(_guarded, data, guards), 200, media_type=kind)
    return Response(_guarded(data, guards), 200, media_type=kind)


def _guarded(data: bytes, guards: AssistantGuards) -> bytes:
    """A whole reply as it may leave. Raises `GeneratorError` for one that is no JSON object."""
    try:
        raw = orjson.loads(data)
    except orjson.JSONDecodeError as exc:
        raise GeneratorError("The generator's reply can't be read.") from exc
    if not isinstance(raw, dict):
        raise GeneratorError("The generator's reply can't be read.")
    return orjson.dumps(guard_reply(raw, guards))


async def _tokenized(state: State, body: dict[str, Any], guards: AssistantGuards) -> Response:
    reply = await _sent(state, "/../tokenize", await guard_prompt(body, guards))
    return Response(await _read(reply), reply.status, media_type=_kind_of(reply))


def _kind_of(reply: aiohttp.ClientResponse) -> str:
    return reply.headers.get("content-type", "application/json")


async def _read(reply: aiohttp.ClientResponse) -> bytes:
    """The whole reply. Closing it before its end tells the server to stop. Raises `GeneratorError`."""
    try:
        return await reply.read()
    except (aiohttp.ClientError, TimeoutError) as exc:
        raise GeneratorError("The generator stopped in the middle of its reply.") from exc
    finally:
        reply.close()


async def _body(request: Request, state: State) -> dict[str, Any]:
    try:
        body = orjson.loads(await request.body())
    except orjson.JSONDecodeError as exc:
        raise InvalidRequestError(f"The body is not valid JSON: {exc}.") from exc
    if not isinstance(body, dict):
        raise InvalidRequestError("The body must be a JSON object.")
    wanted = body.get("model")
    if wanted is not None and not isinstance(wanted, str):
        raise InvalidRequestError(
            f"'model' is {repr(wanted)[:_SHOWN_CHARS]}. Name an assistant.", param="model"
        )
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
