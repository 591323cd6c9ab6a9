"""Requests that are done once for each `Idempotency-Key`."""

import asyncio
import hashlib
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from functools import partial
from typing import Annotated, TypeVar

import orjson
from fastapi import Header, Request
from fastapi.responses import Response
from pydantic import BaseModel
from sqlalchemy import Engine

from service.database import WAIT_S
from service.deps import Call
from service.errors import NotReadyError, TouchstoneError
from service.idempotency import KeyedRequest, StoredReply, claim, digest_of, settle
from service.threads import within

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
    first = await _aside(call, partial(_claim, call.state.engine, keyed, time.monotonic() + WAIT_S))
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
        # The work is done: its reply is sent, whatever becomes of the key.
        with suppress(NotReadyError):
            await _aside(call, partial(settle, call.state.engine, keyed, kept))


def _claim(engine: Engine, keyed: KeyedRequest, deadline: float) -> StoredReply | None:
    """Claim a key for somebody who waits until a moment; who has gone must not leave it taken."""
    first = claim(engine, keyed)
    if first is None and time.monotonic() > deadline:
        settle(engine, keyed, None)
    return first


def _reply(answered: Answered) -> StoredReply:
    status, model = answered
    return StoredReply(status, model.model_dump_json())


def _sent(reply: StoredReply) -> Response:
    return Response(reply.body, reply.status, media_type="application/json")


async def _aside(call: Call, work: Callable[[], T]) -> T:
    return await within(WAIT_S, call.state.database_threads, work, "The database")
