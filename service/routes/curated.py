"""Curated answers: a person's own words for a question, before the documents are asked."""

import asyncio
from collections.abc import Callable, Sequence
from functools import partial
from typing import Annotated, TypeVar

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from ingestion.view import may_see
from service.database import WAIT_S
from service.deps import AdminCall, AnalystCall, Call
from service.errors import ConflictError, NotFoundError
from service.feedback.curated import store
from service.feedback.curated.answer import Curated
from service.feedback.curated.requests import (
    CuratedChanged,
    CuratedId,
    CuratedList,
    CuratedReply,
    CuratedRequest,
)
from service.openapi import errors
from service.routes.curated_texts import assistant_of, reviewed, stale_documents
from service.routes.once import IdempotencyKey, once
from service.threads import within

router = APIRouter(prefix="/v1", responses=errors(400, 401, 503))
T = TypeVar("T")


@router.get("/curated")
async def list_curated(
    call: AnalystCall,
    assistant: Annotated[str | None, Query(max_length=100)] = None,
    retired: bool = False,
    after: Annotated[str, Query(max_length=64, pattern="^[^\\x00]*$")] = "",
    limit: Annotated[int, Query(ge=1, le=200)] = 100,
) -> CuratedList:
    """Curated answers with their hits and whether a source has changed, a page at a time; `retired` adds retired ones."""
    named = None if assistant is None else assistant_of(call.state, assistant)
    read = partial(
        store.read_page, call.state.engine, named, after=after, limit=limit + 1, with_retired=retired
    )
    found = await aside(call, read)
    shown = [one for one in found[:limit] if _may_read(call, one)]
    return CuratedList(curated=await described(call, shown), has_more=len(found) > limit)


@router.get("/curated/{curated_id}", responses=errors(404))
async def get_curated(curated_id: CuratedId, call: AnalystCall) -> CuratedReply:
    """One of them, also when it is retired."""
    found = await aside(call, partial(store.read_one, call.state.engine, curated_id))
    if found is None or not _may_read(call, found):
        raise NotFoundError(f"There is no curated answer {curated_id!r}.")
    return (await described(call, [found]))[0]


@router.put(
    "/curated/{curated_id}",
    response_model=CuratedChanged,
    responses={201: {"model": CuratedChanged}, **errors(409, 413)},
)
async def put_curated(
    curated_id: CuratedId,
    body: CuratedRequest,
    request: Request,
    call: AdminCall,
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """Write an answer under an id of the caller's, or replace it; a retired one comes back."""
    work = partial(_put, call, curated_id, body)
    return await once(call, work, key=idempotency_key, request=request, parts=[await request.body()])


async def _put(call: Call, curated_id: str, body: CuratedRequest) -> tuple[int, CuratedChanged]:
    engine = call.state.engine
    before = await aside(call, partial(store.read_one, engine, curated_id))
    if before is not None and not _may_read(call, before):
        raise ConflictError(f"The id {curated_id!r} is taken. Choose another.")
    found = await reviewed(call, assistant_of(call.state, body.assistant), body.question, body)
    write = partial(store.put, engine, curated_id, found.text, by=call.caller.id)
    written, is_there = await aside(call, write)
    await call.state.curated.refresh(call.state.database_threads)
    (reply,) = await described(call, [written])
    changed = CuratedChanged(curated=reply, already_existed=is_there, masked=list(found.masked))
    return 200 if is_there else 201, changed


@router.delete("/curated/{curated_id}", response_model=CuratedReply, responses=errors(404, 409))
async def retire_curated(
    curated_id: CuratedId, request: Request, call: AdminCall, idempotency_key: IdempotencyKey = None
) -> Response:
    """Retire an answer: it is given to nobody any more, and kept for the record."""
    return await once(call, partial(_retire, call, curated_id), key=idempotency_key, request=request)


async def _retire(call: Call, curated_id: str) -> tuple[int, CuratedReply]:
    before = await aside(call, partial(store.read_one, call.state.engine, curated_id))
    if before is None or not _may_read(call, before):
        raise NotFoundError(f"There is no curated answer {curated_id!r}.")
    work = partial(store.retire, call.state.engine, curated_id, by=call.caller.id)
    retired = await aside(call, work)
    await call.state.curated.refresh(call.state.database_threads)
    return 200, (await described(call, [retired]))[0]


def _may_read(call: Call, one: Curated) -> bool:
    return may_see(call.view().groups, one.text.groups)


async def described(call: Call, answers: Sequence[Curated]) -> list[CuratedReply]:
    """Answers with their hits and what changed below them."""
    hits = await aside(call, partial(store.hits_of, call.state.engine, answers))
    for name in {one.text.assistant for one in answers} & set(call.state.scope.assistants):
        await call.state.live.serving(call.state.scope.assistants[name].collection)
    stale = await asyncio.get_running_loop().run_in_executor(
        call.state.reading_threads, stale_documents, call.state, answers
    )
    return [CuratedReply.of(one, hits=hits.get(one.id, 0), stale=stale) for one in answers]


async def aside(call: Call, work: Callable[[], T]) -> T:
    """Wait for the database in its thread."""
    return await within(WAIT_S, call.state.database_threads, work, "The database")
