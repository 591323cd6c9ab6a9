"""Documents that callers bring and take away; runs of ingestion; quarantine."""

import asyncio
import json
import re
from collections.abc import Callable
from functools import partial
from typing import Annotated, Any, TypeVar

from fastapi import APIRouter, Form, Header, Query, Request, Response, UploadFile
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError

from ingestion.corpus import Document
from ingestion.errors import CollectionBusyError, IngestionError, QuarantineError, SourceError
from ingestion.load import READERS
from ingestion.runs.changes import ChangeResult
from ingestion.runs.workers import Failure
from service.corpus.documents import UploadedFile
from service.deps import Call, IngestCall, SearchCall
from service.errors import BusyError, ConflictError, DocumentRefusedError, InvalidRequestError, NotFoundError
from service.metrics import DOCUMENTS
from service.routes.search import collection_of
from service.schemas import (
    DecisionReply,
    DocumentChanged,
    DocumentList,
    DocumentReply,
    DocumentsChanged,
    DocumentText,
    HeldDocument,
    HeldList,
    RemovedReply,
)

router = APIRouter(prefix="/v1")
T = TypeVar("T")
IdempotencyKey = Annotated[str | None, Header(max_length=200)]
Collection = Annotated[str | None, Query(max_length=100)]
_TYPES = {
    "text/markdown": ".md",
    "text/plain": ".txt",
    "text/html": ".html",
    "text/csv": ".csv",
    "application/pdf": ".pdf",
    "application/x-ndjson": ".jsonl",
    "message/rfc822": ".eml",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document": ".docx",
    "application/vnd.openxmlformats-officedocument.presentationml.presentation": ".pptx",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": ".xlsx",
}
_ID = re.compile(r"[^\x00-\x1f\x7f]{1,300}")
_FIELD = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")
_PAGE = 100


@router.put(
    "/documents/{document_id:path}",
    openapi_extra={
        "requestBody": {"content": {"application/json": {"schema": DocumentText.model_json_schema()}}}
    },
)
async def put_document(
    document_id: str,
    request: Request,
    response: Response,
    call: IngestCall,
    collection: Collection = None,
    filename: Annotated[str | None, Query(max_length=300)] = None,
    idempotency_key: IdempotencyKey = None,
) -> DocumentChanged:
    """Add or replace a document: JSON with its text, or the bytes of a file with its content type."""
    name = collection_of(call.state, collection)
    file = _uploaded(
        _checked(document_id), await request.body(), request.headers.get("content-type", ""), filename
    )
    run_id, (result,) = await _work(
        call, partial(call.state.library.put, name, [file], call.caller.id, call.view())
    )
    changed = _changed(document_id, name, run_id, result)
    response.status_code = {"quarantined": 202}.get(changed.status, 200 if changed.already_existed else 201)
    return changed


@router.post("/documents", status_code=201)
async def post_documents(
    file: list[UploadFile],
    call: IngestCall,
    collection: Collection = None,
    metadata: Annotated[str | None, Form(max_length=10_000)] = None,
    idempotency_key: IdempotencyKey = None,
) -> DocumentsChanged:
    """Add or replace files; their names are their ids. A file that can't be read doesn't stop the others."""
    name = collection_of(call.state, collection)
    facts = _facts(metadata)
    files = [
        UploadedFile(
            _checked(one.filename or ""),
            _suffix(one.filename or "", one.content_type or ""),
            await one.read(),
            facts,
        )
        for one in file
    ]
    if len({one.id for one in files}) < len(files):
        raise InvalidRequestError(
            "Two files have the same name, so one would replace the other.", param="file"
        )
    run_id, results = await _work(
        call, partial(call.state.library.put, name, files, call.caller.id, call.view())
    )
    failures = {f.id: r.reason for f, r in zip(files, results, strict=True) if isinstance(r, Failure)}
    done = [
        _changed(f.id, name, run_id, r)
        for f, r in zip(files, results, strict=True)
        if isinstance(r, ChangeResult)
    ]
    if not done:
        raise DocumentRefusedError(
            " ".join(f"{i!r}: {reason}" for i, reason in failures.items()), param="file"
        )
    return DocumentsChanged(run_id=run_id, documents=done, failures=failures)


@router.get("/documents")
async def list_documents(
    call: SearchCall,
    collection: Collection = None,
    filter: Annotated[str | None, Query(max_length=10_000)] = None,
    after: Annotated[str, Query(max_length=300)] = "",
    limit: Annotated[int, Query(ge=1, le=1_000)] = _PAGE,
) -> DocumentList:
    """Ids of documents in order, a page at a time."""
    name = collection_of(call.state, collection)
    view = call.view(_json(filter) if filter else None)
    ids = await _aside(call, partial(call.state.library.matching, name, view))
    page = [i for i in ids if i > after][: limit + 1]
    return DocumentList(collection=name, documents=page[:limit], has_more=len(page) > limit, total=len(ids))


@router.get("/documents/{document_id:path}")
async def get_document(document_id: str, call: SearchCall, collection: Collection = None) -> DocumentReply:
    """What is known of a document, with its text as it is indexed."""
    name = collection_of(call.state, collection)
    found = await _aside(call, partial(call.state.library.document, name, document_id, call.view()))
    if found is None:
        raise NotFoundError(f"There is no document {document_id!r} in {name!r}.")
    return await _aside(call, partial(_document_reply, name, found, call.reader(name)))


@router.delete("/documents/{document_id:path}")
async def delete_document(
    document_id: str, call: IngestCall, collection: Collection = None, idempotency_key: IdempotencyKey = None
) -> RemovedReply:
    """Take a document out: no search finds it once the reply is sent."""
    name = collection_of(call.state, collection)
    found = await _aside(call, partial(call.state.library.document, name, document_id, call.view()))
    if found is None:
        raise NotFoundError(f"There is no document {document_id!r} in {name!r}.")
    done = await _work(call, partial(call.state.library.remove, name, [document_id], call.view()))
    if not done.documents:
        raise NotFoundError(f"There is no document {document_id!r} in {name!r}.")
    DOCUMENTS.labels(name, "removed").inc()
    return RemovedReply(collection=name, removed=1, documents=[document_id], release=done.release_id)


@router.delete("/documents")
async def delete_documents(
    filter: Annotated[str, Query(max_length=10_000)],
    call: IngestCall,
    collection: Collection = None,
    idempotency_key: IdempotencyKey = None,
) -> RemovedReply:
    """Take out every document that a filter matches, such as `{"place": "upload:crm"}`."""
    name = collection_of(call.state, collection)
    wanted = _json(filter)
    if not wanted:
        raise InvalidRequestError(
            "An empty filter would remove every document. Name a field.", param="filter"
        )
    ids = await _aside(call, partial(call.state.library.matching, name, call.view(wanted)))
    done = await _work(call, partial(call.state.library.remove, name, ids, call.view()))
    DOCUMENTS.labels(name, "removed").inc(done.documents)
    return RemovedReply(
        collection=name, removed=done.documents, documents=ids[:_PAGE], release=done.release_id
    )


@router.get("/ingestions/{run_id}")
async def get_ingestion(run_id: str, call: IngestCall) -> dict[str, Any]:
    """What a run did or is doing."""
    found = await _aside(call, partial(call.state.library.run, run_id))
    if found is None:
        raise NotFoundError(f"There is no run {run_id!r}.")
    return found


@router.get("/quarantine")
async def list_quarantine(call: IngestCall, collection: Collection = None) -> HeldList:
    """Documents that wait for a person, and why."""
    name = collection_of(call.state, collection)
    held = await _aside(call, partial(call.state.library.held, name, call.view()))
    return HeldList(collection=name, documents=[HeldDocument.of(one) for one in held])


@router.post("/quarantine/{document_id:path}:approve")
async def approve(document_id: str, call: IngestCall, collection: Collection = None) -> DecisionReply:
    """Publish a document that waits."""
    return await _decide(call, document_id, collection, "approved")


@router.post("/quarantine/{document_id:path}:reject")
async def reject(document_id: str, call: IngestCall, collection: Collection = None) -> DecisionReply:
    """Keep a document out for good; the same text is not asked about again."""
    return await _decide(call, document_id, collection, "rejected")


async def _decide(call: Call, document_id: str, collection: str | None, state: Any) -> DecisionReply:
    name = collection_of(call.state, collection)
    work = partial(call.state.library.decide, name, document_id, state, call.caller.id, call.view())
    done = await _work(call, work)
    return DecisionReply(document_id=document_id, collection=name, state=state, release=done.release_id)


async def _work(call: Call, work: Callable[[], T]) -> T:
    """Change something, one change after the other."""
    loop = asyncio.get_running_loop()
    # A client that hangs up doesn't undo half a change.
    done = loop.run_in_executor(call.state.library.thread, work)
    try:
        return await asyncio.shield(done)
    except QuarantineError as exc:
        raise NotFoundError(str(exc)) from exc
    except CollectionBusyError as exc:
        raise BusyError(str(exc)) from exc
    except SourceError as exc:
        raise DocumentRefusedError(str(exc)) from exc
    except IngestionError as exc:
        raise ConflictError(str(exc)) from exc


async def _aside(call: Call, work: Callable[[], T]) -> T:
    """Read something without holding up the loop."""
    return await asyncio.get_running_loop().run_in_executor(call.state.database_threads, work)


def _document_reply(
    collection: str, found: tuple[Document, int], read: Callable[[str], str]
) -> DocumentReply:
    """A document as a caller may read it. Masks its texts, which takes time for a long one."""
    document, chunks = found
    return DocumentReply(
        document_id=document.id,
        collection=collection,
        title=read(document.title),
        source=document.source,
        place=document.source_name,
        run_id=document.run_id,
        language=document.language,
        updated=document.updated,
        superseded_by=document.superseded_by,
        digest=document.digest,
        chunks=chunks,
        clearance=dict(document.clearance),
        metadata={k: read(v) if isinstance(v, str) else v for k, v in document.metadata.items()},
        groups=list(document.groups),
        pii=dict(document.pii),
        flags=[flag.rule for flag in document.flags],
        text=read(document.text),
    )


def _changed(
    document_id: str, collection: str, run_id: str, result: ChangeResult | Failure
) -> DocumentChanged:
    if isinstance(result, Failure):
        DOCUMENTS.labels(collection, "failed").inc()
        raise DocumentRefusedError(f"{document_id!r}: {result.reason}")
    DOCUMENTS.labels(collection, result.status).inc()
    return DocumentChanged(
        document_id=document_id,
        collection=collection,
        status=result.status,
        already_existed=result.already_existed,
        chunks=result.chunks,
        run_id=run_id,
        release=result.release_id,
        reason=result.reason or None,
    )


def _checked(document_id: str) -> str:
    if not _ID.fullmatch(document_id):
        raise InvalidRequestError(
            f"The id {document_id[:80]!r} can't be used: give it 1 to 300 characters that can be printed.",
            param="document_id",
        )
    return document_id


def _uploaded(document_id: str, body: bytes, content_type: str, filename: str | None) -> UploadedFile:
    if content_type.split(";")[0].strip().lower() != "application/json" or filename:
        return UploadedFile(document_id, _suffix(filename or document_id, content_type), body, {})
    try:
        given = DocumentText.model_validate_json(body)
    except ValidationError as exc:
        found = [{**item, "loc": ("body", *item["loc"])} for item in exc.errors(include_url=False)]
        raise RequestValidationError(found) from exc
    facts = {
        **given.metadata,
        **{k: v for k in ("title", "language", "updated", "url") if (v := getattr(given, k))},
    }
    if given.groups is not None:
        facts["groups"] = ",".join(given.groups)
    return UploadedFile(document_id, f".{given.format}", given.text.encode(), facts)


def _suffix(filename: str, content_type: str) -> str:
    found = re.search(r"\.[A-Za-z0-9]{1,8}$", filename)
    if found and found[0].lower() in READERS:
        return found[0].lower()
    suffix = _TYPES.get(content_type.split(";")[0].strip().lower())
    if suffix is None:
        raise InvalidRequestError(
            f"The type {content_type!r} of {filename!r} can't be read. Send one of {sorted(_TYPES)} or JSON,"
            f" or name the file with one of {sorted(READERS)}.",
            param="content-type",
        )
    return suffix


def _facts(metadata: str | None) -> dict[str, str | int | float | bool]:
    """What a form says of all its files. Raises `InvalidRequestError`."""
    raw = _json(metadata, "metadata") if metadata else {}
    if not all(_FIELD.fullmatch(key) and isinstance(value, (str, int, float)) for key, value in raw.items()):
        raise InvalidRequestError(
            'The metadata must be fields and values such as {"product": "hub"}.', param="metadata"
        )
    return raw


def _json(text: str, param: str = "filter") -> dict[str, Any]:
    """A JSON object. Raises `InvalidRequestError`."""
    try:
        raw = json.loads(text)
    except ValueError as exc:
        raise InvalidRequestError(f"The {param} is no JSON: {exc}.", param=param) from exc
    if not isinstance(raw, dict):
        raise InvalidRequestError(
            f'The {param} must be an object such as {{"place": "upload:crm"}}.', param=param
        )
    return raw
