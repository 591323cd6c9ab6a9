"""Documents that callers bring and take away; runs of ingestion; quarantine."""

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Annotated, Any, Literal, TypeVar

from fastapi import APIRouter, Form, Query, Request, Response, UploadFile

from ingestion.audience import plain_id, shown_id
from ingestion.corpus import Document, SourceFacts
from ingestion.errors import (
    AudienceError,
    CollectionBusyError,
    IngestionError,
    QuarantineError,
    SourceError,
    StateError,
    StoppedError,
    WorkersError,
)
from ingestion.prepare.beside import texts_of, with_texts
from ingestion.runs.changes import ChangeResult
from ingestion.runs.review import Selection
from ingestion.runs.workers import Failure
from ingestion.view import View
from service.corpus.documents import UploadedFile
from service.deps import Call, IngestCall, SearchCall
from service.errors import (
    BusyError,
    ConflictError,
    DocumentRefusedError,
    ForbiddenError,
    InvalidRequestError,
    NotFoundError,
    NotReadyError,
)
from service.metrics import DOCUMENTS
from service.openapi import Responses, errors
from service.routes.once import IdempotencyKey, once
from service.routes.search import collection_of
from service.routes.uploads import checked_id, facts_of, file_of, json_object, uploaded_file
from service.schemas import (
    DecisionReply,
    DecisionsReply,
    DocumentChanged,
    DocumentReply,
    DocumentsChanged,
    DocumentText,
    HeldDocument,
    HeldList,
    HeldSelection,
    RemovedReply,
)
from service.threads import in_turn

router = APIRouter(prefix="/v1", responses=errors(400, 401, 503))
_CHANGED: Responses = {201: {"model": DocumentChanged}, 202: {"model": DocumentChanged}}
T = TypeVar("T")
Collection = Annotated[str | None, Query(max_length=100)]
_PAGE = 100


@router.put(
    "/documents/{document_id:path}",
    response_model=DocumentChanged,
    responses={**errors(409, 413, 422), **_CHANGED},
    openapi_extra={
        "requestBody": {"content": {"application/json": {"schema": DocumentText.model_json_schema()}}}
    },
)
async def put_document(
    document_id: str,
    request: Request,
    call: IngestCall,
    collection: Collection = None,
    filename: Annotated[str | None, Query(max_length=300)] = None,
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """Add or replace a document: JSON with its text, or the bytes of a file with its content type."""
    name = collection_of(call.state, collection)
    body, kind = await request.body(), request.headers.get("content-type", "")
    file = uploaded_file(checked_id(document_id), body, kind, filename)
    work = partial(_put, call, name, file)
    return await once(call, work, key=idempotency_key, request=request, parts=[kind.encode(), body])


async def _put(call: Call, collection: str, file: UploadedFile) -> tuple[int, DocumentChanged]:
    work = partial(call.state.library.put, collection, [file], call.caller.id, call.view())
    run_id, (result,) = await _work(call, work)
    changed = _changed(file.id, collection, run_id, result)
    return {"quarantined": 202}.get(changed.status, 200 if changed.already_existed else 201), changed


@router.post("/documents", status_code=201, response_model=DocumentsChanged, responses=errors(409, 413, 422))
async def post_documents(
    file: list[UploadFile],
    request: Request,
    call: IngestCall,
    collection: Collection = None,
    metadata: Annotated[str | None, Form(max_length=10_000)] = None,
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """Add or replace files; their names are their ids. A file that can't be read doesn't stop the others."""
    name = collection_of(call.state, collection)
    ids = [checked_id(one.filename or "") for one in file]
    if len(set(ids)) < len(ids):
        raise InvalidRequestError(
            "Two files have the same name, so one would replace the other.", param="file"
        )
    files, refused = await _posted(file, facts_of(metadata))
    # A client that sends the form again divides it by other boundaries, so that the files are compared.
    parts = [(metadata or "").encode()]
    for one in files:
        parts += [one.id.encode(), one.suffix.encode(), one.data]
    parts += [f"{one}: {reason}".encode() for one, reason in refused.items()]
    work = partial(_post, call, name, files, refused)
    return await once(call, work, key=idempotency_key, request=request, parts=parts)


async def _posted(files: list[UploadFile], facts: SourceFacts) -> tuple[list[UploadedFile], dict[str, str]]:
    """The files that something reads, and why the others are refused. Raises `InvalidRequestError` when none is read."""
    taken: list[UploadedFile] = []
    refused: dict[str, InvalidRequestError] = {}
    for file in files:
        name = file.filename or ""
        try:
            taken.append(file_of(name, name, await file.read(), file.content_type or "", facts))
        except InvalidRequestError as exc:
            refused[name] = exc
    if not taken:
        raise next(iter(refused.values()))
    return taken, {name: str(exc) for name, exc in refused.items()}


async def _post(
    call: Call, collection: str, files: list[UploadedFile], refused: dict[str, str]
) -> tuple[int, DocumentsChanged]:
    work = partial(call.state.library.put, collection, files, call.caller.id, call.view())
    run_id, results = await _work(call, work)
    pairs = list(zip(files, results, strict=True))
    failures = refused | {f.id: r.reason for f, r in pairs if isinstance(r, Failure)}
    done = [_changed(f.id, collection, run_id, r) for f, r in pairs if isinstance(r, ChangeResult)]
    if not done:
        raise DocumentRefusedError(
            " ".join(f"{i!r}: {reason}" for i, reason in failures.items()), param="file"
        )
    return 201, DocumentsChanged(run_id=run_id, documents=done, failures=failures)


@router.get("/documents/{document_id:path}", responses=errors(404))
async def get_document(document_id: str, call: SearchCall, collection: Collection = None) -> DocumentReply:
    """What is known of a document, with its text as it is indexed."""
    name = collection_of(call.state, collection)
    found = await _aside(call, partial(call.state.library.document, name, document_id, call.view()))
    if found is None:
        raise NotFoundError(f"There is no document {document_id!r} in {name!r}.")
    # The document's own too: another release may have been activated since it was read.
    policies = {*call.state.live.current(name).manifest.pii_policies, found[0].pii_policy}
    work = partial(_document_reply, name, found, call.reader(name, policies), call.view().groups)
    return await _aside(call, work)


@router.delete("/documents/{document_id:path}", response_model=RemovedReply, responses=errors(404, 409))
async def delete_document(
    document_id: str,
    request: Request,
    call: IngestCall,
    collection: Collection = None,
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """Take a document out: no search finds it once the reply is sent."""
    name = collection_of(call.state, collection)
    return await once(call, partial(_delete, call, name, document_id), key=idempotency_key, request=request)


async def _delete(call: Call, collection: str, document_id: str) -> tuple[int, RemovedReply]:
    library, view = call.state.library, call.view()
    stored = await _aside(call, partial(library.stored_id, collection, document_id, view))
    done = await _work(call, partial(library.remove, collection, [stored], view)) if stored else None
    if done is None or not done.documents:
        raise NotFoundError(f"There is no document {document_id!r} in {collection!r}.")
    DOCUMENTS.labels(collection, "removed").inc()
    removed = RemovedReply(collection=collection, removed=1, documents=[document_id], release=done.release_id)
    return 200, removed


@router.delete("/documents", response_model=RemovedReply, responses=errors(409))
async def delete_documents(
    filter: Annotated[str, Query(max_length=10_000)],
    request: Request,
    call: IngestCall,
    collection: Collection = None,
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """Take out every document that a filter matches, such as `{"place": "upload:crm"}`."""
    name = collection_of(call.state, collection)
    wanted = json_object(filter)
    if not wanted:
        raise InvalidRequestError(
            "An empty filter would remove every document. Name a field.", param="filter"
        )
    work = partial(_delete_all, call, name, call.view(wanted))
    return await once(call, work, key=idempotency_key, request=request)


async def _delete_all(call: Call, collection: str, view: View) -> tuple[int, RemovedReply]:
    ids = await _aside(call, partial(call.state.library.matching, collection, view))
    done = await _work(call, partial(call.state.library.remove, collection, ids, view))
    DOCUMENTS.labels(collection, "removed").inc(done.documents)
    shown = [shown_id(one, view.groups) for one in ids[:_PAGE]]
    removed = RemovedReply(
        collection=collection, removed=done.documents, documents=shown, release=done.release_id
    )
    return 200, removed


@router.get("/ingestions/{run_id}", responses=errors(404))
async def get_ingestion(run_id: str, call: IngestCall) -> dict[str, Any]:
    """What a run did or is doing."""
    found = await _aside(call, partial(call.state.library.run, run_id, call.caller.id, call.view()))
    if found is None:
        raise NotFoundError(f"There is no run {run_id!r}.")
    return found


@router.get("/quarantine")
async def list_quarantine(call: IngestCall, collection: Collection = None) -> HeldList:
    """Documents that wait for a person, and why: each finding in its context."""
    name = collection_of(call.state, collection)
    return await _aside(call, partial(_held, call, name))


def _held(call: Call, collection: str) -> HeldList:
    view = call.view()
    held = call.state.library.held(collection, view)
    shown = [HeldDocument.of(one, view.groups, call.reader(collection, {one.pii_policy})) for one in held]
    return HeldList(collection=collection, documents=shown)


@router.post("/quarantine:approve", response_model=DecisionsReply, responses=errors(404, 409, 422))
async def approve_all(
    selection: HeldSelection,
    request: Request,
    call: IngestCall,
    collection: Collection = None,
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """Publish documents that wait, by a pattern of ids, by rule or by source."""
    work = partial(_decide_all, call, selection, collection_of(call.state, collection), "approved")
    parts = [selection.model_dump_json().encode()]
    return await once(call, work, key=idempotency_key, request=request, parts=parts)


@router.post("/quarantine:reject", response_model=DecisionsReply, responses=errors(404, 409, 422))
async def reject_all(
    selection: HeldSelection,
    request: Request,
    call: IngestCall,
    collection: Collection = None,
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """Keep documents out for good, by a pattern of ids, by rule or by source."""
    work = partial(_decide_all, call, selection, collection_of(call.state, collection), "rejected")
    parts = [selection.model_dump_json().encode()]
    return await once(call, work, key=idempotency_key, request=request, parts=parts)


async def _decide_all(
    call: Call, asked: HeldSelection, collection: str, state: Literal["approved", "rejected"]
) -> tuple[int, DecisionsReply]:
    selection = Selection(asked.pattern, asked.rule, asked.source)
    library, view = call.state.library, call.view()
    work = partial(library.decide_all, collection, selection, state, call.caller.id, view)
    ids, done = await _work(call, work)
    reply = DecisionsReply(documents=ids, collection=collection, state=state, release=done.release_id)
    return 200, reply


@router.post(
    "/quarantine/{document_id:path}:approve", response_model=DecisionReply, responses=errors(404, 409, 422)
)
async def approve(
    document_id: str,
    request: Request,
    call: IngestCall,
    collection: Collection = None,
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """Publish a document that waits."""
    work = partial(_decide, call, document_id, collection_of(call.state, collection), "approved")
    return await once(call, work, key=idempotency_key, request=request)


@router.post(
    "/quarantine/{document_id:path}:reject", response_model=DecisionReply, responses=errors(404, 409, 422)
)
async def reject(
    document_id: str,
    request: Request,
    call: IngestCall,
    collection: Collection = None,
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """Keep a document out for good; the same text is not asked about again."""
    work = partial(_decide, call, document_id, collection_of(call.state, collection), "rejected")
    return await once(call, work, key=idempotency_key, request=request)


async def _decide(
    call: Call, document_id: str, collection: str, state: Literal["approved", "rejected"]
) -> tuple[int, DecisionReply]:
    work = partial(call.state.library.decide, collection, document_id, state, call.caller.id, call.view())
    done = await _work(call, work)
    decided = DecisionReply(
        document_id=document_id, collection=collection, state=state, release=done.release_id
    )
    return 200, decided


async def _work(call: Call, work: Callable[[], T]) -> T:
    """Change something, one change after the other."""
    try:
        return await in_turn(call.state.library.thread, work, wait_s=call.state.settings.change_wait_s)
    except AudienceError as exc:
        raise ForbiddenError(str(exc), param="groups") from exc
    except QuarantineError as exc:
        raise NotFoundError(str(exc)) from exc
    except (CollectionBusyError, StoppedError, WorkersError) as exc:
        raise BusyError(str(exc)) from exc
    except SourceError as exc:
        raise DocumentRefusedError(str(exc)) from exc
    except (StateError, OSError) as exc:
        raise NotReadyError(
            "The disk doesn't take the change just now, and nothing was acknowledged. Make room there, and send it again."
        ) from exc
    except IngestionError as exc:
        raise ConflictError(str(exc)) from exc


async def _aside(call: Call, work: Callable[[], T]) -> T:
    """Read something without holding up the loop."""
    return await asyncio.get_running_loop().run_in_executor(call.state.reading_threads, work)


def _document_reply(
    collection: str,
    found: tuple[Document, int],
    read: Callable[[str], str],
    groups: frozenset[str] | None,
) -> DocumentReply:
    """A document as a caller may read it. Masks its texts, which takes time for a long one."""
    document, chunks = found
    return DocumentReply(
        document_id=shown_id(document.id, groups),
        collection=collection,
        title=read(document.title),
        source=document.source,
        place=document.source_name,
        run_id=document.run_id,
        language=document.language,
        updated=document.updated,
        superseded_by=plain_id(document.superseded_by) if document.superseded_by else None,
        digest=document.digest,
        chunks=chunks,
        clearance=dict(document.clearance),
        metadata=with_texts(document.metadata, map(read, texts_of(document.metadata))),
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
