"""Generation over OpenAI's protocol: vLLM and whatever else speaks it. The hot path uses aiohttp."""

import asyncio
import random
import time
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from typing import Any

import aiohttp
import orjson

from ingestion.corpus import Hit
from service.answer.generate import Event, Finished, KeepAlive, Task, Text
from service.answer.generate.chunks import (
    MOST_LINE_BYTES,
    ChatStream,
    MalformedError,
    message_of,
    models_of,
)
from service.answer.prompts import Message, Wire, render
from service.errors import ContextOverflowError, GeneratorError, GeneratorInterruptedError
from service.metrics import GENERATOR_ERRORS

_BACKOFF_S = 0.2
_MOST_REPLY_BYTES = 8_000_000
# Of an error its beginning tells what it is, and nobody waits long for it.
_ERROR_BYTES, _ERROR_S = 4_000, 5.0


@dataclass(frozen=True, slots=True)
class Upstream:
    """Where the server is and how patient we are with it. `model` of None: the first it lists."""

    base_url: str
    model: str | None = None
    api_key: str | None = None
    connect_timeout_s: float = 2.0
    first_token_timeout_s: float = 30.0
    idle_timeout_s: float = 20.0
    keep_alive_s: float = 10.0
    retries: int = 2


class _Retriable(Exception):
    """This try failed; another may not. The message is a short reason."""


class _ModelGone(_Retriable):
    """The server serves another model now."""


class OpenAIGenerator:
    """Streams from `/chat/completions`. Retries only before the first token.

    When the caller goes away, the connection is closed, so that the server stops generating. The model is asked for
    once, and again when the server says that it isn't there: servers restart with other models.
    """

    def __init__(self, session: aiohttp.ClientSession, upstream: Upstream) -> None:
        self._session = session
        self._upstream = upstream
        self._model = upstream.model
        self.name = f"openai:{upstream.model or 'default'}"

    async def generate(self, task: Task) -> AsyncGenerator[Event, None]:
        """Stream the answer; passages that don't fit the server's context are left out."""
        hits: Sequence[Hit] = task.evidence.hits
        history = task.history
        while True:
            try:
                async for event in self._attempts(
                    self._body(task, hits, history), is_adapted=task.adapter is not None
                ):
                    yield event
                return
            except ContextOverflowError:
                if len(hits) <= 1 and not history:
                    raise
                hits, history = hits[: max(1, len(hits) // 2)], ()

    async def models(self) -> list[str]:
        """The models that the server lists. Raises `GeneratorError` when it can't be asked."""
        timeout = aiohttp.ClientTimeout(total=self._upstream.connect_timeout_s)
        try:
            async with self._session.get(
                f"{self._upstream.base_url}/models", headers=self.headers(), timeout=timeout
            ) as reply:
                if reply.status != 200:
                    raise GeneratorError(f"The generator answered {reply.status} to /models.")
                return models_of(await read_whole(reply))
        except (aiohttp.ClientError, TimeoutError, MalformedError) as exc:
            raise GeneratorError("The generator can't be reached.") from exc

    async def model(self) -> str:
        """The model to ask for."""
        if self._model is None:
            listed = await self.models()
            if not listed:
                raise GeneratorError("The generator lists no model.")
            self._model = listed[0]
            self.name = f"openai:{self._model}"
        return self._model

    def headers(self) -> dict[str, str]:
        """Headers of every request to the server."""
        headers = {"content-type": "application/json"}
        if self._upstream.api_key:
            headers["authorization"] = f"Bearer {self._upstream.api_key}"
        return headers

    def _forget_model(self) -> bool:
        """Whether the server may be asked again which model it serves: not where the settings name one."""
        if self._upstream.model is not None:
            return False
        self._model = None
        return True

    async def forward(self, path: str, body: dict[str, Any]) -> aiohttp.ClientResponse:
        """Send a request on as it is, but for the model; the caller closes the reply.

        Raises `GeneratorError` when the server can't be reached.
        """
        known = self._model
        reply = await self._forwarded(path, {**body, "model": known or await self.model()})
        if reply.status == 404 and known is not None and self._forget_model():
            reply.close()
            reply = await self._forwarded(path, {**body, "model": await self.model()})
        return reply

    async def _forwarded(self, path: str, body: dict[str, Any]) -> aiohttp.ClientResponse:
        timeout = aiohttp.ClientTimeout(
            sock_connect=self._upstream.connect_timeout_s,
            sock_read=self._upstream.first_token_timeout_s,
        )
        try:
            return await self._session.post(
                f"{self._upstream.base_url}{path}",
                data=orjson.dumps(body),
                headers=self.headers(),
                timeout=timeout,
            )
        except (aiohttp.ClientError, TimeoutError) as exc:
            GENERATOR_ERRORS.labels("connection").inc()
            raise GeneratorError("The generator can't be reached or is too slow.") from exc

    async def complete(self, messages: Sequence[Wire], *, max_tokens: int) -> str:
        """A short reply at once, for work beside the answer. Raises `GeneratorError`."""
        body = {"messages": list(messages), "max_tokens": max_tokens, "temperature": 0.0}
        reply = await self.forward("/chat/completions", body)
        try:
            if reply.status != 200:
                raise GeneratorError(f"The generator answered {reply.status}.")
            return message_of(await read_whole(reply))
        except (aiohttp.ClientError, TimeoutError, MalformedError) as exc:
            raise GeneratorError("The generator's reply can't be read.") from exc
        finally:
            reply.close()

    def _body(self, task: Task, hits: Sequence[Hit], history: Sequence[Message]) -> dict[str, Any]:
        return {
            "model": task.adapter or self._model,
            "messages": render(task.prompt, task.question, history, hits, task.marking),
            "temperature": task.sampling.temperature,
            "max_tokens": task.sampling.max_tokens,
            "stream": True,
            "stream_options": {"include_usage": True},
        }

    async def _attempts(self, body: dict[str, Any], *, is_adapted: bool) -> AsyncGenerator[Event, None]:
        deadline = time.monotonic() + self._upstream.first_token_timeout_s
        for attempt in range(self._upstream.retries + 1):
            try:
                if not is_adapted:
                    body["model"] = await self.model()
                async for event in self._stream(body, deadline):
                    yield event
                return
            except _ModelGone as exc:
                GENERATOR_ERRORS.labels(str(exc)).inc()
                if is_adapted or attempt == self._upstream.retries or not self._forget_model():
                    raise GeneratorError(f"The generator has no model {body['model']!r}.") from exc
            except _Retriable as exc:
                GENERATOR_ERRORS.labels(str(exc)).inc()
                wait = _BACKOFF_S * 2**attempt * random.uniform(0.5, 1.5)
                is_last = attempt == self._upstream.retries
                if is_last or time.monotonic() + wait > deadline:
                    raise GeneratorError(f"The generator failed: {exc}.") from exc
                await asyncio.sleep(wait)

    async def _stream(self, body: dict[str, Any], deadline: float) -> AsyncGenerator[Event, None]:
        """One try. Raises `_Retriable` before the first token only."""
        begun = False
        try:
            request = asyncio.ensure_future(self._post(body))
            try:
                while not await _settled(request, self._upstream.keep_alive_s, deadline):
                    yield KeepAlive()
                reply = request.result()
            except BaseException:
                request.cancel()
                raise
            async with reply:
                await _check(reply)
                async for event in self._events(reply, deadline):
                    begun = begun or isinstance(event, Text)
                    yield event
        except (aiohttp.ClientError, TimeoutError, ValueError) as exc:
            reason = _reason_of(exc)
            if not begun:
                raise _Retriable(reason) from exc
            GENERATOR_ERRORS.labels(f"{reason} mid-stream").inc()
            raise GeneratorInterruptedError(
                "The generator stopped in the middle of the answer. Please ask again."
            ) from exc

    async def _post(self, body: dict[str, Any]) -> aiohttp.ClientResponse:
        return await self._session.post(
            f"{self._upstream.base_url}/chat/completions",
            data=orjson.dumps(body),
            headers=self.headers(),
            timeout=aiohttp.ClientTimeout(sock_connect=self._upstream.connect_timeout_s),
        )

    async def _events(self, reply: aiohttp.ClientResponse, deadline: float) -> AsyncGenerator[Event, None]:
        """Events of a server-sent stream; what arrives together is handed on together."""
        rest = b""
        state = ChatStream()
        patience = deadline - time.monotonic()
        while True:
            data = await _read(reply, min(self._upstream.keep_alive_s, patience))
            if data is None:
                patience -= self._upstream.keep_alive_s
                if patience <= 0:
                    raise TimeoutError
                yield KeepAlive()
                continue
            if not data:
                break
            *lines, rest = (rest + data).split(b"\n")
            text = state.take(lines)
            if text:
                patience = self._upstream.idle_timeout_s
                yield Text(text)
            if state.broken is not None:
                raise state.broken
            if state.is_done:
                break
            if len(rest) > MOST_LINE_BYTES:
                raise MalformedError("a line without an end")
        if half := state.end():
            yield Text(half)
        yield _finished(state)


def _finished(state: ChatStream) -> Finished:
    if state.finish_reason is None:
        raise aiohttp.ClientPayloadError("the stream ended without a finish reason")
    return Finished(state.finish_reason, state.prompt_tokens, state.completion_tokens)


async def check_status(reply: aiohttp.ClientResponse) -> None:
    """Raises `GeneratorError` or `ContextOverflowError` for another status than 200, never in the server's own words."""
    try:
        await _check(reply)
    except (_Retriable, aiohttp.ClientError, TimeoutError) as exc:
        GENERATOR_ERRORS.labels(f"status {reply.status}").inc()
        raise GeneratorError(f"The generator failed with status {reply.status}. Try again.") from exc


async def _settled(task: asyncio.Future[Any], keep_alive_s: float, deadline: float) -> bool:
    """Wait for a task: True when it is done, False after a silence. Raises `TimeoutError`."""
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError
    done, _ = await asyncio.wait({task}, timeout=min(keep_alive_s, left))
    return bool(done)


async def _read(reply: aiohttp.ClientResponse, timeout_s: float) -> bytes | None:
    """Bytes that have arrived, empty at the end, None after a silence of `timeout_s`."""
    try:
        async with asyncio.timeout(timeout_s):
            return await reply.content.readany()
    except TimeoutError:
        return None


async def read_whole(reply: aiohttp.ClientResponse, most_bytes: int = _MOST_REPLY_BYTES) -> bytes:
    """A whole reply. Raises `MalformedError` for one that is too large, and what `aiohttp` does."""
    data = bytearray()
    async for piece in reply.content.iter_any():
        data += piece
        if len(data) > most_bytes:
            raise MalformedError("a reply without an end")
    return bytes(data)


def _reason_of(exc: Exception) -> str:
    """Why a stream broke, for the metric."""
    if isinstance(exc, TimeoutError):
        return "timeout"
    return "malformed" if isinstance(exc, ValueError) else "connection"


async def _check(reply: aiohttp.ClientResponse) -> None:
    """Translate a status other than 200."""
    if reply.status == 200:
        return
    async with asyncio.timeout(_ERROR_S):
        detail = (await reply.content.read(_ERROR_BYTES)).decode("utf-8", "replace").lower()
    if reply.status in (400, 413) and (
        "context length" in detail
        or "too long" in detail
        or "maximum input" in detail
        or "max_model_len" in detail
    ):
        raise ContextOverflowError(
            "The question and the conversation are longer than the generator's context. "
            "Shorten the question or start a new conversation.",
            param="messages",
        )
    if reply.status == 404:
        raise _ModelGone("model not found")
    if reply.status == 429 or reply.status >= 500:
        raise _Retriable(f"status {reply.status}")
    GENERATOR_ERRORS.labels(f"status {reply.status}").inc()
    raise GeneratorError(f"The generator refused the request with status {reply.status}.")
