"""Generation over OpenAI's protocol: vLLM and whatever else speaks it. The hot path uses aiohttp."""

import asyncio
import random
import re
import time
from collections.abc import AsyncGenerator, Sequence
from dataclasses import asdict
from typing import Any

import aiohttp

from service.answer.generate import Event, Finished, KeepAlive, StartOver, Task, Text
from service.answer.generate.chunks import ChatStream, MalformedError, message_of
from service.answer.generate.cleaning import Cleaner
from service.answer.generate.lines import Lines
from service.answer.generate.pack import Packed, TokenEstimate, pack, shortened
from service.answer.generate.replica import Replica, read_whole
from service.answer.prompts import Wire
from service.answer.request import Options
from service.answer.tools import Calls
from service.errors import ContextOverflowError, GeneratorError, GeneratorInterruptedError
from service.logs import get_logger
from service.metrics import GENERATOR_ERRORS

log = get_logger()
_BACKOFF_S = 0.2
# How often a server that works is asked whether it still serves the same.
_LOOK_S = 30.0
# What a request can do without, the likeliest to be refused first.
_OPTIONAL = ("stream_options", "parallel_tool_calls", "temperature", "max_tokens")
# A prompt that is too long, in the words of vLLM, OpenAI, TGI, llama.cpp, Mistral, Ollama, SGLang and TensorRT-LLM.
_OVERFLOW = re.compile(
    r"context[ _](?:length|size|window)|maximum context|max_model_len|maximum input|too long|exceeds? (?:the )?(?:max\w*|limit)"
    r"|too large for model|`inputs` tokens \+|prompt is too|longer than the maximum"
)
# Of an error its beginning tells what it is, and nobody waits long for it.
_ERROR_BYTES, _ERROR_S = 4_000, 5.0


class _Retriable(Exception):
    """This try failed; another may not. The message is a short reason."""


class _Unreachable(_Retriable):
    """Nobody is there; asking the same server again within the second is no use."""


class _Busy(_Retriable):
    """The server works, and has too much to do."""


class _FieldRefusedError(Exception):
    """The server doesn't take a field; `name` is left out from now on, or sent as `other`."""

    def __init__(self, name: str, other: str | None) -> None:
        super().__init__(f"{name} refused")
        self.name, self.other = name, other


class _ModelGone(_Retriable):
    """The server serves another model now."""


class OpenAIGenerator:
    """Streams from `/chat/completions` of one of its servers. Retries only before the first token.

    When the caller goes away, the connection is closed, so that the server stops generating. A server that failed
    several times in a row rests while there are others; with none left, the generator fails at once.
    """

    quotes = False

    def __init__(self, name: str, replicas: Sequence[Replica]) -> None:
        """The replicas serve the same model; the first one's patience holds for all."""
        self._name = self.name = name
        self._replicas = replicas
        self._upstream = replicas[0].upstream
        self._estimate = TokenEstimate()
        # Whether the server's template opens the model's thoughts, so that answers begin within them.
        self._thinks_unasked = False

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
        known = None
        while True:
            try:
                served = await replica.ask()
            except GeneratorError:
                replica.failed("unreachable")
                await asyncio.sleep(max(replica.rest_s, 1.0))
            else:
                replica.worked()
                if served != known:
                    log.info(
                        "generator_serves", generator=self._name, server=replica.number, **asdict(served)
                    )
                known = served
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
        attempt = 0
        while True:
            try:
                with replica.at_work():
                    async for event in self._asked(replica, packed, task, deadline):
                        yield event
                return
            except _FieldRefusedError as exc:
                # Each is learned once, so this ends; the server is well, and the next try is no repetition.
                GENERATOR_ERRORS.labels(str(exc)).inc()
                replica.refused[exc.name] = exc.other
            except _Retriable as exc:
                await self._failed(exc, replica, task, attempt, deadline)
                replica = self._pick()
                attempt += 1

    async def _failed(
        self, exc: _Retriable, replica: Replica, task: Task, attempt: int, deadline: float
    ) -> None:
        """Wait until another try makes sense. Raises `GeneratorError` when none does."""
        is_last, is_alone = attempt == self._upstream.retries, len(self._replicas) == 1
        if isinstance(exc, _ModelGone):
            GENERATOR_ERRORS.labels(str(exc)).inc()
            if task.adapter is not None or is_last or not replica.forget():
                raise GeneratorError(f"The generator lacks the model of {self.name!r}.") from exc
            return
        replica.failed(str(exc), is_ill=not isinstance(exc, _Busy))
        wait = _BACKOFF_S * 2**attempt * random.uniform(0.5, 1.5) if is_alone else 0.0
        is_useless = is_last or (is_alone and isinstance(exc, _Unreachable))
        if is_useless or time.monotonic() + wait > deadline:
            raise GeneratorError(f"The generator failed: {exc}.") from exc
        await asyncio.sleep(wait)

    async def _asked(
        self, replica: Replica, packed: Packed, task: Task, deadline: float
    ) -> AsyncGenerator[Event, None]:
        try:
            model = task.adapter or await replica.model()
        except GeneratorError as exc:
            raise _Unreachable("unreachable") from exc
        if task.adapter is None:  # the record has an answer's adapter by itself
            self.name = f"{self._name}:{model}"
        cleaner = Cleaner(task.marking.nonce, may_think=self._thinks_unasked)
        has_said = False
        async for event in self._stream(replica, _body(model, packed, task, replica), deadline, cleaner):
            if isinstance(event, Finished):
                self._estimate.learn(packed.chars, event.prompt_tokens)
                if not has_said:
                    raise GeneratorError(f"The generator {self.name!r} wrote no answer.")
            has_said = has_said or isinstance(event, Text | Calls)
            yield event
        replica.worked()

    async def _stream(
        self, replica: Replica, body: dict[str, Any], deadline: float, cleaner: Cleaner
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
                async for event in self._events(reply, deadline, cleaner, may_call="tools" in body):
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

    async def _events(
        self, reply: aiohttp.ClientResponse, deadline: float, cleaner: Cleaner, *, may_call: bool
    ) -> AsyncGenerator[Event, None]:
        """Events of a server-sent stream; what arrives together is handed on together, and calls of tools at the end.

        While nothing is said for the client, because the model thinks or the server is slow, there are signs of life.
        """
        state = ChatStream()
        stream = Lines(reply, deadline - time.monotonic(), self._upstream)
        signed = time.monotonic()
        while not (state.is_done or cleaner.has_ended or stream.is_over):
            text = cleaner.feed(state.take(await stream.next()))
            if cleaner.is_void:
                cleaner.is_void, self._thinks_unasked = False, True
                yield StartOver()
            if text:
                yield Text(text)
                signed = time.monotonic()
            elif time.monotonic() - signed >= self._upstream.keep_alive_s:
                yield KeepAlive()
                signed = time.monotonic()
            if state.broken is not None:
                raise state.broken
        if state.finish_reason is None and not cleaner.has_ended:
            raise aiohttp.ClientPayloadError("the stream ended without a finish reason")
        text = cleaner.feed(state.end()) + cleaner.close()
        if text:
            yield Text(text)
        calls = state.parts.calls if may_call else ()
        if calls:
            yield Calls(calls)
        yield Finished(state.finish_reason or "stop", state.prompt_tokens, state.completion_tokens)


def _body(model: str, packed: Packed, task: Task, replica: Replica) -> dict[str, Any]:
    body = {
        "model": model,
        "messages": packed.messages,
        "temperature": task.sampling.temperature,
        "max_tokens": packed.max_tokens,
        "stream": True,
        "stream_options": {"include_usage": True},
        **_wanted(task.options),
    }
    for name, other in replica.refused.items():
        value = body.pop(name, None)
        if other is not None:
            body[other] = value
    return body


def _wanted(options: Options) -> dict[str, Any]:
    """What the caller asks for beside the recipe."""
    wanted: dict[str, Any] = {
        "stop": list(options.stop),
        "seed": options.seed,
        "top_p": options.top_p,
        "response_format": options.form,
        **(options.tools.wire if options.tools else {}),
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
    if reply.status in (400, 413, 422, 500) and _OVERFLOW.search(detail):
        raise ContextOverflowError(
            "The question and the conversation are longer than the generator's context. "
            "Shorten the question or start a new conversation.",
            param="messages",
        )
    refused = next((name for name in _OPTIONAL if re.search(rf"[\"'`]{name}[\"'`]", detail)), None)
    if reply.status in (400, 422) and refused is not None:
        takes_new = refused == "max_tokens" and "max_completion_tokens" in detail
        raise _FieldRefusedError(refused, "max_completion_tokens" if takes_new else None)
    if reply.status == 404:
        raise _ModelGone("model not found")
    if reply.status == 429:
        raise _Busy("status 429")
    if reply.status >= 500:
        raise _Retriable(f"status {reply.status}")
    GENERATOR_ERRORS.labels(f"status {reply.status}").inc()
    raise GeneratorError(f"The generator refused the request with status {reply.status}.")
