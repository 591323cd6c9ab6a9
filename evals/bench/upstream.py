"""Servers for benchmarks, in processes of their own: a scripted generator, and a bare relay.

The generator streams `TOKENS` tokens in OpenAI's format, at full speed or paced: sentences of the passages in its
prompt, with their numbers, that which shares most words with the question first. The relay is the least that FastAPI,
aiohttp and orjson need to pass a stream on: the lower bound for forwarding.
"""

import argparse
import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping, Sequence
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


_CODE = re.compile(rb"passage-[0-9a-f]+")
_PASSAGE = re.compile(r"<passage[^>]*number=(\d+)>\n(.*?)\n</passage", re.DOTALL)
_END = re.compile(r"(?<=[.!?])\s+")
_WORD = re.compile(r"\w+")


def _said(body: bytes) -> list[str]:
    """Tokens of an answer to a prompt: its passages' own words, or some of its own where it has none."""
    request = orjson.loads(body)
    prompt = str((request.get("messages") or [{"content": ""}])[-1]["content"])
    asked = set(_WORD.findall(prompt.rpartition("Question:")[2].casefold()))
    sentences = [
        f"{sentence} [{number}] "
        for number, text in _PASSAGE.findall(prompt)
        for sentence in _END.split(text.partition("\n")[2] or text)
    ]
    sentences.sort(key=lambda one: -len(asked & set(_WORD.findall(one.casefold()))))
    words = [word + " " for one in sentences for word in one.split()] or [f"{word} " for word in _WORDS]
    return [words[index % len(words)] for index in range(TOKENS)]


def _events(kind: str, words: Sequence[str]) -> list[bytes]:
    head = {"id": "scripted", "object": kind, "created": 1, "model": "scripted"}
    events = []
    for word in words:
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
        self._chat: dict[bytes, list[bytes]] = {}
        self._text = _events("text_completion", _said(b"{}"))

    async def __call__(
        self,
        scope: Message,
        receive: Callable[[], Awaitable[Message]],
        send: Callable[[Message], Awaitable[None]],
    ) -> None:
        """ASGI."""
        if scope["type"] != "http":
            return
        asked = b""
        while True:
            message = await receive()
            asked += message.get("body", b"")
            if not message.get("more_body"):
                break
        if scope["path"].endswith("/models"):
            body = orjson.dumps({"object": "list", "data": [{"id": "scripted", "object": "model"}]})
            headers = [(b"content-type", b"application/json")]
            await send({"type": "http.response.start", "status": 200, "headers": headers})
            await send({"type": "http.response.body", "body": body})
            return
        events = self._chat_of(asked) if scope["path"].endswith("/chat/completions") else self._text
        headers = [(b"content-type", b"text/event-stream")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        for event in events:
            await send({"type": "http.response.body", "body": event, "more_body": True})
            if self._pause_s:
                await asyncio.sleep(self._pause_s)
        await send({"type": "http.response.body", "body": b""})

    def _chat_of(self, asked: bytes) -> list[bytes]:
        """The events for a prompt. The code of the passages' tags is another one in each, so that it is left out."""
        key = _CODE.sub(b"", asked)
        if key not in self._chat:
            self._chat[key] = _events("chat.completion.chunk", _said(asked))
        return self._chat[key]


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
