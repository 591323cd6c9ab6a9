"""A follow-up made whole by the generator, where there is one."""

import asyncio
import re
from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from service.answer.prompts import Message, Wire, render_rewrite
from service.answer.rewrite.masks import without_masks
from service.errors import GeneratorError
from service.guard.texts import MaskedText
from service.logs import get_logger

log = get_logger()

_WORD = re.compile(r"\w[\w'’-]*")
_LONGEST_CHARS = 400
_REWRITE_TOKENS = 80


@runtime_checkable
class Completer(Protocol):
    """A generator that can be asked for a few words at once."""

    async def complete(self, messages: Sequence[Wire], *, max_tokens: int) -> str:
        """The whole reply. Raises `GeneratorError`."""
        ...


async def by_generator(
    question: MaskedText, history: Sequence[Message], completer: Completer, *, deadline_s: float
) -> str | None:
    """The standalone question as a generator writes it; None when it is late, fails or wanders off.

    `question` and `history` are masked: personal data doesn't reach a generator for this either.
    """
    try:
        async with asyncio.timeout(deadline_s):
            reply = await completer.complete(render_rewrite(question, history), max_tokens=_REWRITE_TOKENS)
    except (GeneratorError, TimeoutError) as exc:
        log.warning("rewrite_failed", error=type(exc).__name__)
        return None
    lines = reply.strip().splitlines()
    written = without_masks(lines[0].strip().strip('"')) if lines else ""
    spoken = (*(message.content for message in history), question)
    said = {word.casefold() for text in spoken for word in _WORD.findall(text)}
    words = [w.casefold() for w in _WORD.findall(written)]
    # What shares hardly a word with the conversation is not its continuation.
    is_near = words and sum(word in said for word in words) >= len(words) / 2
    return written if is_near and len(written) <= _LONGEST_CHARS else None
