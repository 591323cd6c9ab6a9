"""Servers for benchmarks, in processes of their own: a scripted generator, and a bare relay.

The generator streams `TOKENS` tokens in OpenAI's format, at full speed or paced. The relay is the
least that FastAPI, aiohttp and orjson need to pass a stream on: the lower bound for forwarding.
"""

import argparse
import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import orjson
import uvicorn
from fastapi import FastAPI, Request
from fastapi.responses import StreamingResponse

TOKENS = 100
_WORDS = "The answer stands in the passage above and is repeated here word by word ".split(" ")

Message = MutableMapping[str, Any]


def _events(kind: str) -> list[bytes]:
    head = {"id": "scripted", "object": kind, "created": 1, "model": "scripted"}
    events = []
    for index in range(TOKENS):
        word = _WORDS[index % len(_WORDS)] + (" [1]. " if index % 12 == 11 else " ")
        choice: dict[str, Any] = {"index": 0, "finish_reason": None}
        choice |= {"text": word} if kind == "text_completion" else {"delta": {"content": word}}
        events.append(_event(head | {"choices": [choice]}))
    last: dict[str, Any] = {"index": 0, "finish_reason": "stop", "text": "", "delta": {}}
    usage = {"prompt_tokens": 400, "completion_tokens": TOKENS, "total_tokens": 400 + TOKENS}
    events.append(_event(head | {"choices": [last]}))
    events.append(_event(head | {"choices": [], "usage": usage}))
    return [*events, b"data: [DONE]\n\n"]


def _event(value: dict[str, Any]) -> bytes:
    return b"data: " + orjson.dumps(value) + b"\n\n"


class Scripted:
    """A pure ASGI application, so that it takes little time itself."""

    def __init__(self, pause_s: float) -> None:
        self._pause_s = pause_s
        self._chat = _events("chat.completion.chunk")
        self._text = _events("text_completion")

    async def __call__(
        self,
        scope: Message,
        receive: Callable[[], Awaitable[Message]],
        send: Callable[[Message], Awaitable[None]],
    ) -> None:
        """ASGI."""
        if scope["type"] != "http":
            return
        while (await receive()).get("more_body"):
            pass
        if scope["path"].endswith("/models"):
            body = orjson.dumps({"object": "list", "data": [{"id": "scripted", "object": "model"}]})
            headers = [(b"content-type", b"application/json")]
            await send({"type": "http.response.start", "status": 200, "headers": headers})
            await send({"type": "http.response.body", "body": body})
            return
        events = self._chat if scope["path"].endswith("/chat/completions") else self._text
        headers = [(b"content-type", b"text/event-stream")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        for event in events:
            await send({"type": "http.response.body", "body": event, "more_body": True})
            if self._pause_s:
                await asyncio.sleep(self._pause_s)
        await send({"type": "http.response.body", "body": b""})


def bare_relay(upstream: str) -> FastAPI:
    """FastAPI + aiohttp + orjson, every request parsed, every byte passed on."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[dict[str, Any]]:
        connector = aiohttp.TCPConnector(limit=0)
        async with aiohttp.ClientSession(connector=connector) as session:
            yield {"session": session}

    app = FastAPI(lifespan=lifespan)

    @app.post("/v1/completions")
    async def completions(request: Request) -> StreamingResponse:
        body = orjson.loads(await request.body())
        body["model"] = "scripted"

        async def relay() -> AsyncIterator[bytes]:
            url = f"{upstream}/completions"
            headers = {"content-type": "application/json"}
            session: aiohttp.ClientSession = request.state.session
            async with session.post(url, data=orjson.dumps(body), headers=headers) as reply:
                async for chunk in reply.content.iter_any():
                    yield chunk

        return StreamingResponse(relay(), media_type="text/event-stream")

    return app


def main() -> None:
    """Serve one of them."""
    parser = argparse.ArgumentParser(prog="python -m evals.bench.upstream", description=__doc__)
    parser.add_argument("kind", choices=("scripted", "relay"))
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--pause", type=float, default=0.0, help="seconds between two tokens")
    parser.add_argument("--upstream", help="base URL that the relay passes requests to")
    args = parser.parse_args()
    app: Any = Scripted(args.pause) if args.kind == "scripted" else bare_relay(args.upstream)
    uvicorn.run(
        app,
        host="127.0.0.1",
        port=args.port,
        log_level="warning",
        access_log=False,
        loop="uvloop",
        http="httptools",
        lifespan="off" if args.kind == "scripted" else "on",
    )


if __name__ == "__main__":
    main()
