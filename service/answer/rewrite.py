"""A follow-up question made to stand alone: by the generator when there is one, else by rule."""

import asyncio
import re
from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from service.answer.prompts import Message, Wire, render_rewrite
from service.errors import GeneratorError
from service.guard.texts import MaskedText
from service.logs import get_logger

log = get_logger()

_FOLLOW_UP = re.compile(
    r"^(and|or|but|so|what about|how about|also|und|oder|aber|was ist mit|wie ist es mit|auch|y|pero|qué tal|¿y"
    r"|et|mais|qu'en est-il)\b"
    r"|\b(it|its|that|this|those|these|they|them|their|ones|there|then|he|she|his|her"
    r"|davon|dafür|damit|daran|dazu|das|dies\w*|denen|eso|esto|ellos|ella|allí|cela|ça)\b",
    re.IGNORECASE,
)
_SHORT_WORDS = 4
_MASK = re.compile(r"<[A-Z_]{3,}(?:_\d+)?>")
_WORD = re.compile(r"\w[\w'’-]*")
_LONGEST_CHARS = 400
# What is carried into the next question is carried on from there, through a conversation of any length.
_MOST_CARRIED_CHARS = 8_000
_REWRITE_TOKENS = 80


@runtime_checkable
class Completer(Protocol):
    """A generator that can be asked for a few words at once."""

    async def complete(self, messages: Sequence[Wire], *, max_tokens: int) -> str:
        """The whole reply. Raises `GeneratorError`."""
        ...


def is_follow_up(question: str) -> bool:
    """Whether a question leans on what was said before: it is short, or has a word that points back."""
    return len(question.split()) <= _SHORT_WORDS or bool(_FOLLOW_UP.search(question))


def has_masks(text: str) -> bool:
    """Whether something personal was taken out of a text."""
    return bool(_MASK.search(text))


def without_masks(text: str) -> str:
    """Masks of personal data are no words to look for."""
    return " ".join(_MASK.sub(" ", text).split()) or text


def standalone(question: str, earlier: Sequence[str]) -> str:
    """`question`, with what it leans on in front: the question before it, which may lean on its own.

    `earlier` are the user's questions so far, the oldest first.
    """
    question = without_masks(question)
    if not earlier or not is_follow_up(question):
        return question
    before = standalone(earlier[-1], earlier[:-1])
    said = {word.casefold() for word in _WORD.findall(question)}
    carried = before if len(before) <= _LONGEST_CHARS else _entities(before)
    return question if {w.casefold() for w in _WORD.findall(carried)} <= said else f"{carried} {question}"


def _entities(text: str) -> str:
    """What a long question is about: its names, numbers and longest words, in their order."""
    words = _WORD.findall(text)
    names = {w for i, w in enumerate(words) if i and (w[0].isupper() or w[0].isdigit())}
    longest = set(sorted(set(words), key=len, reverse=True)[:12])
    kept = names | longest
    said = " ".join(word for word in dict.fromkeys(words) if word in kept)
    return said if len(said) <= _MOST_CARRIED_CHARS else said[:_MOST_CARRIED_CHARS].rpartition(" ")[0]


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
