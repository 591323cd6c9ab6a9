"""What a server says in OpenAI's protocol, read with distrust: a malformed event is an error, never a crash.

Knows no connection: bytes in, values out.
"""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import orjson

from ingestion.characters import whole
from service.answer.tools import ToolCall

# A server that runs away: no line and no answer of ours is as long.
MOST_LINE_BYTES = 1_000_000
_MOST_TEXT_CHARS = 200_000
_MOST_TOKENS = 2**31 - 1
_MOST_CHOICES = 10_000
_MOST_CALLS, _LONGEST_NAME = 128, 200
_CALL_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
_FINISHES = frozenset({"stop", "length", "content_filter", "tool_calls", "function_call"})


class MalformedError(ValueError):
    """The server said what the protocol doesn't know. The message names the part, never the value."""


def load(data: bytes) -> dict[str, Any]:
    """A JSON object. Raises `MalformedError`."""
    try:
        value = orjson.loads(data)
    except orjson.JSONDecodeError as exc:
        value = _load_halves(data, exc)
    if not isinstance(value, dict):
        raise MalformedError("an event that is no object")
    return value


def _load_halves(data: bytes, exc: Exception) -> object:
    """JSON may escape half a character, which only the standard library reads; `clean` takes it out."""
    if b"\\u" not in data:
        raise MalformedError("an event that is no JSON") from exc
    try:
        return json.loads(data)
    except (ValueError, RecursionError) as other:
        raise MalformedError("an event that is no JSON") from other


def clean(text: str) -> str:
    """Text that every encoding and database can hold: without NUL, and `�` for each half of a character."""
    if text.isascii():
        return text.replace("\0", "")
    # Halves of one character may have come apart on their way.
    joined = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace").replace("\0", "")
    return whole(joined)


def text_at(value: dict[str, Any], name: str) -> str:
    """A string, empty where there is none. Raises `MalformedError`."""
    found = value.get(name)
    if found is not None and not isinstance(found, str):
        raise MalformedError(f"{name!r} that is no string")
    return found or ""


def objects_at(value: dict[str, Any], name: str) -> list[dict[str, Any]]:
    """A list of objects, which must be there. Raises `MalformedError`."""
    found = value.get(name)
    if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
        raise MalformedError(f"{name!r} that is no list of objects")
    return found


def object_at(value: dict[str, Any], name: str) -> dict[str, Any]:
    """An object, which must be there. Raises `MalformedError`."""
    found = value.get(name)
    if not isinstance(found, dict):
        raise MalformedError(f"{name!r} that is no object")
    return found


def count_at(value: dict[str, Any], name: str) -> int:
    """A number of tokens, 0 where there is none. Raises `MalformedError`."""
    found = value.get(name)
    if found is None:
        return 0
    if not isinstance(found, int) or isinstance(found, bool) or not 0 <= found <= _MOST_TOKENS:
        raise MalformedError(f"{name!r} that is no count")
    return found


def finish_at(choice: dict[str, Any]) -> str | None:
    """Why a choice ended; reasons of the server's own are `stop`. Raises `MalformedError`."""
    found = text_at(choice, "finish_reason")
    if not found:
        return None
    return found if found in _FINISHES else "stop"


def check_no_error(event: dict[str, Any]) -> None:
    """Raises `MalformedError` for an error that the server sent."""
    if event.get("error") is not None:
        raise MalformedError("an error")


def message_of(data: bytes) -> str:
    """The text of a whole chat reply. Raises `MalformedError`."""
    choices = objects_at(load(data), "choices")
    if not choices:
        raise MalformedError("a reply without a choice")
    return clean(text_at(object_at(choices[0], "message"), "content"))


def served_of(data: bytes) -> tuple[tuple[str, ...], tuple[str, ...], int | None]:
    """What a server lists: models, adapters (which have a parent) and the first model's context in tokens."""
    entries = objects_at(load(data), "data")
    if not all(text_at(entry, "id") for entry in entries):
        raise MalformedError("a model without a name")
    models = [entry for entry in entries if not entry.get("parent")]
    names = tuple(text_at(entry, "id") for entry in models)
    adapters = tuple(text_at(entry, "id") for entry in entries if entry.get("parent"))
    return names, adapters, (count_at(models[0], "max_model_len") or None) if models else None


@dataclass(slots=True)
class Choice:
    """A part of a text completion. `finish_reason` is one of OpenAI's or None; `logprobs` as they came."""

    index: int
    text: str
    finish_reason: str | None
    logprobs: object = None


@dataclass(slots=True)
class Completion:
    """A text completion, or an event of one: what is known of it. `usage` counts tokens by OpenAI's names."""

    choices: list[Choice]
    usage: dict[str, int]


def completion_of(data: bytes) -> Completion:
    """A text completion or an event of its stream. Raises `MalformedError`."""
    event = load(data)
    check_no_error(event)
    choices = [
        Choice(_index_of(choice), text_at(choice, "text"), finish_at(choice), choice.get("logprobs"))
        for choice in objects_at(event, "choices")
    ]
    return Completion(choices, {} if event.get("usage") is None else _usage_of(object_at(event, "usage")))


def _index_of(choice: dict[str, Any]) -> int:
    index = choice.get("index", 0)
    if type(index) is not int or not 0 <= index <= _MOST_CHOICES:
        raise MalformedError("'index' that is no choice's number")
    return index


def _usage_of(usage: dict[str, Any]) -> dict[str, int]:
    names = ("prompt_tokens", "completion_tokens", "total_tokens")
    return {name: count_at(usage, name) for name in names if usage.get(name) is not None}


@dataclass(slots=True)
class _Part:
    """What has come of one call."""

    id: str = ""
    name: str = ""
    arguments: list[str] = field(default_factory=list)


@dataclass(slots=True)
class CallParts:
    """The calls of one stream, in the order in which they began.

    Common oddities are understood: calls without an index, another call under the same index, names and ids with every
    piece, arguments as an object.
    """

    _parts: list[_Part] = field(default_factory=list)
    _by_index: dict[int, _Part] = field(default_factory=dict)

    def take(self, delta: dict[str, Any]) -> int:
        """Read the pieces of a delta; how many characters they had. Raises `MalformedError`."""
        chars = 0
        for piece in objects_at(delta, "tool_calls") if delta.get("tool_calls") is not None else ():
            part = self._of(piece)
            said = object_at(piece, "function") if piece.get("function") is not None else {}
            name, arguments = text_at(said, "name"), _arguments_of(said)
            part.name += name if name != part.name and len(part.name) <= _LONGEST_NAME else ""
            part.arguments.append(arguments)
            chars += len(name) + len(arguments)
        return chars

    @property
    def calls(self) -> tuple[ToolCall, ...]:
        """The calls so far. An id that is none, or that another call has, is replaced."""
        ids = [part.id if _CALL_ID.fullmatch(part.id) else "" for part in self._parts]
        named = [
            one if one and one not in ids[:place] else f"call_{uuid4().hex}" for place, one in enumerate(ids)
        ]
        return tuple(
            ToolCall(call_id, clean(part.name), clean("".join(part.arguments)))
            for call_id, part in zip(named, self._parts, strict=True)
        )

    def _of(self, piece: dict[str, Any]) -> _Part:
        """The call that a piece belongs to."""
        index, call_id = piece.get("index"), text_at(piece, "id")
        if index is not None and (type(index) is not int or not 0 <= index < _MOST_CALLS):
            raise MalformedError("'index' that is no call's number")
        known = self._by_index.get(index) if index is not None else next(iter(self._parts[-1:]), None)
        if known is None or (call_id and known.id and call_id != known.id):
            known = _Part()
            self._parts.append(known)
            if len(self._parts) > _MOST_CALLS:
                raise MalformedError("calls without an end")
            if index is not None:
                self._by_index[index] = known
        known.id = known.id or call_id
        return known


def _arguments_of(function: dict[str, Any]) -> str:
    if isinstance(function.get("arguments"), dict):
        return orjson.dumps(function["arguments"]).decode()
    return text_at(function, "arguments")


@dataclass(slots=True)
class ChatStream:
    """What the lines of a chat stream have said so far; `broken` is why nothing more can be read.

    Common oddities are understood: `data: null`, no or null choices, an empty delta, no usage or half of it, no reason
    for the end before `[DONE]`. What a model thinks, where the server tells it apart, is no text.
    """

    is_done: bool = False
    finish_reason: str | None = None
    prompt_tokens: int = 0
    completion_tokens: int = 0
    broken: MalformedError | None = None
    parts: CallParts = field(default_factory=CallParts)
    _chars: int = field(default=0, repr=False)
    _half: str = field(default="", repr=False)

    def take(self, lines: Sequence[bytes]) -> str:
        """The text in these lines, up to the first malformed one: how they arrived together changes nothing."""
        parts: list[str] = []
        try:
            for line in lines:
                parts.append(self._text(line))
                if self.is_done:
                    break
        except MalformedError as exc:
            self.broken = exc
        text = self._half + "".join(parts)
        is_last = self.is_done or self.broken is not None
        # The other half of a character may come with the next event.
        self._half = text[-1:] if "\ud800" <= text[-1:] <= "\udbff" and not is_last else ""
        return clean(text.removesuffix(self._half))

    def end(self) -> str:
        """What is left when nothing more comes."""
        half, self._half = self._half, ""
        return clean(half)

    def _text(self, line: bytes) -> str:
        """The text in one line. Raises `MalformedError`."""
        if len(line) > MOST_LINE_BYTES:
            raise MalformedError("a line without an end")
        payload = line[5:].strip()
        if not line.startswith(b"data:"):
            return ""
        if payload == b"[DONE]":
            self.is_done = True
            self.finish_reason = self.finish_reason or "stop"
        if payload in (b"[DONE]", b"null"):
            return ""
        text = "".join(self._texts(load(payload)))
        self._chars += len(text)
        if self._chars > _MOST_TEXT_CHARS:
            raise MalformedError("an answer without an end")
        return text

    def _texts(self, event: dict[str, Any]) -> list[str]:
        """The texts of an event, whose other parts are noted."""
        check_no_error(event)
        texts = []
        for choice in objects_at(event, "choices") if event.get("choices") is not None else ():
            if choice.get("delta") is not None:
                delta = object_at(choice, "delta")
                texts.append(text_at(delta, "content"))
                self._chars += self.parts.take(delta)
            self.finish_reason = finish_at(choice) or self.finish_reason
        if event.get("usage") is not None:
            usage = object_at(event, "usage")
            self.prompt_tokens = count_at(usage, "prompt_tokens")
            self.completion_tokens = count_at(usage, "completion_tokens")
        return texts
