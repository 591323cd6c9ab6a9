"""Retrieval alone, and a passage in its context."""

import asyncio
import re
from collections.abc import Callable
from functools import partial
from typing import Annotated

from fastapi import APIRouter, Path

from ingestion.audience import plain_id
from ingestion.releases.documents import ReleaseDocuments
from ingestion.search.retrieve import RetrievalSettings
from ingestion.view import may_see
from service.answer.evidence import EvidenceRequest, SearchHits
from service.deps import SearchCall, State
from service.errors import InvalidRequestError, NotFoundError
from service.guard.texts import RawText, SearchableText
from service.openapi import errors
from service.schemas import ChunkReply, SearchReply, SearchRequest, SearchResult

router = APIRouter(prefix="/v1", responses=errors(400, 401, 503))
_CONTEXT_CHARS = 600
# Longer queries are masked in a thread, so that the loop stays free.
_INLINE_CHARS = 1_000
ChunkId = Annotated[str, Path(max_length=200)]
_BREAK = re.compile(r"(?<=[.!?])\s+|\n+")


@router.post("/search", responses=errors(413))
async def search(ask: SearchRequest, call: SearchCall) -> SearchReply:
    """The passages that fit a query best."""
    state = call.state
    collection = collection_of(state, ask.collection)
    settings = _settings_of(state, collection, ask)
    view = call.view(ask.filter)
    query, hints = await _scrubbed(state, collection, ask.query)
    rules = state.scope.policy_of_collection(collection).retrieved
    release = await state.live.serving(collection)
    found = await state.finder.search(EvidenceRequest(release, query, settings, hints, view, rules))
    read = call.reader(collection, found.release.manifest.pii_policies)
    return await asyncio.to_thread(_reply, collection, found, read)


@router.get("/chunks/{chunk_id}", responses=errors(404))
async def chunk(chunk_id: ChunkId, call: SearchCall, collection: str | None = None) -> ChunkReply:
    """A passage with what stands before and after it in its document."""
    name = collection_of(call.state, collection)
    release = await call.state.live.serving(name)
    read = call.reader(name, release.manifest.pii_policies)
    work = partial(_chunk_reply, release.documents, chunk_id, call.view().groups, read)
    found = await asyncio.to_thread(work)
    if found is None:
        raise NotFoundError(f"There is no passage {chunk_id!r} in the index that is served now.")
    return found


async def _scrubbed(state: State, collection: str, query: str) -> tuple[SearchableText, str]:
    """What is searched for, and hints for the lexical index. Raises `InvalidRequestError` for a query that is too long."""
    most = state.settings.max_question_chars
    if len(query) > most:
        raise InvalidRequestError(
            f"The query has {len(query)} characters; at most {most} are allowed. Shorten it.", param="query"
        )
    scrubber = state.query_scrubbers[collection]
    if len(query) > _INLINE_CHARS:
        return await asyncio.to_thread(scrubber.scrub_query, RawText(query))
    return scrubber.scrub_query(RawText(query))


def _settings_of(state: State, collection: str, ask: SearchRequest) -> RetrievalSettings:
    """As the scope finds passages of the collection, but for what the request names."""
    named = {"mode": ask.mode, "top_k": ask.top_k, "include_superseded": ask.include_superseded}
    changes = {name: value for name, value in named.items() if value is not None}
    return state.scope.retrieval_of(collection).model_copy(update=changes)


def _chunk_reply(
    documents: ReleaseDocuments, chunk_id: str, groups: frozenset[str] | None, read: Callable[[str], str]
) -> ChunkReply | None:
    """A passage as a caller may read it; None when there is none that it may see. Reads files, masks texts."""
    found = documents.chunk(chunk_id)
    document = documents.document(found.document_id) if found else None
    if found is None or document is None or not may_see(groups, document.groups):
        return None
    return ChunkReply(
        chunk_id=found.id,
        document_id=plain_id(found.document_id),
        title=read(found.title),
        source=found.source,
        page=found.page,
        heading=read(found.heading),
        start=found.start,
        before=read(_before(document.text, found.start)),
        text=read(found.text),
        after=read(_after(document.text, found.end)),
    )


def _before(text: str, end: int) -> str:
    """What stands before a place, from the beginning of a sentence: half an identifier can't be told for one."""
    start = max(0, end - _CONTEXT_CHARS)
    cut = _BREAK.search(text, start, end) if start else None
    return text[cut.end() if cut else start : end]


def _after(text: str, start: int) -> str:
    """What stands behind a place, to the end of a sentence."""
    end = min(start + _CONTEXT_CHARS, len(text))
    cuts = list(_BREAK.finditer(text, start, end)) if end < len(text) else []
    return text[start : cuts[-1].end() if cuts else end].rstrip()


def collection_of(state: State, name: str | None) -> str:
    known = list(state.scope.collections)
    if name is None and len(known) == 1:
        return known[0]
    if name not in known:
        raise InvalidRequestError(
            f"There is no collection {name!r:.100}. Choose one of {known}.", param="collection"
        )
    return str(name)


def _reply(collection: str, found: SearchHits, read: Callable[[str], str]) -> SearchReply:
    results = [
        SearchResult(
            chunk_id=hit.chunk.id,
            document_id=plain_id(hit.chunk.document_id),
            title=read(hit.chunk.title),
            source=hit.chunk.source,
            text=read(hit.chunk.text),
            page=hit.chunk.page,
            heading=read(hit.chunk.heading),
            score=hit.score,
            scores=dict(hit.scores),
            joined=list(hit.joined),
        )
        for hit in found.hits
    ]
    timings = {f"{stage}_s": round(seconds, 6) for stage, seconds in found.timings.items()}
    return SearchReply(
        collection=collection, release=found.release.manifest.id, results=results, timings=timings
    )
