"""The page at `/` and the API's description at `/docs`: static files, nothing from elsewhere."""

from pathlib import Path

from fastapi import APIRouter, Request
from fastapi.responses import FileResponse, JSONResponse

from service.deps import AppState, State
from service.errors import NotFoundError, TouchstoneError

router = APIRouter(include_in_schema=False)
_FOLDER = Path(__file__).parent.parent / "page"
_ASSETS = {
    "answers.js": "text/javascript",
    "app.js": "text/javascript",
    "console.css": "text/css",
    "console.js": "text/javascript",
    "docs.js": "text/javascript",
    "feedback.js": "text/javascript",
    "markup.js": "text/javascript",
    "passage.js": "text/javascript",
    "problems.js": "text/javascript",
    "report.css": "text/css",
    "strings.js": "text/javascript",
    "style.css": "text/css",
}
_HEADERS = {
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "connect-src 'self'; img-src 'self' data:; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cache-control": "no-cache",
}


def page_file(name: str) -> FileResponse:
    """A page of the folder, which may run and load what the service serves and nothing else."""
    return FileResponse(_FOLDER / name, headers=_HEADERS)


@router.get("/")
async def page() -> FileResponse:
    """The page."""
    return page_file("index.html")


@router.get("/docs")
async def docs() -> FileResponse:
    """The API's routes, without anything from elsewhere."""
    return page_file("docs.html")


@router.get("/page/{name}")
async def asset(name: str) -> FileResponse:
    """Its script and its style."""
    if name not in _ASSETS:
        raise NotFoundError(f"There is nothing at '/page/{name}'.")
    return FileResponse(_FOLDER / name, headers=_HEADERS, media_type=_ASSETS[name])


@router.get("/page-config")
async def config(request: Request, state: AppState) -> JSONResponse:
    """What the page needs before the first question. Without a key where there are keys: the first assistant alone."""
    shown = list(state.scope.assistants.items())[: None if _may_ask(state, request) else 1]
    assistants = [
        {"name": name, "description": one.description, "examples": one.examples} for name, one in shown
    ]
    name, first = shown[0]
    body = {
        "assistant": name,
        "description": first.description,
        "examples": first.examples,
        "assistants": assistants,
        "needs_key": state.keys.has_keys,
    }
    return JSONResponse(body, headers={"cache-control": "no-cache"})


def _may_ask(state: State, request: Request) -> bool:
    try:
        state.keys.identify(request.headers.get("authorization")).need("answer")
    except TouchstoneError:
        return False
    return True
