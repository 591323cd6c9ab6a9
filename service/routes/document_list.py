"""The list of documents: what is served, what waits, and what was refused, with the reasons."""

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Annotated, TypeVar

from fastapi import APIRouter, Query

from ingestion.audience import plain_id
from ingestion.errors import StateError
from service.corpus.listing import DocumentListing, ListedDocument, Page, Status, policies_of
from service.deps import Call, SearchCall
from service.errors import NotReadyError
from service.openapi import errors
from service.routes.search import collection_of
from service.routes.uploads import json_object
from service.schemas import DocumentCounts, DocumentList, ListedDocumentReply

router = APIRouter(prefix="/v1", responses=errors(400, 401, 503))
T = TypeVar("T")


@router.get("/documents", responses=errors(403))
async def list_documents(
    call: SearchCall,
    collection: Annotated[str | None, Query(max_length=100)] = None,
    filter: Annotated[str | None, Query(max_length=10_000)] = None,
    status: Annotated[
        list[Status] | None,
        Query(description="Of these alone, `served` unless told: `served`, `held`, `refused`."),
    ] = None,
    after: Annotated[str, Query(max_length=300)] = "",
    limit: Annotated[int, Query(ge=1, le=1_000)] = 100,
) -> DocumentList:
    """Documents by id, a page at a time: those that are served, or of the statuses that are named. What isn't served is listed
    for keys of scope `ingest`; what was refused, for those of them that see every group. `counts` tell of all.
    """
    name = collection_of(call.state, collection)
    view = call.view(json_object(filter) if filter else None)
    is_curator = bool({"ingest", "admin"} & call.caller.scopes)
    if not is_curator and set(status or ()) - {"served"}:
        call.caller.need("ingest")
    page = Page(limit, after, frozenset(status or ("served",)))
    listing = partial(call.state.library.listing, name, view, page, served_alone=not is_curator)
    found = await _aside(call, partial(_listed, listing))
    policies = {*policies_of(found.documents), *_policies_now(call, name)}
    return await _aside(call, partial(_list_reply, name, found, call.reader(name, policies)))


def _listed(listing: Callable[[], DocumentListing]) -> DocumentListing:
    try:
        return listing()
    except StateError as exc:
        raise NotReadyError(f"What isn't served can't be listed just now: {exc}") from exc


def _policies_now(call: Call, collection: str) -> frozenset[str]:
    release = call.state.live.peek(collection)
    return frozenset(release.manifest.pii_policies) if release else frozenset()


def _list_reply(collection: str, found: DocumentListing, read: Callable[[str], str]) -> DocumentList:
    return DocumentList(
        collection=collection,
        documents=[one.id for one in found.documents],
        items=[_listed_document(one, read) for one in found.documents],
        has_more=found.has_more,
        total=found.total,
        counts=DocumentCounts.model_validate(found.counts),
    )


def _listed_document(one: ListedDocument, read: Callable[[str], str]) -> ListedDocumentReply:
    summary = one.summary
    return ListedDocumentReply(
        document_id=one.id,
        status=one.status,
        reason=one.reason,
        title=read(summary.title) if summary else None,
        source=summary.source if summary else None,
        place=one.source_name,
        language=summary.language if summary else None,
        updated=summary.updated if summary else None,
        ingested_at=one.at,
        size_bytes=summary.size_bytes if summary else None,
        characters=summary.characters if summary else None,
        chunks=summary.chunks if summary else None,
        superseded_by=plain_id(summary.superseded_by) if summary and summary.superseded_by else None,
    )


async def _aside(call: Call, work: Callable[[], T]) -> T:
    """Read something without holding up the loop."""
    return await asyncio.get_running_loop().run_in_executor(call.state.reading_threads, work)
