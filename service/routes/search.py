"""Retrieval alone, and a passage in its context."""

from fastapi import APIRouter

from ingestion.view import may_see
from service.answer.evidence import Found
from service.deps import SearchCall, State
from service.errors import InvalidRequestError, NotFoundError
from service.schemas import ChunkReply, SearchReply, SearchRequest, SearchResult

router = APIRouter(prefix="/v1")
_CONTEXT_CHARS = 600


@router.post("/search")
async def search(ask: SearchRequest, call: SearchCall) -> SearchReply:
    """The passages that fit a query best."""
    state = call.state
    collection = collection_of(state, ask.collection)
    changes = {"mode": ask.mode, "top_k": ask.top_k, "include_superseded": ask.include_superseded}
    settings = state.scope.retrieval_of(collection).model_copy(update=changes)
    view = call.view(ask.filter)
    query, hints = state.seekers[collection].seek(ask.query)
    rules = state.scope.policy_of_collection(collection).retrieved
    found = await state.finder.search(state.live.current(collection), query, settings, hints, view, rules)
    return _reply(collection, found)


@router.get("/chunks/{chunk_id}")
async def chunk(chunk_id: str, call: SearchCall, collection: str | None = None) -> ChunkReply:
    """A passage with what stands before and after it in its document."""
    texts = call.state.live.current(collection_of(call.state, collection)).texts
    found = texts.chunk(chunk_id)
    document = texts.document(found.document_id) if found else None
    if found is None or document is None or not may_see(call.view().groups, document.groups):
        raise NotFoundError(f"There is no passage {chunk_id!r} in the index that is served now.")
    return ChunkReply(
        chunk_id=found.id,
        document_id=found.document_id,
        title=found.title,
        source=found.source,
        page=found.page,
        heading=found.heading,
        start=found.start,
        before=document.text[max(0, found.start - _CONTEXT_CHARS) : found.start],
        text=found.text,
        after=document.text[found.end : found.end + _CONTEXT_CHARS],
    )


def collection_of(state: State, name: str | None) -> str:
    known = list(state.scope.collections)
    if name is None and len(known) == 1:
        return known[0]
    if name not in known:
        raise InvalidRequestError(
            f"There is no collection {name!r}. Choose one of {known}.", param="collection"
        )
    return str(name)


def _reply(collection: str, found: Found) -> SearchReply:
    results = [
        SearchResult(
            chunk_id=hit.chunk.id,
            document_id=hit.chunk.document_id,
            title=hit.chunk.title,
            source=hit.chunk.source,
            text=hit.chunk.text,
            page=hit.chunk.page,
            heading=hit.chunk.heading,
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
