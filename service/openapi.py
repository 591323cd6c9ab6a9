"""The API's description: which errors each route answers, in the one shape that all of them have."""

from collections.abc import Callable
from typing import Any

from fastapi import FastAPI

from service.schemas import ErrorReply

Responses = dict[int | str, dict[str, Any]]
_WHEN = {
    400: "The request is wrong in itself.",
    401: "No key, or one that isn't valid.",
    403: "The key, or without keys the page, may not do this.",
    404: "Not there, or not for this key.",
    409: "It contradicts what is there already.",
    413: "The body is larger than allowed.",
    422: "The document can't be read, isn't cleared, or holds what a policy keeps out.",
    429: "More than a limit allows: see `Retry-After`.",
    500: "A fault of ours; the log has it under the request id.",
    502: "The generator can't be reached, is too slow or answers nonsense.",
    503: "Something the request needs is not there yet, or is busy: see `Retry-After`.",
}
_ANYWHERE = (403, 500)
_GENERATED = "HTTPValidationError"


def errors(*statuses: int) -> Responses:
    """The errors of a route, beside those that any route may answer."""
    return {
        status: {"model": ErrorReply, "description": _WHEN[status]}
        for status in sorted({*statuses, *_ANYWHERE})
    }


def described(app: FastAPI) -> Callable[[], dict[str, Any]]:
    """The description without the errors of FastAPI's own shape, which are never sent."""
    made = app.openapi

    def openapi() -> dict[str, Any]:
        schema = made()
        for routes in schema["paths"].values():
            for route in routes.values():
                if _GENERATED in str(route["responses"].get("422")):
                    del route["responses"]["422"]
        for name in (_GENERATED, "ValidationError"):
            schema.get("components", {}).get("schemas", {}).pop(name, None)
        return schema

    return openapi
