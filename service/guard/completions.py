"""Guards for what is forwarded to the generator as it is: prompts and texts of completions, streamed or not.

Without passages there is nothing to ground an answer on, so only what holds for any text is guarded.
"""

import asyncio
from collections.abc import AsyncIterator, Iterable, Sequence
from typing import Any

import orjson

from service.errors import BusyError, InvalidRequestError
from service.guard.build import AssistantGuards
from service.guard.chain import Guard, apply_to_json
from service.guard.stream.words import StreamGuard
from service.guard.texts import RawText

# Longer texts than this are screened in a thread: the loop must not wait for them.
INLINE_CHARS = 4_000
# What a text costs whatever its length, in characters: 38 µs beside .4 µs a character.
_TEXT_CHARS = 100
_SHOWN_CHARS = 80
# Prompts in other forms than text, which vLLM takes and no guard can read.
_UNREADABLE = ("prompt_embeds", "prompt_token_ids")
# What repeats a text beside itself, token by token.
_ECHOES = ("logprobs", "prompt_logprobs", "token_ids", "prompt_token_ids")


async def guard_prompt(body: dict[str, Any], guards: AssistantGuards) -> dict[str, Any]:
    """The body with its prompts as they may be sent on. Raises `InvalidRequestError` for one that is refused."""
    for key in _UNREADABLE:
        if body.get(key) is not None:
            raise InvalidRequestError(f"{key!r} can't be screened by the guards. Send text.", param=key)
    checked = dict(body)
    for key in ("prompt", "suffix", "messages"):
        if body.get(key) is not None:
            checked[key] = await _guarded_field(key, body[key], guards)
    return checked


async def _guarded_field(key: str, value: object, guards: AssistantGuards) -> object:
    if key != "messages":
        _check_is_text(key, value)
    texts = list(_strings(value))
    if sum(len(text) + _TEXT_CHARS for text in texts) > INLINE_CHARS:
        masked = await asyncio.to_thread(_screened, key, value, texts, guards)
    else:
        masked = _screened(key, value, texts, guards)
    if guards.input is not None:
        judged = await guards.input.judge(texts)
        if judged.disposition == "block":
            raise _refused(judged.verdicts[-1].guard, key)
        if judged.disposition == "degrade":
            # Nothing but the generator could answer here.
            raise BusyError("The guards are busy and this text may not pass without them. Try again.")
    return masked


def _check_is_text(key: str, value: object) -> None:
    """Token ids pass every guard of text, so that a prompt of them is refused."""
    for one in value if isinstance(value, list) and key == "prompt" else [value]:
        if not isinstance(one, str):
            raise InvalidRequestError(
                f"{key!r} holds {repr(one)[:_SHOWN_CHARS]}, which the guards can't read. "
                "Send text: a string or, as `prompt`, a list of strings.",
                param=key,
            )


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


def guard_reply(reply: dict[str, Any], guards: AssistantGuards) -> dict[str, Any]:
    """A whole reply with its texts as they may leave."""
    changed, verdicts = apply_to_json(_words(guards), reply.get("choices", []), "output")
    choices = changed if isinstance(changed, list) else []
    if verdicts:
        choices = [_without_echoes(choice) for choice in choices]
    return {**reply, "choices": choices}


async def guard_stream(chunks: AsyncIterator[bytes], guards: AssistantGuards) -> AsyncIterator[bytes]:
    """Server-sent events with the text of each choice guarded; what is held back comes before the end.

    What arrives together leaves together, as one event where it is one choice's: the more there is to do, the less each
    word costs.
    """
    stream = _GuardedStream(guards)
    held = b""
    async for chunk in chunks:
        *lines, held = (held + chunk).split(b"\n")
        ready = stream.take(lines)
        if ready:
            yield ready
        if stream.is_done:
            break
    yield stream.take([held]) + stream.rest()


class _GuardedStream:
    """One reply: a guard for each of its choices."""

    def __init__(self, guards: AssistantGuards) -> None:
        self._guards = guards
        self._streams: dict[int, StreamGuard] = {}
        self._last: dict[str, Any] = {}
        self.is_done = False

    def take(self, lines: Iterable[bytes]) -> bytes:
        """The events of some lines as they may leave; nothing for lines that are none."""
        ready: list[bytes] = []
        waiting: dict[str, Any] | None = None
        for line in lines:
            event = self._event(line)
            if event is None:
                continue
            if waiting is not None and not _joined(waiting, event):
                ready.append(self._guarded(waiting))
            waiting = event
        if waiting is not None:
            ready.append(self._guarded(waiting))
        return b"".join(ready)

    def _event(self, line: bytes) -> dict[str, Any] | None:
        payload = line.removeprefix(b"data:").strip()
        if self.is_done or not line.startswith(b"data:") or not payload:
            return None
        if payload == b"[DONE]":
            self.is_done = True
            return None
        event: dict[str, Any] = orjson.loads(payload)
        return event

    def _guarded(self, event: dict[str, Any]) -> bytes:
        if "choices" in event:
            self._last = event
        for choice in event.get("choices", []):
            number = int(choice.get("index", 0))
            guard = self._streams.get(number)
            if guard is None:
                guard = self._streams[number] = StreamGuard(_words(self._guards))
            choice["text"] = guard.feed(str(choice.get("text") or ""))
            if choice.get("finish_reason"):
                choice["text"] += guard.close()
            for echo in _ECHOES:
                choice.pop(echo, None)
        return b"data: " + orjson.dumps(event) + b"\n\n"

    def rest(self) -> bytes:
        """What was held back, and the end."""
        left = [
            {"index": number, "text": text, "finish_reason": None}
            for number, guard in self._streams.items()
            if (text := guard.close())
        ]
        event = b"data: " + orjson.dumps({**self._last, "choices": left}) + b"\n\n" if left else b""
        return event + b"data: [DONE]\n\n"


def _joined(earlier: dict[str, Any], later: dict[str, Any]) -> bool:
    """Whether two events say no more than one of them with both texts; if so, the later one has them now."""
    if earlier.get("usage") and not later.get("usage"):
        return False
    one, other = earlier.get("choices"), later.get("choices")
    if not one or not other or len(one) > 1 or len(other) > 1 or one[0].get("finish_reason"):
        return False
    if one[0].get("index", 0) != other[0].get("index", 0):
        return False
    other[0]["text"] = str(one[0].get("text") or "") + str(other[0].get("text") or "")
    return True


def _words(guards: AssistantGuards) -> list[Guard]:
    return guards.masks()


def _without_echoes(choice: object) -> object:
    return {k: v for k, v in choice.items() if k not in _ECHOES} if isinstance(choice, dict) else choice


def _strings(value: object) -> list[str]:
    if isinstance(value, str):
        return [value]
    if isinstance(value, dict):
        return [text for key, inner in value.items() if key != "role" for text in _strings(inner)]
    if isinstance(value, list):
        return [text for inner in value for text in _strings(inner)]
    return []
