"""Generation over OpenAI's protocol: vLLM and whatever else speaks it. The hot path uses aiohttp."""

import asyncio
import random
import time
from collections.abc import AsyncGenerator, Sequence
from typing import Any

import aiohttp

from service.answer.generate import Event, Finished, KeepAlive, Task, Text
from service.answer.generate.chunks import MOST_LINE_BYTES, ChatStream, MalformedError, message_of
from service.answer.generate.pack import Packed, TokenEstimate, pack, shortened
from service.answer.generate.replica import Replica, read_whole
from service.answer.prompts import Wire
from service.answer.request import Options
from service.errors import ContextOverflowError, GeneratorError, GeneratorInterruptedError
from service.metrics import GENERATOR_ERRORS

_BACKOFF_S = 0.2
# How often a server that works is asked whether it still serves the same.
_LOOK_S = 30.0
# Of an error its beginning tells what it is, and nobody waits long for it.
_ERROR_BYTES, _ERROR_S = 4_000, 5.0


class _Retriable(Exception):
    """This try failed; another may not. The message is a short reason."""


class _Unreachable(_Retriable):
    """Nobody is there; asking the same server again within the second is no use."""


class _Busy(_Retriable):
    """The server works, and has too much to do."""


class _ModelGone(_Retriable):
    """The server serves another model now."""


class OpenAIGenerator:
    """Streams from `/chat/completions` of one of its servers. Retries only before the first token.

    When the caller goes away, the connection is closed, so that the server stops generating. A server that failed
    several times in a row rests while there are others; with none left, the generator fails at once.
    """

    def __init__(self, name: str, replicas: Sequence[Replica]) -> None:
        """The replicas serve the same model; the first one's patience holds for all."""
        self._name = self.name = name
        self._replicas = replicas
        self._upstream = replicas[0].upstream
        self._estimate = TokenEstimate()

    @property
    def replicas(self) -> Sequence[Replica]:
        """Its servers."""
        return self._replicas

    async def generate(self, task: Task) -> AsyncGenerator[Event, None]:
        """Stream the answer; what doesn't fit into the server's context is left out."""
        while True:
            replica = self._pick()
            packed = pack(task, self._estimate, replica.known_context)
            try:
                async for event in self._attempts(replica, packed, task):
                    yield event
                return
            except ContextOverflowError:
                self._estimate.overflowed()
                smaller = shortened(task, packed)
                if smaller is None:
                    raise
                task = smaller

    async def watch(self) -> None:
        """Look at the servers for ever: at those that rest, and at those that work for what they serve now."""
        await asyncio.gather(*(self._watch(replica) for replica in self._replicas))

    async def _watch(self, replica: Replica) -> None:
        while True:
            try:
                served = await replica.ask()
            except GeneratorError:
                replica.failed("unreachable")
                await asyncio.sleep(max(replica.rest_s, 1.0))
            else:
                replica.worked()
                self.name = f"{self._name}:{self._upstream.model or next(iter(served.models), 'default')}"
                await asyncio.sleep(_LOOK_S)

    def _pick(self) -> Replica:
        """The server that failed least of late, and of those the one with the least to do.

        Raises `GeneratorError` when all rest.
        """
        well = [replica for replica in self._replicas if replica.may_be_asked]
        if not well:
            raise GeneratorError(f"No server of the generator {self._name!r} answers.")
        return min(well, key=lambda replica: (replica.failures, replica.in_flight))

    async def forward(self, path: str, body: dict[str, Any]) -> aiohttp.ClientResponse:
        """Send a request on as it is, but for the model; the caller closes the reply.

        Raises `GeneratorError` when the server can't be reached.
        """
        replica = self._pick()
        reply = await self._forwarded(replica, path, {**body, "model": await replica.model()})
        if reply.status == 404 and replica.forget():
            reply.close()
            reply = await self._forwarded(replica, path, {**body, "model": await replica.model()})
        return reply

    async def _forwarded(self, replica: Replica, path: str, body: dict[str, Any]) -> aiohttp.ClientResponse:
        try:
            return await replica.post(path, body, silence_s=self._upstream.first_token_timeout_s)
        except (aiohttp.ClientError, TimeoutError) as exc:
            replica.failed("connection")
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

    async def _attempts(self, replica: Replica, packed: Packed, task: Task) -> AsyncGenerator[Event, None]:
        deadline = time.monotonic() + self._upstream.first_token_timeout_s
        for attempt in range(self._upstream.retries + 1):
            is_last = attempt == self._upstream.retries
            try:
                with replica.at_work():
                    async for event in self._asked(replica, packed, task, deadline):
                        yield event
                return
            except _ModelGone as exc:
                GENERATOR_ERRORS.labels(str(exc)).inc()
                if task.adapter is not None or is_last or not replica.forget():
                    raise GeneratorError(f"The generator lacks the model of {self.name!r}.") from exc
            except _Retriable as exc:
                replica.failed(str(exc), is_ill=not isinstance(exc, _Busy))
                is_alone = len(self._replicas) == 1
                wait = _BACKOFF_S * 2**attempt * random.uniform(0.5, 1.5) if is_alone else 0.0
                is_useless = is_last or (is_alone and isinstance(exc, _Unreachable))
                if is_useless or time.monotonic() + wait > deadline:
                    raise GeneratorError(f"The generator failed: {exc}.") from exc
                await asyncio.sleep(wait)
                replica = self._pick()

    async def _asked(
        self, replica: Replica, packed: Packed, task: Task, deadline: float
    ) -> AsyncGenerator[Event, None]:
        try:
            model = task.adapter or await replica.model()
        except GeneratorError as exc:
            raise _Unreachable("unreachable") from exc
        self.name = f"{self._name}:{model}"
        async for event in self._stream(replica, _body(model, packed, task), deadline):
            if isinstance(event, Finished):
                self._estimate.learn(packed.messages, event.prompt_tokens)
            yield event
        replica.worked()

    async def _stream(
        self, replica: Replica, body: dict[str, Any], deadline: float
    ) -> AsyncGenerator[Event, None]:
        """One try. Raises `_Retriable` before the first token only."""
        begun = False
        try:
            request = asyncio.ensure_future(replica.post("/chat/completions", body))
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
            replica.failed(f"{reason} mid-stream")
            raise GeneratorInterruptedError(
                "The generator stopped in the middle of the answer. Please ask again."
            ) from exc

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
            if len(rest) > MOST_LINE_BYTES:
                raise MalformedError("a line without an end")
            text = state.take(lines)
            if text:
                patience = self._upstream.idle_timeout_s
                yield Text(text)
            if state.broken is not None:
                raise state.broken
            if state.is_done:
                break
        if state.finish_reason is None:
            raise aiohttp.ClientPayloadError("the stream ended without a finish reason")
        yield Finished(state.finish_reason, state.prompt_tokens, state.completion_tokens)


def _body(model: str, packed: Packed, task: Task) -> dict[str, Any]:
    return {
        "model": model,
        "messages": packed.messages,
        "temperature": task.sampling.temperature,
        "max_tokens": packed.max_tokens,
        "stream": True,
        "stream_options": {"include_usage": True},
        **_wanted(task.options),
    }


def _wanted(options: Options) -> dict[str, Any]:
    """What the caller asks for beside the recipe."""
    wanted: dict[str, Any] = {
        "stop": list(options.stop),
        "seed": options.seed,
        "top_p": options.top_p,
        "response_format": options.form,
    }
    return {name: value for name, value in wanted.items() if value not in (None, [])}


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
    if reply.status == 429:
        raise _Busy("status 429")
    if reply.status >= 500:
        raise _Retriable(f"status {reply.status}")
    GENERATOR_ERRORS.labels(f"status {reply.status}").inc()
    raise GeneratorError(f"The generator refused the request with status {reply.status}.")
