"""How long anybody is waited for: a head, a body, a reader of a stream, and requests once the process was told to stop.

Pure ASGI middleware and uvicorn's protocol; the times come as arguments. Nothing here reads what a body says.
"""

import asyncio
import os
import signal
import threading
import time
from collections.abc import Callable
from typing import Any

import orjson
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from service.errors import RequestTimeoutError, StoppingError, TouchstoneError
from service.ids import uuid7
from service.logs import get_logger
from service.middleware import App, Message, Receive, Scope, Send, send_error

log = get_logger()
_BODY_BYTES_PER_S = 10_000
_ABORT = "touchstone.abort"
_CUT_S = 1.0  # for the last words of a stream
# After the grace: for the answer log, and at last for threads that don't end.
CLOSING_S = 3
_HARD_S = 8.0


class TimedProtocol(HttpToolsProtocol):
    """Gives up connections whose request's head does not come, and lets middleware end a connection at once."""

    def __init__(self, *args: Any, head_s: float, **options: Any) -> None:
        """`head_s` is the longest wait for a whole head."""
        super().__init__(*args, **options)
        self._head_s = head_s
        self._late: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        """A client is there."""
        super().connection_made(transport)
        self._wait_for_head()

    def _wait_for_head(self) -> None:
        if self._late is None:
            self._late = self.loop.call_later(self._head_s, self._give_up)

    def _stop_waiting(self) -> None:
        if self._late is not None:
            self._late.cancel()
            self._late = None

    def on_message_begin(self) -> None:
        """A head begins."""
        super().on_message_begin()
        self.scope["extensions"] = {_ABORT: {"call": self.transport.abort}}
        self._wait_for_head()

    def on_headers_complete(self) -> None:
        """A head is there."""
        self._stop_waiting()
        super().on_headers_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        """The client is gone."""
        self._stop_waiting()
        super().connection_lost(exc)

    def _give_up(self) -> None:
        self._late = None
        body = orjson.dumps(_late("head", self._head_s).body(uuid7()))
        self.transport.write(
            b"HTTP/1.1 408 Request Timeout\r\ncontent-type: application/json\r\nconnection: close\r\n"
            b"content-length: %d\r\n\r\n%b" % (len(body), body)
        )
        self.transport.close()


def _late(part: str, seconds: float) -> RequestTimeoutError:
    return RequestTimeoutError(
        f"The {part} of the request did not come within {seconds:.0f} s. Send it in one go."
    )


class Patience:
    """Gives up bodies that do not come, and readers that do not read.

    A body has `body_s` and a second more for every 10 kB; a reader `reader_s` for each piece.
    """

    def __init__(self, app: App, body_s: float, reader_s: float) -> None:
        self._app = app
        self._body_s = body_s
        self._reader_s = reader_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        exchange = _Exchange(receive, send, self._body_s, self._reader_s)
        try:
            await self._app(scope, exchange.receive, exchange.send)
        except Exception:
            if not exchange.is_given_up:
                raise
            log.warning("reader_given_up", seconds=self._reader_s)
            _abort(scope)


def _abort(scope: Scope) -> None:
    """End the connection without sending what waits; a closed one would wait for its reader."""
    extension = scope.get("extensions", {}).get(_ABORT)
    if extension is not None:
        extension["call"]()


class _ReaderGoneError(Exception):
    """The client does not read."""


class _Exchange:
    """One request and its reply, with their clocks."""

    def __init__(self, receive: Receive, send: Send, body_s: float, reader_s: float) -> None:
        self._receive, self._send = receive, send
        self._body_s, self._reader_s = body_s, reader_s
        self._begun, self._seen_bytes = time.monotonic(), 0
        self._is_whole = self._is_late = self.is_given_up = False

    async def receive(self) -> Message:
        """The next message of the client. Raises `RequestTimeoutError`."""
        if self._is_whole:
            return await self._receive()
        allowed_s = self._body_s + self._seen_bytes / _BODY_BYTES_PER_S
        try:
            async with asyncio.timeout(max(0.0, self._begun + allowed_s - time.monotonic())):
                message = await self._receive()
        except TimeoutError:
            self._is_late = True
            raise _late("body", allowed_s) from None
        self._seen_bytes += len(message.get("body", b""))
        self._is_whole = not message.get("more_body", False)
        return message

    async def send(self, message: Message) -> None:
        """Send a piece. Raises when the client reads too slowly."""
        if self._is_late and message["type"] == "http.response.start":
            # What comes later on this connection would be the rest of the body.
            message["headers"] = [*message.get("headers", ()), (b"connection", b"close")]
        try:
            async with asyncio.timeout(self._reader_s):
                await self._send(message)
        except TimeoutError:
            self.is_given_up = True
            raise _ReaderGoneError from None


class Stopping:
    """Whether the process was told to stop: requests have a grace, then they are cut, and at last the process ends."""

    def __init__(self, grace_s: float) -> None:
        self._grace_s = grace_s
        self._requests: set[asyncio.Task[Any]] = set()
        self.has_begun = False
        self.is_over = False

    def listen(self) -> None:
        """Hear of SIGTERM and SIGINT before the server does; in the main thread alone signals can be heard."""
        if threading.current_thread() is not threading.main_thread():
            return
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            self._hear(number, loop)

    def _hear(self, number: int, loop: asyncio.AbstractEventLoop) -> None:
        before = signal.getsignal(number)

        def told(got: int, frame: Any) -> None:
            self._end_at_last()
            loop.call_soon_threadsafe(self.begin)
            if callable(before):
                before(got, frame)

        signal.signal(number, told)

    def _end_at_last(self) -> None:
        """End the process when closing hangs: in a thread, since a loop that hangs can't."""
        if not self.has_begun:
            timer = threading.Timer(self._grace_s + _HARD_S, os._exit, (1,))
            timer.daemon = True
            timer.start()

    def begin(self) -> None:
        """Requests have the grace from now on."""
        if not self.has_begun:
            self.has_begun = True
            asyncio.get_running_loop().call_later(self._grace_s, self.cut)

    def cut(self) -> None:
        """End the requests that are left."""
        self.is_over = True
        log.info("requests_cut", count=len(self._requests))
        for task in self._requests:
            task.cancel()

    async def run(self, work: Callable[[], Any]) -> bool:
        """Whether the work ended by itself, and not because of the cut."""
        task = asyncio.current_task()
        if task is None or self.is_over:
            return False
        self._requests.add(task)
        try:
            await work()
        except asyncio.CancelledError:
            if not self.is_over:
                raise
            task.uncancel()
            return False
        finally:
            self._requests.discard(task)
        return True


class Drain:
    """Ends requests that are cut in the protocol's own words: an error with its status, or in a stream an event."""

    def __init__(self, app: App, stopping: Stopping) -> None:
        self._app = app
        self._stopping = stopping

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        start: Message | None = None
        is_whole = False

        async def noted(message: Message) -> None:
            nonlocal start, is_whole
            if message["type"] == "http.response.start":
                start = message
            else:
                is_whole = not message.get("more_body", False)
            await send(message)

        if not await self._stopping.run(lambda: self._app(scope, receive, noted)) and not is_whole:
            async with asyncio.timeout(_CUT_S):
                await _end(start, scope, send)


async def _end(start: Message | None, scope: Scope, send: Send) -> None:
    error: TouchstoneError = StoppingError("The service is stopping. Send the request again.")
    if start is None:
        await send_error(error, scope, send)
    elif dict(start["headers"]).get(b"content-type", b"").startswith(b"text/event-stream"):
        event = orjson.dumps(error.body(scope["state"]["request_id"]))
        await send({"type": "http.response.body", "body": b"data: %b\n\ndata: [DONE]\n\n" % event})
