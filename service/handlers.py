"""Every error, wherever it was raised, in OpenAI's shape."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from ingestion.errors import IngestionError
from service.database import AWAY
from service.errors import (
    InternalError,
    InvalidRequestError,
    MethodError,
    NotFoundError,
    NotReadyError,
    TouchstoneError,
)

_SHOWN_CHARS = 80
_FORM = re.compile(r"^(str|int|float|bool)$|[\[\]()]")


def add_error_handlers(app: FastAPI) -> None:
    """Register them."""

    @app.exception_handler(TouchstoneError)
    async def typed(request: Request, exc: TouchstoneError) -> JSONResponse:
        return _render(request, exc)

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, exc: RequestValidationError) -> JSONResponse:
        return _render(request, _explain(exc))

    @app.exception_handler(HTTPException)
    async def http(request: Request, exc: HTTPException) -> JSONResponse:
        return _render(request, _translate(request, exc), exc.headers)

    async def away(request: Request, _: Exception) -> JSONResponse:
        return _render(request, NotReadyError("The database can't be reached just now. Try again."))

    for kind in AWAY:
        app.add_exception_handler(kind, away)

    @app.exception_handler(IngestionError)
    async def ingestion(request: Request, _: IngestionError) -> JSONResponse:
        return _render(request, NotReadyError("The index can't be read just now. Try again."))


def _render(
    request: Request, error: TouchstoneError, headers: Mapping[str, str] | None = None
) -> JSONResponse:
    if error.retry_after_s:
        headers = {"retry-after": str(error.retry_after_s)}
    body = error.body(request.scope["state"]["request_id"])
    return JSONResponse(body, error.status, headers)


def _explain(exc: RequestValidationError) -> InvalidRequestError:
    """The first finding: the field, the value, what is wrong with it. Of a field that takes several forms, the nearest."""
    first, location = _nearest(exc.errors())
    if first["type"] == "json_invalid":
        reason = first.get("ctx", {}).get("error", "")
        return InvalidRequestError(f"The body is not valid JSON: {reason}.", param=None)
    param = ".".join(location[1:]) or location[0]
    message = str(first["msg"]).removeprefix("Value error, ")
    if first["type"] == "missing" and location == ["body"]:
        return InvalidRequestError("The body is empty. Send a JSON object.", param=None)
    if first["type"] in ("missing", "extra_forbidden"):
        return InvalidRequestError(f"{param!r}: {message}.", param=param)
    return InvalidRequestError(f"{param!r} is {_short(first.get('input'))}: {message}.", param=param)


def _nearest(findings: Sequence[dict[str, Any]]) -> tuple[dict[str, Any], list[str]]:
    """Of the first field's findings, one for each form that it may have, the one that reaches furthest; with its place."""
    places = [_place(one["loc"]) for one in findings]
    field = places[0]
    known = [
        (one, place) for one, place in zip(findings, places, strict=True) if place[: len(field)] == field
    ]
    return max(known, key=lambda found: len(found[1]))


def _place(location: Sequence[int | str]) -> list[str]:
    """Where a finding is, as the sender wrote it: without the names of Python's types that a choice of forms adds."""
    return [str(part) for part in location if not isinstance(part, str) or not _FORM.search(part)]


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= _SHOWN_CHARS else f"{text[:_SHOWN_CHARS]}… ({len(text)} characters)"


def _translate(request: Request, exc: HTTPException) -> TouchstoneError:
    path = request.url.path
    if isinstance(exc.__cause__, TouchstoneError):  # raised while the body was being read
        return exc.__cause__
    if exc.status_code == 404:
        return NotFoundError(f"There is nothing at {path!r}. /docs lists the routes.")
    if exc.status_code == 405:
        allowed = (exc.headers or {}).get("Allow", "another method")
        return MethodError(f"{request.method} is not allowed at {path!r}. Use {allowed}.")
    if 400 <= exc.status_code < 500:
        return InvalidRequestError("The request can't be read. Send a JSON object.")
    return InternalError("Something went wrong here. Quote the request id when you ask.")
