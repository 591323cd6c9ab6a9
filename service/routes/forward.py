"""What goes to the generator without documents: text completions and tokens, for evaluation harnesses.

The guards of the assistant hold here too. Requests and replies are built anew from the fields that are known.
"""

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import orjson
from fastapi import APIRouter, Request
from fastapi.responses import Response

from service.answer.completions import INLINE_CHARS, guard_prompt, guard_reply, guard_stream
from service.answer.generate.chunks import MalformedError, count_at, load
from service.answer.generate.openai import OpenAIGenerator, check_status
from service.answer.generate.replica import read_whole
from service.deps import AnswerCall, Call, State
from service.errors import GeneratorError, UnknownModelError
from service.ids import uuid7
from service.logs import get_logger
from service.openapi import errors
from service.routes.disconnect import ClosingStream, while_connected
from service.routes.sse import STREAM_HEADERS
from service.schemas import CompletionRequest, ForwardedRequest, Json, TokenizeRequest

router = APIRouter(responses=errors(400, 401, 404, 413, 502, 503))
log = get_logger()
# What the generator never hears of: it serves one model, and need not know for whom.
_OURS = {"model", "user", "prompt_embeds", "prompt_token_ids"}


@router.post("/v1/completions", response_model=None)
async def completions(ask: CompletionRequest, request: Request, call: AnswerCall) -> Response:
    """Text completion by the generator itself, without documents."""
    return await while_connected(request, _completed(ask, call))


@router.post("/tokenize", response_model=None)
async def tokenize(ask: TokenizeRequest, request: Request, call: AnswerCall) -> Response:
    """The generator's tokens of a text; vLLM has this route beside `/v1`, not below it."""
    return await while_connected(request, _tokenized(ask, call))


async def _completed(ask: CompletionRequest, call: Call) -> Response:
    name = _assistant_of(ask, call.state)
    guards = call.state.guards[name]
    reply = await _sent(call.state, name, "/completions", ask)
    named = [ask.prompt] if isinstance(ask.prompt, str) else ask.prompt
    head: Json = {
        "id": f"cmpl-{uuid7()}",
        "object": "text_completion",
        "created": int(time.time()),
        "model": name,
    }
    if ask.stream:
        relayed = guard_stream(_relay(reply), guards, named=named, head=head, request_id=call.request_id)
        return ClosingStream(relayed, media_type="text/event-stream", headers=STREAM_HEADERS)
    data = await _read(reply)
    if len(data) > INLINE_CHARS:
        return _json({**head, **await asyncio.to_thread(guard_reply, data, guards, named)})
    return _json({**head, **guard_reply(data, guards, named)})


async def _tokenized(ask: TokenizeRequest, call: Call) -> Response:
    data = await _read(await _sent(call.state, _assistant_of(ask, call.state), "/../tokenize", ask))
    try:
        return _json(_tokens_of(load(data)))
    except MalformedError as exc:
        raise GeneratorError("The generator's reply can't be read. Try again.") from exc


def _tokens_of(reply: Json) -> Json:
    """The numbers of a reply of `/tokenize`; tokens as text would repeat what the guards masked."""
    tokens = reply.get("tokens")
    if not isinstance(tokens, list) or not all(type(token) is int for token in tokens):
        raise MalformedError("'tokens' that is no list of numbers")
    return {"count": len(tokens), "max_model_len": count_at(reply, "max_model_len"), "tokens": tokens}


def _json(value: Json) -> Response:
    return Response(orjson.dumps(value), media_type="application/json")


async def _read(reply: aiohttp.ClientResponse) -> bytes:
    """The whole reply. Closing it before its end tells the server to stop. Raises `GeneratorError`."""
    try:
        return await read_whole(reply)
    except (aiohttp.ClientError, TimeoutError, MalformedError) as exc:
        raise GeneratorError("The generator stopped in the middle of its reply.") from exc
    finally:
        reply.close()


def _assistant_of(ask: ForwardedRequest, state: State) -> str:
    """The assistant that was named, or the first. Raises `UnknownModelError`."""
    known = state.scope.assistants
    if ask.model is not None and ask.model not in known:
        raise UnknownModelError(
            f"There is no assistant {ask.model!r}. Choose one of {sorted(known)}.", param="model"
        )
    return ask.model or next(iter(known))


async def _sent(state: State, assistant: str, path: str, ask: ForwardedRequest) -> aiohttp.ClientResponse:
    """The generator's reply, whose status is 200. Raises `GeneratorError`, `InvalidRequestError`."""
    body: dict[str, Any] = ask.model_dump(exclude=_OURS, exclude_unset=True, exclude_none=True)
    checked = await guard_prompt(body, state.guards[assistant])
    reply = await _server_of(assistant, state).forward(path, checked)
    try:
        await check_status(reply)
    except BaseException:
        reply.close()
        raise
    return reply


def _server_of(assistant: str, state: State) -> OpenAIGenerator:
    """The server of the assistant's variant, or the first there is. Raises `GeneratorError`."""
    variant = state.scope.variants[state.scope.assistants[assistant].variant]
    for name in (variant.generator, *state.generators):
        generator = state.generators.get(name)
        if isinstance(generator, OpenAIGenerator):
            return generator
    raise GeneratorError("No generator is configured. Set TOUCHSTONE_GENERATOR_URL.")


async def _relay(reply: aiohttp.ClientResponse) -> AsyncIterator[bytes]:
    """Bytes as they come. Closing the reply early tells the server to stop. Raises `GeneratorError`."""
    try:
        async for chunk in reply.content.iter_any():
            yield chunk
    except (aiohttp.ClientError, TimeoutError) as exc:
        log.warning("relay_interrupted", error=type(exc).__name__)
        raise GeneratorError("The generator stopped in the middle of its reply.") from exc
    finally:
        reply.close()
