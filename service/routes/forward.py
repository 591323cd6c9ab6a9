"""What goes to the generator as it is: text completions and tokens, for evaluation harnesses.

The server's reply is passed on byte for byte; nothing of it is parsed.
"""

from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import orjson
from fastapi import APIRouter, Request
from fastapi.responses import Response, StreamingResponse

from service.deps import AnswerCall, State
from service.errors import GeneratorError, InvalidRequestError, UnknownModelError
from service.logs import get_logger
from service.routes.sse import STREAM_HEADERS

router = APIRouter()
log = get_logger()


@router.post("/v1/completions", response_model=None)
async def completions(request: Request, call: AnswerCall) -> Response:
    """Text completion by the generator itself, without documents."""
    return await _forward(call.state, "/completions", await _body(request, call.state))


@router.post("/tokenize", response_model=None)
async def tokenize(request: Request, call: AnswerCall) -> Response:
    """The generator's tokens of a text; vLLM has this route beside `/v1`, not below it."""
    return await _forward(call.state, "/../tokenize", await _body(request, call.state))


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


async def _forward(state: State, path: str, body: dict[str, Any]) -> Response:
    if state.generator is None:
        raise GeneratorError("No generator is configured. Set TOUCHSTONE_GENERATOR_URL.")
    reply = await state.generator.forward(path, body)
    kind = reply.headers.get("content-type", "application/json")
    if kind.startswith("text/event-stream"):
        return StreamingResponse(_relay(reply), reply.status, media_type=kind, headers=STREAM_HEADERS)
    async with reply:
        return Response(await reply.read(), reply.status, media_type=kind)


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
