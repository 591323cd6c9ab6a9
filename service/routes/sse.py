"""OpenAI's chunks as server-sent events, written by hand: one JSON string is built a piece."""

import time
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass

import orjson

from service.answer.generate import KeepAlive
from service.answer.outcome import as_dict
from service.answer.request import Reply
from service.answer.tools import Calls, ToolCall
from service.errors import InternalError, TouchstoneError
from service.guard.output import Notice
from service.logs import frames_of, get_logger
from service.schemas import Json

log = get_logger()


@dataclass(frozen=True, slots=True)
class Refusal:
    """What the assistant says to a client that reads JSON where there is none."""

    text: str


Piece = str | KeepAlive | Notice | Calls | Refusal | Reply
STREAM_HEADERS = {"cache-control": "no-cache", "x-accel-buffering": "no"}
DONE = b"data: [DONE]\n\n"
KEEP_ALIVE = b": keep-alive\n\n"


async def with_refusals(pieces: AsyncGenerator[Piece, None]) -> AsyncGenerator[Piece, None]:
    """The pieces of an answer that is JSON, or a refusal in OpenAI's sense; its text waits for the end, which tells."""
    text = ""
    async with aclosing(pieces):
        async for piece in pieces:
            if isinstance(piece, str):
                text += piece
                continue
            if isinstance(piece, Reply) and text:
                yield Refusal(text) if piece.is_fixed else text
            yield piece


async def chat_chunks(
    first: Piece,
    pieces: AsyncGenerator[Piece, None],
    *,
    reply_id: str,
    model: str,
    request_id: str,
    include_usage: bool,
    may_call: bool = False,
) -> AsyncIterator[bytes]:
    """The stream. An error inside it is an `error` object, then `[DONE]`, never text.

    `may_call`: calls of tools may come, beside which there is no content.
    """
    head = orjson.dumps(
        {
            "id": reply_id,
            "object": "chat.completion.chunk",
            "created": int(time.time()),
            "model": model,
        }
    )[:-1]
    opening = _chunk(head, {"role": "assistant", "content": None if may_call else ""}, None)
    try:
        async with aclosing(pieces):
            yield opening + _event(head, first, include_usage)
            async for piece in pieces:
                event = _event(head, piece, include_usage)
                if isinstance(piece, Reply):
                    yield event + DONE
                    return
                yield event
    except TouchstoneError as exc:
        yield b"data: " + orjson.dumps(exc.body(request_id)) + b"\n\n"
    except Exception as exc:  # noqa: BLE001 - the client must hear of it; the log has the rest
        log.error("stream_failed", error=type(exc).__name__, where=frames_of(exc))
        error = InternalError("Something went wrong here. Quote the request id when you ask.")
        yield b"data: " + orjson.dumps(error.body(request_id)) + b"\n\n"
    yield DONE


def _event(head: bytes, piece: Piece, include_usage: bool) -> bytes:
    if isinstance(piece, str):
        return _chunk(head, {"content": piece}, None)
    if isinstance(piece, Refusal):
        return _chunk(head, {"refusal": piece.text}, None)
    if isinstance(piece, Calls):
        calls = enumerate(map(call_of, piece.calls))
        return b"".join(_chunk(head, {"tool_calls": [{"index": i, **call}]}, None) for i, call in calls)
    if isinstance(piece, KeepAlive):
        return KEEP_ALIVE
    if isinstance(piece, Notice):
        return _chunk(head, {}, None, {"notice": {"type": "guard", **as_dict(piece)}})
    extra: Json = {"rag": piece.rag}
    last = _chunk(head, {}, piece.finish_reason, extra)
    if include_usage:
        usage = orjson.dumps({"choices": [], "usage": usage_of(piece)})
        last += b"data: " + head + b"," + usage[1:] + b"\n\n"
    return last


def _chunk(head: bytes, delta: Json, finish: str | None, extra: Json | None = None) -> bytes:
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    body = orjson.dumps({"choices": [choice], **(extra or {})})
    return b"data: " + head + b"," + body[1:] + b"\n\n"


def call_of(call: ToolCall) -> Json:
    """OpenAI's call of a tool."""
    return {
        "id": call.id,
        "type": "function",
        "function": {"name": call.name, "arguments": call.arguments},
    }


def usage_of(reply: Reply) -> Json:
    """OpenAI's usage object."""
    return {
        "prompt_tokens": reply.prompt_tokens,
        "completion_tokens": reply.completion_tokens,
        "total_tokens": reply.prompt_tokens + reply.completion_tokens,
    }
