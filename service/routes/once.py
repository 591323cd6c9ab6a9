"""Requests that are done once for each `Idempotency-Key`."""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Annotated, TypeVar

import orjson
from fastapi import Header, Request
from fastapi.responses import Response
from pydantic import BaseModel

from service.deps import Call
from service.errors import TouchstoneError
from service.idempotency import KeyedRequest, StoredReply, claim, digest_of, settle

T = TypeVar("T")
IdempotencyKey = Annotated[str | None, Header(max_length=200)]
# A status and what is sent with it.
Answered = tuple[int, BaseModel]


async def once(
    call: Call,
    work: Callable[[], Awaitable[Answered]],
    *,
    key: str | None,
    request: Request,
    parts: Sequence[bytes] = (),
) -> Response:
    """The reply of `work`, or with a key that the caller used before, the first reply again.

    A key is its caller's and its route's. `parts` are what is asked beside method, path and query. Refusals are kept too,
    failures of ours (5xx) are not. Raises `ConflictError` when the key is of another request or of one that is under way.
    """
    if not key:
        return _sent(_reply(await work()))
    asked = [request.method.encode(), request.url.path.encode(), request.url.query.encode(), *parts]
    # A large upload takes tens of milliseconds to digest.
    keyed = KeyedRequest(_owner(call, request), key, await asyncio.to_thread(digest_of, asked))
    first = await _aside(call, partial(claim, call.state.engine, keyed))
    return _sent(first or await _done(call, keyed, work))


def _owner(call: Call, request: Request) -> str:
    """Whose the key is: the caller's, on this route. Fits into the 16 characters of the column."""
    route = f"{request.method} {request.scope['route'].path}"
    return f"{call.caller.id:.8}:{hashlib.sha256(route.encode()).hexdigest()[:7]}"


async def _done(call: Call, keyed: KeyedRequest, work: Callable[[], Awaitable[Answered]]) -> StoredReply:
    kept: StoredReply | None = None
    try:
        kept = _reply(await work())
        return kept
    except TouchstoneError as exc:
        if exc.status < 500:
            kept = StoredReply(exc.status, orjson.dumps(exc.body(call.request_id)).decode())
        raise
    finally:
        await _aside(call, partial(settle, call.state.engine, keyed, kept))


def _reply(answered: Answered) -> StoredReply:
    status, model = answered
    return StoredReply(status, model.model_dump_json())


def _sent(reply: StoredReply) -> Response:
    return Response(reply.body, reply.status, media_type="application/json")


async def _aside(call: Call, work: Callable[[], T]) -> T:
    return await asyncio.get_running_loop().run_in_executor(call.state.database_threads, work)
