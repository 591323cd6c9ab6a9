"""Files of feedback."""

import asyncio
from collections.abc import Sequence
from functools import partial

from fastapi import APIRouter, Request
from starlette.datastructures import UploadFile

from service.database import WAIT_S
from service.deps import FeedbackCall, State
from service.errors import InvalidRequestError
from service.feedback.batch import PART_ROWS, Form, Importer, Line, Tally, form_of, lines_of
from service.feedback.event import Event, Receipt
from service.feedback.requests import BatchReply, FeedbackRow
from service.metrics import FEEDBACK
from service.openapi import errors
from service.threads import within

router = APIRouter(prefix="/v1", responses=errors(400, 401, 413, 429, 503))
_TYPES: dict[str, Form] = {
    "text/csv": "csv",
    "application/csv": "csv",
    "application/x-ndjson": "jsonl",
    "application/jsonl": "jsonl",
    "application/json": "jsonl",
    "text/plain": "jsonl",
}
_BODY = {
    "requestBody": {
        "required": True,
        "content": {
            "application/x-ndjson": {"schema": FeedbackRow.model_json_schema()},
            "text/csv": {"schema": {"type": "string"}},
            "multipart/form-data": {
                "schema": {"type": "object", "properties": {"file": {"type": "string", "format": "binary"}}}
            },
        },
    }
}


@router.post("/feedback/batch", openapi_extra=_BODY)
async def feedback_batch(request: Request, call: FeedbackCall) -> BatchReply:
    """Store the rows of a file, JSON lines or CSV, each by itself. What is accepted is durable; what is sent again is known."""
    data, form = await _file(request)
    lines = await asyncio.to_thread(lines_of, data, form)
    desk, caller = call.state.feedback, call.caller
    is_admin = "admin" in caller.scopes
    importer = Importer(call.state.engine, desk.identities, desk.mask, caller.id, is_admin)
    tally = Tally()
    taken = desk.limits.take((desk.limits.callers, caller.id), count=len(lines))
    try:
        for start in range(0, len(lines), PART_ROWS):
            await _store(call.state, importer, lines[start : start + PART_ROWS], tally)
    finally:
        taken.give_back(len(lines) - tally.accepted)
    return tally.reply()


async def _store(state: State, importer: Importer, lines: Sequence[Line], tally: Tally) -> None:
    work = partial(importer.look_up, lines)
    entries = await within(WAIT_S, state.database_threads, work, "The database")
    found = await asyncio.to_thread(lambda: [importer.event_of(entry) for entry in entries])
    events = [event for event in found if isinstance(event, Event)]
    written = await state.feedback.writer.add_all(events)
    tally.count(lines, found, written)
    for event, one in zip(events, written, strict=True):
        FEEDBACK.labels(event.kind).inc(isinstance(one, Receipt) and one.is_new)


async def _file(request: Request) -> tuple[bytes, Form]:
    """The bytes of the body, or of the form's `file`, and how they are to be read. Raises `InvalidRequestError`."""
    kind = _type_of(request.headers.get("content-type", ""))
    if kind != "multipart/form-data":
        return await request.body(), _form_of(kind, "")
    async with request.form() as form:
        file = form.get("file")
        if not isinstance(file, UploadFile):
            raise InvalidRequestError("The form has no `file`.", param="file")
        return await file.read(), _form_of(_type_of(file.content_type or ""), file.filename or "")


def _type_of(header: str) -> str:
    """Without its parameters, such as the character set."""
    return header.split(";")[0].strip().lower()


def _form_of(kind: str, name: str) -> Form:
    """By the file's name, else by its type."""
    form = form_of(name) or _TYPES.get(kind)
    if form is None:
        raise InvalidRequestError(
            f"The type {kind[:80]!r} can't be read. Send one of {sorted(_TYPES)}, or a file named .csv or .jsonl.",
            param="content-type",
        )
    return form
