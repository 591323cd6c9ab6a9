"""Gaps: what people ask and the documents don't answer, and what a person decides about it."""

import asyncio
from functools import partial
from typing import Annotated

import orjson
from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import Response

from ingestion.audience import plain_id
from ingestion.text.language import guess_language
from service.answer.evidence import EvidenceRequest
from service.answer.rewrite import without_masks
from service.deps import AdminCall, AnalystCall, Call
from service.feedback.gaps.decisions import Decided, accept, cases_of, dismiss
from service.feedback.gaps.gap import Gap, is_open, languages_of
from service.feedback.gaps.requests import (
    AcceptReply,
    AcceptRequest,
    DismissReply,
    DismissRequest,
    GapDecided,
    GapList,
    GapReply,
    NearDocument,
)
from service.guard.texts import SearchableText
from service.openapi import errors
from service.routes.curated import aside, described
from service.routes.curated_texts import assistant_of, reviewed
from service.routes.once import IdempotencyKey, once

router = APIRouter(prefix="/v1", responses=errors(400, 401, 503))
_NEAREST, _PASSAGES = 3, 10
Assistant = Annotated[str | None, Query(max_length=100, description="Not needed where there is one.")]
Days = Annotated[int, Query(ge=1, le=365, description="How far back questions are looked at.")]
GapId = Annotated[str, Path(pattern="^[0-9a-f]{16}$")]


@router.get("/gaps")
async def list_gaps(
    call: AnalystCall,
    assistant: Assistant = None,
    days: Days = 28,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
    dismissed: bool = False,
) -> GapList:
    """Gaps with the documents that come nearest, those that most people ask first; `dismissed` adds dismissed ones."""
    name = assistant_of(call.state, assistant)
    gaps = [one for one in await call.state.gaps.find(name, days) if dismissed or is_open(one, days)]
    shown = await asyncio.gather(*(_described(call, name, gap) for gap in gaps[:limit]))
    return GapList(assistant=name, days=days, gaps=list(shown), total=len(gaps))


@router.get(
    "/gaps/cases",
    response_class=Response,
    responses={200: {"content": {"application/x-ndjson": {}}, "description": "A case a line."}},
)
async def list_cases(call: AnalystCall, assistant: Assistant = None) -> Response:
    """Evaluation cases of accepted gaps, one JSON object a line, as `evals run answers` reads them."""
    named = None if assistant is None else assistant_of(call.state, assistant)
    cases = await aside(call, partial(cases_of, call.state.engine, named))
    lines = b"".join(orjson.dumps(case) + b"\n" for case in cases)
    return Response(lines, media_type="application/x-ndjson")


@router.post("/gaps/{gap_id}:dismiss", response_model=DismissReply, responses=errors(404, 409))
async def dismiss_gap(
    gap_id: GapId,
    body: DismissRequest,
    request: Request,
    call: AdminCall,
    assistant: Assistant = None,
    days: Days = 28,
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """Keep a gap away until twice as many people ask it a day."""
    work = partial(_dismiss, call, assistant_of(call.state, assistant), gap_id, days, body)
    return await once(call, work, key=idempotency_key, request=request, parts=[await request.body()])


async def _dismiss(
    call: Call, assistant: str, gap_id: str, days: int, body: DismissRequest
) -> tuple[int, DismissReply]:
    gap = await call.state.gaps.find_one(assistant, days, gap_id)
    decided = Decided(assistant, gap, days, call.caller.id)
    await aside(call, partial(dismiss, call.state.engine, decided, body.reason))
    return 200, DismissReply(gap=gap.id, askers=gap.askers, days=days)


@router.post(
    "/gaps/{gap_id}:accept", status_code=201, response_model=AcceptReply, responses=errors(404, 409, 413)
)
async def accept_gap(
    gap_id: GapId,
    body: AcceptRequest,
    request: Request,
    call: AdminCall,
    assistant: Assistant = None,
    days: Days = 28,
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """Answer a gap: its question gets a curated answer from now on, and an evaluation case."""
    work = partial(_accept, call, assistant_of(call.state, assistant), gap_id, days, body)
    return await once(call, work, key=idempotency_key, request=request, parts=[await request.body()])


async def _accept(
    call: Call, assistant: str, gap_id: str, days: int, body: AcceptRequest
) -> tuple[int, AcceptReply]:
    state = call.state
    gap = await state.gaps.find_one(assistant, days, gap_id)
    found = await reviewed(call, assistant, body.question or without_masks(gap.title), body)
    decided = Decided(assistant, gap, days, call.caller.id)
    work = partial(accept, state.engine, decided, found.text, passage=found.passage, expected=body.expected)
    curated, case = await aside(call, work)
    await state.curated.refresh(state.database_threads)
    (reply,) = await described(call, [curated])
    return 201, AcceptReply(gap=gap.id, curated=reply, masked=list(found.masked), case=case)


async def _described(call: Call, assistant: str, gap: Gap) -> GapReply:
    state = call.state
    collection = state.scope.assistants[assistant].collection
    languages = state.scope.collections[collection].languages
    guess = partial(languages_of, gap, lambda text: guess_language(text, languages))
    decision = gap.decision
    return GapReply(
        id=gap.id,
        title=gap.title,
        examples=list(gap.examples),
        languages=await asyncio.get_running_loop().run_in_executor(state.reading_threads, guess),
        askers=gap.askers,
        answers=gap.answers,
        first_seen=gap.first_seen,
        last_seen=gap.last_seen,
        abstained_share=round(gap.abstained_share, 4),
        rated_badly_share=round(gap.rated_badly_share, 4),
        documents=await _nearest(call, collection, gap.title),
        decision=decision
        and GapDecided(verdict=decision.verdict, at=decision.at, askers=decision.askers, days=decision.days),
    )


async def _nearest(call: Call, collection: str, question: str) -> list[NearDocument]:
    """The documents of the passages that fit a question best, as the caller may see them."""
    state = call.state
    settings = state.scope.retrieval_of(collection).model_copy(update={"top_k": _PASSAGES})
    release = await state.live.serving(collection)
    rules = state.scope.policy_of_collection(collection).retrieved
    text = SearchableText(without_masks(question))
    found = await state.finder.search(EvidenceRequest(release, text, settings, "", call.view(), rules))
    read = call.reader(collection, found.release.manifest.pii_policies)
    best: dict[str, NearDocument] = {}
    for hit in found.hits:
        chunk = hit.chunk
        near = NearDocument(
            document_id=plain_id(chunk.document_id),
            title=read(chunk.title),
            source=chunk.source,
            score=round(hit.score, 4),
        )
        best.setdefault(chunk.document_id, near)
    return list(best.values())[:_NEAREST]
