"""Generation by any chat model of LangChain."""

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from importlib import import_module
from typing import Any

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import BaseMessageChunk

from service.answer.generate import Event, Finished, KeepAlive, StartOver, Task, Text
from service.answer.generate.chunks import clean
from service.answer.generate.cleaning import Cleaner
from service.answer.generate.pack import TokenEstimate, pack
from service.errors import GeneratorError, GeneratorInterruptedError
from service.logs import get_logger
from service.metrics import GENERATOR_ERRORS
from service.scope.generators import Timeouts

log = get_logger()


def load_chat_model(path: str, options: dict[str, Any]) -> BaseChatModel:
    """The model of a dotted path. Raises `ValueError` that says what is missing."""
    module, _, name = path.rpartition(".")
    try:
        kind = getattr(import_module(module), name)
    except (ImportError, AttributeError) as exc:
        raise ValueError(f"there is no class {path!r}: install its package or mend the name ({exc})") from exc
    if not isinstance(kind, type) or not issubclass(kind, BaseChatModel):
        raise ValueError(f"{path!r} is no chat model of LangChain")
    try:
        return kind(**options)
    except Exception as exc:
        # Whatever a package raises for wrong options; its words may hold the key.
        raise ValueError(
            f"{path!r} takes other options than {sorted(options)}: {type(exc).__name__}"
        ) from exc


class LangChainGenerator:
    """Streams from a chat model. It is asked once: its own retries are among its options."""

    quotes = False

    def __init__(
        self,
        name: str,
        model: BaseChatModel,
        timeouts: Timeouts,
        *,
        keep_alive_s: float,
        context: int | None = None,
    ) -> None:
        self.name = name
        self._model = model
        self._timeouts = timeouts
        self._keep_alive_s = keep_alive_s
        self._context = context
        self._estimate = TokenEstimate()

    async def generate(self, task: Task) -> AsyncGenerator[Event, None]:
        """Stream the answer."""
        packed = pack(task, self._estimate, self._context)
        pairs = [(message["role"], message["content"]) for message in packed.messages]
        asked: dict[str, Any] = {"max_tokens": packed.max_tokens, "temperature": task.sampling.temperature}
        if task.options.stop:
            asked["stop"] = list(task.options.stop)
        cleaner = Cleaner(task.marking.nonce)
        begun, used, reason = False, (0, 0), "stop"
        try:
            async with aclosing(self._chunks(self._model.astream(pairs, **asked))) as chunks:
                async for chunk in chunks:
                    if isinstance(chunk, KeepAlive):
                        yield chunk
                        continue
                    text = cleaner.feed(clean(_text_of(chunk)))
                    used, reason = _used(chunk, used), _reason(chunk, reason)
                    if cleaner.is_void:
                        cleaner.is_void = False
                        yield StartOver()
                    if text:
                        begun = True
                        yield Text(text)
        except GeneratorError:
            raise
        except Exception as exc:
            # Every vendor's package has errors of its own.
            raise self._failed(exc, begun=begun) from exc
        text = cleaner.close()
        if text:
            yield Text(text)
        elif not begun:
            raise GeneratorError(f"The generator {self.name!r} wrote no answer.")
        self._estimate.learn(packed.chars, used[0])
        yield Finished(reason, *used)

    def _failed(self, exc: Exception, *, begun: bool) -> GeneratorError:
        GENERATOR_ERRORS.labels("timeout" if isinstance(exc, TimeoutError) else "langchain").inc()
        log.warning("chat_model_failed", generator=self.name, error=type(exc).__name__)
        if begun:
            return GeneratorInterruptedError(
                "The generator stopped in the middle of the answer. Please ask again."
            )
        return GeneratorError(f"The generator {self.name!r} failed.")

    async def _chunks(
        self, stream: AsyncIterator[BaseMessageChunk]
    ) -> AsyncGenerator[BaseMessageChunk | KeepAlive, None]:
        """Chunks as they come, with signs of life in between. Raises `TimeoutError`."""
        patience, pending = self._timeouts.first_token_s, asyncio.ensure_future(_next(stream))
        try:
            while True:
                deadline = time.monotonic() + patience
                while not pending.done():
                    left = deadline - time.monotonic()
                    if left <= 0:
                        raise TimeoutError
                    await asyncio.wait({pending}, timeout=min(self._keep_alive_s, left))
                    if not pending.done() and left > self._keep_alive_s:
                        yield KeepAlive()
                chunk = pending.result()
                if chunk is None:
                    return
                yield chunk
                patience, pending = self._timeouts.idle_s, asyncio.ensure_future(_next(stream))
        finally:
            # The vendor hears that nobody listens any more.
            pending.cancel()
            await asyncio.gather(pending, return_exceptions=True)
            if isinstance(stream, AsyncGenerator):
                await stream.aclose()


async def _next(stream: AsyncIterator[BaseMessageChunk]) -> BaseMessageChunk | None:
    return await anext(stream, None)


def _text_of(chunk: BaseMessageChunk) -> str:
    """The text of a chunk: a string, or the blocks that are text."""
    if isinstance(chunk.content, str):
        return chunk.content
    blocks = [block if isinstance(block, str) else block.get("text", "") for block in chunk.content]
    return "".join(block for block in blocks if isinstance(block, str))


def _used(chunk: BaseMessageChunk, before: tuple[int, int]) -> tuple[int, int]:
    """Tokens of prompt and answer; vendors tell them in the last chunk, or in parts."""
    told = getattr(chunk, "usage_metadata", None)
    if not told:
        return before
    return before[0] + told.get("input_tokens", 0), before[1] + told.get("output_tokens", 0)


def _reason(chunk: BaseMessageChunk, before: str) -> str:
    """Why the answer ended, in OpenAI's words."""
    told = chunk.response_metadata
    reason = told.get("finish_reason") or told.get("stop_reason")
    if not isinstance(reason, str):
        return before
    return "length" if reason.lower() in ("length", "max_tokens") else "stop"
