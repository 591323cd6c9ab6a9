"""Pure ASGI middleware: request ids, logs, metrics, the size of bodies, and who may come near.

The order is in `app.py`. Nothing here reads a body's content."""

import ipaddress
import re
import time
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from typing import Any

import orjson
import structlog

from service.errors import BodyTooLargeError, BusyError, ForbiddenError, InternalError, TouchstoneError
from service.ids import uuid7
from service.logs import frames_of, get_logger
from service.metrics import IN_FLIGHT, REQUEST_SECONDS, REQUESTS

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

log = get_logger()
_REQUEST_ID = re.compile(rb"[A-Za-z0-9._-]{8,64}")
_LOCAL_NAMES = frozenset({"localhost", "127.0.0.1", "[::1]", "::1"})
_NOSNIFF = (b"x-content-type-options", b"nosniff")
_QUIET = frozenset({"/livez", "/readyz", "/metrics"})
# Routes that take files.
_UPLOADS = ("/v1/documents", "/v1/feedback/batch")


async def send_error(error: TouchstoneError, scope: Scope, send: Send) -> None:
    """Answer with an error in OpenAI's shape."""
    headers = [(b"content-type", b"application/json")]
    if error.retry_after_s is not None:
        headers.append((b"retry-after", str(error.retry_after_s).encode()))
    body = orjson.dumps(error.body(scope["state"]["request_id"]))
    await send({"type": "http.response.start", "status": error.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


class Observe:
    """Gives every request an id, counts and times it, logs one line, and catches what nobody caught."""

    def __init__(self, app: App) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = time.perf_counter()
        given = next((v for k, v in scope["headers"] if k == b"x-request-id"), b"")
        request_id = given.decode() if _REQUEST_ID.fullmatch(given) else uuid7()
        scope.setdefault("state", {})["request_id"] = request_id
        structlog.contextvars.bind_contextvars(request_id=request_id)
        status = 0

        async def observed(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = [*message.get("headers", ()), (b"x-request-id", request_id.encode())]
                if not any(name.lower() == _NOSNIFF[0] for name, _ in headers):
                    headers.append(_NOSNIFF)
                message["headers"] = headers
            await send(message)

        IN_FLIGHT.inc()
        try:
            await self._app(scope, receive, observed)
        except Exception as exc:  # noqa: BLE001 - the last line of defence
            log.error("request_failed", error=type(exc).__name__, where=frames_of(exc))
            if status == 0:
                error = InternalError("Something went wrong here. Quote the request id when you ask.")
                await send_error(error, scope, observed)
        finally:
            IN_FLIGHT.dec()
            _note(scope, status or 499, time.perf_counter() - started)
            structlog.contextvars.unbind_contextvars("request_id")


def _note(scope: Scope, status: int, seconds: float) -> None:
    route = getattr(scope.get("route"), "path", "other")
    method = scope["method"] if scope["method"] in _METHODS else "other"
    REQUESTS.labels(route, method, str(status)).inc()
    REQUEST_SECONDS.labels(route).observe(seconds)
    if route not in _QUIET:
        log.info("request", route=route, method=method, status=status, seconds=round(seconds, 4))


_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class LimitBody:
    """Refuses bodies above a size, whether they announce it or not. Uploads have a size of their own."""

    def __init__(self, app: App, max_bytes: int, max_upload_bytes: int) -> None:
        self._app = app
        self._max_bytes = max_bytes
        self._max_upload_bytes = max_upload_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        limit = self._max_upload_bytes if scope["path"].startswith(_UPLOADS) else self._max_bytes
        announced = next((v for k, v in scope["headers"] if k == b"content-length"), b"0")
        if announced.isdigit() and int(announced) > limit:
            await send_error(_too_large(int(announced), limit), scope, send)
            return
        seen = 0

        async def counted() -> Message:
            nonlocal seen
            message = await receive()
            seen += len(message.get("body", b""))
            if seen > limit:
                raise _too_large(seen, limit)
            return message

        await self._app(scope, counted, send)


class LimitUploads:
    """Refuses an upload that comes while others hold too many bytes: those that arrive and those that wait their turn.

    What has arrived counts, not what was announced: who announces much and sends nothing takes no room from others.
    """

    def __init__(self, app: App, max_bytes: int) -> None:
        """`max_bytes` is of all bodies together; it should leave room for several of the largest."""
        self._app = app
        self._max_bytes = max_bytes
        self._held = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] != "http" or not scope["path"].startswith(_UPLOADS):
            await self._app(scope, receive, send)
            return
        mine = 0

        async def counted() -> Message:
            nonlocal mine
            message = await receive()
            size = len(message.get("body", b""))
            if self._held + size > self._max_bytes:
                raise BusyError(
                    f"Uploads of {self._max_bytes} bytes arrive or wait already, so it was not read. Send it again."
                )
            self._held, mine = self._held + size, mine + size
            return message

        try:
            await self._app(scope, counted, send)
        finally:
            self._held -= mine


def _too_large(size: int, limit: int) -> BodyTooLargeError:
    return BodyTooLargeError(f"The body has at least {size} bytes; at most {limit} are allowed.")


class KeepLocal:
    """Without keys only this machine may call, and no web page of another origin through its browser.

    A page on the internet, or one that another program of this machine serves, can make a browser call a service on
    loopback: by name, when its name is made to resolve to 127.0.0.1, or across origins, where a form needs no
    preflight. So `Host` must be local, and `Origin` the service's own: scheme, host and port. Where a browser sends no
    origin, `Sec-Fetch-Site` (W3C Fetch Metadata) says whether a change comes from a page of another one.
    """

    def __init__(self, app: App, is_open: Callable[[Scope], bool]) -> None:
        self._app = app
        self._is_open = is_open

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] == "http" and not self._is_open(scope) and not _is_local(scope):
            error = ForbiddenError(
                "Without API keys this service answers its own machine only. "
                "Create one: touchstone keys create NAME --scopes answer,search,feedback."
            )
            await send_error(error, scope, send)
            return
        await self._app(scope, receive, send)


def is_loopback(host: str) -> bool:
    """Whether an address or name means this machine and nothing else."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _is_local(scope: Scope) -> bool:
    client = scope.get("client")
    if client and not is_loopback(client[0]):
        return False
    headers = dict(scope["headers"])
    host = headers.get(b"host", b"localhost").decode("latin-1").lower()
    return re.sub(r":\d+$", "", host) in _LOCAL_NAMES and _is_own_page(scope, headers, host)


def _is_own_page(scope: Scope, headers: dict[bytes, bytes], host: str) -> bool:
    """Whether no page sent the request, or one of this very service; links from anywhere may be followed."""
    origin = headers.get(b"origin")
    if origin is not None:
        own = f"{scope.get('scheme', 'http')}://{host}"
        return _with_port(origin.decode("latin-1").lower()) == _with_port(own)
    site = headers.get(b"sec-fetch-site", b"none")
    return scope["method"] in ("GET", "HEAD") or site in (b"none", b"same-origin")


def _with_port(origin: str) -> str:
    return origin if re.search(r":\d+$", origin) else f"{origin}:{443 if origin.startswith('https') else 80}"


def cors(origins: Sequence[str]) -> dict[str, Any]:
    """What pages of other origins may send and read. They need a key, which no browser adds by itself."""
    return {
        "allow_origins": origins,
        "allow_methods": ["GET", "POST", "PUT", "DELETE"],
        "allow_headers": ["authorization", "content-type", "idempotency-key", "x-request-id"],
        "expose_headers": ["x-request-id", "retry-after"],
    }
