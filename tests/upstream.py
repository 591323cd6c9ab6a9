"""A scripted generator for tests: streams what it is told, and fails how it is told."""

import asyncio
import threading
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

import orjson

Message = MutableMapping[str, Any]


class ScriptedUpstream:
    """Pure ASGI. Set `tokens`, `payloads`, `raw`, `statuses`, `gate` and `break_after`; look at `bodies`, `sent` and `cancelled`."""

    def __init__(self) -> None:
        self.url = ""
        self.tokens = ["Express ", "costs ", "€9.90", ". [1]"]
        self.payloads: list[bytes] | None = (
            None  # what a stream says instead of `tokens`, as it goes over the wire
        )
        self.turns: list[list[bytes]] = []  # the same, one list a request, until they are used up
        self.chunks: list[bytes] | None = None  # what a stream sends, byte for byte, and no end of its own
        self.raw: bytes | None = None  # a whole reply as it goes over the wire
        self.whole = "What does Larkmoor Plus cost?"
        self.pause_s = 0.0
        self.gate = threading.Event()  # cleared: nothing is sent until it is set
        self.gate.set()
        self.sent = 0
        self.first_pause_s = 0.0
        self.whole_pause_s = 0.0  # before a reply that is not streamed
        self.statuses: list[int] = []  # one a request, 200 when used up
        self.error_text = "{}"
        self.break_after: int | None = None  # tokens after which the connection breaks
        self.bodies: list[dict[str, Any]] = []
        self.headers: list[dict[bytes, bytes]] = []
        self.cancelled = 0
        self.forwarded = "forwarded"
        self.requests = 0
        self.model = "scripted-model"
        self.adapters: tuple[str, ...] = ()  # served beside it

    async def __call__(
        self,
        scope: Message,
        receive: Callable[[], Awaitable[Message]],
        send: Callable[[Message], Awaitable[None]],
    ) -> None:
        data = b""
        while True:
            message = await receive()
            data += message.get("body", b"")
            if not message.get("more_body"):
                break
        if scope["path"].endswith("/models"):
            listed = [{"id": self.model}, *({"id": name, "parent": self.model} for name in self.adapters)]
            await _json(send, 200, orjson.dumps({"data": listed}))
            return
        self.requests += 1
        self.headers.append(dict(scope["headers"]))
        self.bodies.append(orjson.loads(data))
        status = self.statuses.pop(0) if self.statuses else 200
        if self.bodies[-1].get("model") not in (self.model, *self.adapters):
            status = 404  # as vLLM answers for a model that it doesn't serve
        if status != 200:
            await _json(send, status, self.error_text.encode())
            return
        if self.bodies[-1].get("stream"):
            answer = asyncio.ensure_future(self._stream(send, is_chat="/chat/" in scope["path"]))
        else:
            answer = asyncio.ensure_future(self._whole(send))
        gone = asyncio.ensure_future(_disconnect(receive))
        await asyncio.wait({answer, gone}, return_when=asyncio.FIRST_COMPLETED)
        if not answer.done():
            self.cancelled += 1
            answer.cancel()
        gone.cancel()
        results = await asyncio.gather(answer, gone, return_exceptions=True)
        if isinstance(results[0], ConnectionResetError):
            raise results[0]

    async def _whole(self, send: Callable[[Message], Awaitable[None]]) -> None:
        await asyncio.sleep(self.whole_pause_s)
        if self.raw is not None:
            await _json(send, 200, self.raw)
            return
        reply = {
            "text": self.forwarded,
            "logprobs": {"tokens": [self.forwarded]},
            "message": {"role": "assistant", "content": self.whole},
        }
        await _json(
            send, 200, orjson.dumps({"object": "text_completion", "choices": [reply], "tokens": [1, 2]})
        )

    async def _stream(self, send: Callable[[Message], Awaitable[None]], *, is_chat: bool) -> None:
        headers = [(b"content-type", b"text/event-stream")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await asyncio.sleep(self.first_pause_s)
        while not self.gate.is_set():
            await asyncio.sleep(0.01)
        if self.chunks is not None:
            for index, chunk in enumerate(self.chunks):
                if index == self.break_after:
                    raise ConnectionResetError("told to break")
                await send({"type": "http.response.body", "body": chunk, "more_body": True})
                await asyncio.sleep(self.pause_s)
            await send({"type": "http.response.body", "body": b""})
            return
        payloads = self.turns.pop(0) if self.turns else self.payloads
        for payload in payloads or []:
            body = b"data: " + payload + b"\n\n"
            await send({"type": "http.response.body", "body": body, "more_body": True})
            await asyncio.sleep(self.pause_s)
        if payloads is not None:
            await send({"type": "http.response.body", "body": b"data: [DONE]\n\n"})
            return
        for index, token in enumerate(self.tokens):
            if index == self.break_after:
                raise ConnectionResetError("told to break")
            piece = {"delta": {"content": token}} if is_chat else {"text": token}
            await _event(send, {"choices": [{"index": 0, **piece}]})
            self.sent += 1
            await asyncio.sleep(self.pause_s)
        await _event(send, {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
        usage = {"prompt_tokens": 321, "completion_tokens": len(self.tokens)}
        await _event(send, {"choices": [], "usage": usage})
        await send({"type": "http.response.body", "body": b"data: [DONE]\n\n"})


async def _event(send: Callable[[Message], Awaitable[None]], value: dict[str, Any]) -> None:
    body = b"data: " + orjson.dumps(value) + b"\n\n"
    await send({"type": "http.response.body", "body": body, "more_body": True})


async def _json(send: Callable[[Message], Awaitable[None]], status: int, body: bytes) -> None:
    headers = [(b"content-type", b"application/json")]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def _disconnect(receive: Callable[[], Awaitable[Message]]) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
