"""The page at `/` and the API's description at `/docs`: static files, nothing from elsewhere."""

from pathlib import Path

from fastapi import APIRouter
from fastapi.responses import FileResponse, JSONResponse

from service.deps import AppState
from service.errors import NotFoundError

router = APIRouter(include_in_schema=False)
_FOLDER = Path(__file__).parent.parent / "page"
_ASSETS = {
    "app.js": "text/javascript",
    "docs.js": "text/javascript",
    "markup.js": "text/javascript",
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


@router.get("/")
async def page() -> FileResponse:
    """The page."""
    return FileResponse(_FOLDER / "index.html", headers=_HEADERS)


@router.get("/docs")
async def docs() -> FileResponse:
    """The API's routes, without anything from elsewhere."""
    return FileResponse(_FOLDER / "docs.html", headers=_HEADERS)


@router.get("/page/{name}")
async def asset(name: str) -> FileResponse:
    """Its script and its style."""
    if name not in _ASSETS:
        raise NotFoundError(f"There is nothing at '/page/{name}'.")
    return FileResponse(_FOLDER / name, headers=_HEADERS, media_type=_ASSETS[name])


@router.get("/page-config")
async def config(state: AppState) -> JSONResponse:
    """What the page needs before the first question."""
    name, assistant = next(iter(state.scope.assistants.items()))
    return JSONResponse(
        {
            "assistant": name,
            "description": assistant.description,
            "examples": assistant.examples,
            "needs_key": state.keys.has_keys,
        },
        headers={"cache-control": "no-cache"},
    )
