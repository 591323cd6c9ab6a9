"""Guards for what is forwarded to the generator without passages: prompts and texts of completions, streamed or not.

Without passages there is nothing to ground an answer on, so only what holds for any text is guarded.
"""

import asyncio
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from typing import Any

import orjson
from pydantic import BaseModel, ConfigDict, ValidationError

from service.answer.generate.chunks import Choice, Completion, MalformedError, clean, completion_of
from service.errors import BusyError, GeneratorError, InvalidRequestError
from service.guard.build import AssistantGuards
from service.guard.chain import apply_all, apply_to_json
from service.guard.input import SUSPECTED
from service.guard.stream.words import StreamGuard
from service.guard.texts import RawText

# Longer texts than this are screened in a thread: the loop must not wait for them.
INLINE_CHARS = 4_000
# What a text costs whatever its length, in characters: 38 µs beside .4 µs a character.
_TEXT_CHARS = 100
_MOST_LINE_BYTES = 1_000_000
_UNREADABLE = "The generator's reply can't be read. Try again."


async def guard_prompt(body: dict[str, Any], guards: AssistantGuards) -> dict[str, Any]:
    """The body with its prompts as they may be sent on. Raises `InvalidRequestError` for one that is refused."""
    checked = dict(body)
    for key in ("prompt", "suffix"):
        if body.get(key) is not None:
            checked[key] = await _guarded_field(key, body[key], guards)
    return checked


async def _guarded_field(key: str, value: object, guards: AssistantGuards) -> object:
    texts = list(_strings(value))
    if sum(len(text) + _TEXT_CHARS for text in texts) > INLINE_CHARS:
        masked = await asyncio.to_thread(_screened, key, value, texts, guards)
    else:
        masked = _screened(key, value, texts, guards)
    if guards.input is not None:
        judged = await guards.input.judge(texts)
        if judged.disposition == "block":
            raise _refused(next(v.guard for v in judged.verdicts if v.verdict == "block"), key)
        if judged.disposition == "degrade" and not any(v.rule == SUSPECTED for v in judged.verdicts):
            # Nothing but the generator could answer here. Neither documents nor rules stand beside a prompt that is forwarded,
            # so that one that is only suspected may pass.
            raise BusyError("The guards are busy and this text may not pass without them. Try again.")
    return masked


def _screened(key: str, value: object, texts: Sequence[str], guards: AssistantGuards) -> object:
    """The value with its texts masked. Pure CPU work."""
    results = [guards.input.screen(RawText(text)) for text in texts] if guards.input is not None else []
    for screened in results:
        if screened.is_blocked:
            raise _refused(next(v.guard for v in screened.verdicts if v.verdict == "block"), key)
    return apply_to_json(guards.input_redactors(), value, "input")[0]


def _refused(guard: str, param: str) -> InvalidRequestError:
    return InvalidRequestError(
        f"The guard {guard!r} refuses this text. Rephrase it without instructions to the model.", param=param
    )


def guard_reply(
    reply: dict[str, Any] | bytes, guards: AssistantGuards, named: Sequence[str] = ()
) -> dict[str, Any]:
    """The known fields of a whole reply, with texts as they may leave; hosts that `named` texts hold may be linked.

    Log probabilities repeat the text token by token, so that they leave only where no guard finds anything in them.
    Raises `GeneratorError` for a reply of another form.
    """
    read = _read(orjson.dumps(reply) if isinstance(reply, dict) else reply)
    choices = []
    for choice in read.choices:
        text, verdicts = apply_all(guards.masks(named), clean(choice.text), "output")
        logprobs = choice.logprobs if isinstance(choice.logprobs, Logprobs) and not verdicts else None
        said = logprobs.said() if logprobs else ""
        is_clean = not apply_all(guards.masks(named), said, "output")[1]
        told = logprobs.model_dump() if logprobs and is_clean else None
        choices.append(
            {"index": choice.index, "text": text, "finish_reason": choice.finish_reason, "logprobs": told}
        )
    return {"choices": choices, **_usage_of(read)}


async def guard_stream(
    chunks: AsyncIterator[bytes],
    guards: AssistantGuards,
    *,
    named: Sequence[str] = (),
    head: dict[str, Any] | None = None,
    request_id: str = "",
) -> AsyncIterator[bytes]:
    """Server-sent events, each with `head`, with the text of each choice guarded; what is held back comes before the end.

    What arrives together leaves together, as one event where it is one choice's: the more there is to do, the less each
    word costs. A generator that breaks off or sends another form is an error in the stream, then `[DONE]`.
    """
    stream = _GuardedStream(guards, named, head or {})
    held = b""
    error = b""
    try:
        async for chunk in chunks:
            *lines, held = (held + chunk).split(b"\n")
            if len(held) > _MOST_LINE_BYTES:
                raise GeneratorError(_UNREADABLE)
            for ready in stream.take(lines):
                yield ready
            if stream.is_done:
                break
        for ready in stream.take([held]):
            yield ready
    except GeneratorError as exc:
        error = _sse(exc.body(request_id))
    yield stream.rest() + error + b"data: [DONE]\n\n"


class Logprobs(BaseModel):
    """Log probabilities of a reply, token by token."""

    model_config = ConfigDict(strict=True)
    tokens: list[str] = []
    token_logprobs: list[float | None] = []
    top_logprobs: list[dict[str, float] | None] | None = None
    text_offset: list[int] = []

    def said(self) -> str:
        """Everything that its tokens spell, the alternatives too."""
        others = [token for one in self.top_logprobs or [] for token in one or {}]
        return "".join(self.tokens) + "\n" + "".join(others)


class _GuardedStream:
    """One reply: a guard for each of its choices."""

    def __init__(self, guards: AssistantGuards, named: Sequence[str], head: dict[str, Any]) -> None:
        self._guards = guards
        self._named = named
        self._head = head
        self._streams: dict[int, StreamGuard] = {}
        self.is_done = False

    def take(self, lines: Iterable[bytes]) -> Iterator[bytes]:
        """The events of some lines as they may leave. Raises `GeneratorError` for a malformed one, behind the others."""
        waiting: Completion | None = None
        ready: list[bytes] = []
        try:
            for line in lines:
                event = self._event(line)
                if event is None:
                    continue
                if waiting is not None and not _joined(waiting, event):
                    ready.append(self._guarded(waiting))
                waiting = event
        except GeneratorError:
            yield from self._all(ready, waiting)
            raise
        yield from self._all(ready, waiting)

    def _all(self, ready: list[bytes], waiting: Completion | None) -> Iterator[bytes]:
        events = b"".join(ready) + (self._guarded(waiting) if waiting is not None else b"")
        if events:
            yield events

    def _event(self, line: bytes) -> Completion | None:
        payload = line.removeprefix(b"data:").strip()
        if self.is_done or not line.startswith(b"data:") or not payload:
            return None
        if payload == b"[DONE]":
            self.is_done = True
            return None
        return _read(payload)

    def _guarded(self, event: Completion) -> bytes:
        choices = [self._choice(choice) for choice in event.choices]
        return _sse({**self._head, "choices": choices, **_usage_of(event)})

    def _choice(self, choice: Choice) -> dict[str, Any]:
        guard = self._streams.get(choice.index)
        if guard is None:
            guard = self._streams[choice.index] = StreamGuard(self._guards.masks(self._named))
        text = guard.feed(clean(choice.text))
        if choice.finish_reason:
            text += guard.close()
        return {"index": choice.index, "text": text, "finish_reason": choice.finish_reason, "logprobs": None}

    def rest(self) -> bytes:
        """What was held back."""
        left = [
            {"index": number, "text": text, "finish_reason": None, "logprobs": None}
            for number, guard in self._streams.items()
            if (text := guard.close())
        ]
        return _sse({**self._head, "choices": left}) if left else b""


def _joined(earlier: Completion, later: Completion) -> bool:
    """Whether two events say no more than one of them with both texts; if so, the later one has them now."""
    if earlier.usage and not later.usage:
        return False
    if len(earlier.choices) != 1 or len(later.choices) != 1:
        return False
    one, other = earlier.choices[0], later.choices[0]
    if one.finish_reason or one.index != other.index:
        return False
    other.text = one.text + other.text
    return True


def _read(data: bytes) -> Completion:
    try:
        reply = completion_of(data)
        for choice in reply.choices:
            if choice.logprobs is not None:
                choice.logprobs = Logprobs.model_validate(choice.logprobs)
    except (MalformedError, ValidationError) as exc:
        raise GeneratorError(_UNREADABLE) from exc
    return reply


def _usage_of(reply: Completion) -> dict[str, Any]:
    return {"usage": reply.usage} if reply.usage else {}


def _sse(event: dict[str, Any]) -> bytes:
    return b"data: " + orjson.dumps(event) + b"\n\n"


def _strings(value: object) -> list[str]:
    if isinstance(value, str):
        return [value]
    if isinstance(value, list):
        return [text for inner in value for text in _strings(inner)]
    return []
