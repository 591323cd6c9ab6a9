"""What fits into a server's context: passages go by rank and old messages by age, never the rules or the question."""

from dataclasses import dataclass, replace

import orjson

from ingestion.corpus import Hit
from service.answer.generate import Task
from service.answer.prompts import Message, Wire, render

# Before anything is known of a server's tokenizer. English has some 4 to 5, other scripts 1 to 3.
_CHARS_A_TOKEN = 3.0
# What the last reply told weighs this much against all before.
_NEWS = 0.2
# Room for the chat template's own tokens, in all and for each message.
_TEMPLATE_TOKENS, _MESSAGE_TOKENS = 16, 6
_LEAST_ANSWER_TOKENS = 32
# Of the conversation, this much goes last: what the question leans on.
_LAST_MESSAGES = 2


@dataclass(frozen=True, slots=True)
class Packed:
    """A prompt that should fit, and the most tokens that its answer may have. `chars` are those of all that is told."""

    messages: list[Wire]
    max_tokens: int
    passages: int
    chars: int


class TokenEstimate:
    """How many tokens a server makes of a text, learned from what it counted."""

    def __init__(self) -> None:
        self._chars = _CHARS_A_TOKEN

    def of(self, chars: int, messages: int) -> int:
        """Tokens of a prompt of so many characters in so many messages."""
        return round(chars / self._chars) + _TEMPLATE_TOKENS + _MESSAGE_TOKENS * messages

    def learn(self, chars: int, counted: int) -> None:
        """The server counted so many tokens for a prompt of so many characters."""
        if counted > 0 and chars > 0:
            self._chars += _NEWS * (chars / counted - self._chars)

    def overflowed(self) -> None:
        """A prompt that should have fitted didn't."""
        self._chars *= 0.75


def pack(task: Task, estimate: TokenEstimate, context: int | None) -> Packed:
    """The prompt of a task. What may go goes in this order: old messages, passages behind the first, the last messages;
    results of tools stay. What is left is sent though it may not fit: the server knows best. `context` of None: all is.
    """
    wanted = task.sampling.max_tokens
    hits, history = list(task.evidence.hits), list(task.history)
    tools = len(orjson.dumps(task.options.tools.functions)) if task.options.tools else 0
    while True:
        messages = render(
            task.prompt, task.question, history, hits, task.marking, task.options.form, task.steps, task.first_result
        )  # fmt: skip
        chars = tools + sum(map(_chars_of, messages))
        if context is None:
            return Packed(messages, wanted, len(hits), chars)
        left = context - estimate.of(chars, len(messages))
        if left >= min(wanted, max(_LEAST_ANSWER_TOKENS, context // 4)):
            return Packed(messages, min(wanted, left), len(hits), chars)
        if not _shorten(hits, history):
            return Packed(messages, max(min(wanted, left), _LEAST_ANSWER_TOKENS), len(hits), chars)


def _chars_of(message: Wire) -> int:
    calls = message.get("tool_calls", ())
    return len(message["content"]) + sum(len(call["function"]["arguments"]) for call in calls)


def _shorten(hits: list[Hit], history: list[Message]) -> bool:
    """Take the least needed away; False when nothing may go."""
    if len(history) > _LAST_MESSAGES:
        del history[0]
    elif len(hits) > 1:
        del hits[-1]
    elif history:
        del history[0]
    else:
        return False
    return True


def shortened(task: Task, packed: Packed) -> Task | None:
    """The task with half its passages and without its conversation, after the server refused it; None if nothing may go."""
    if packed.passages <= 1 and not task.history:
        return None
    evidence = replace(task.evidence, hits=task.evidence.hits[: max(1, packed.passages // 2)])
    return replace(task, evidence=evidence, history=())
