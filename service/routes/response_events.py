"""A response of OpenAI's and the events that stream it."""

import time
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass, field

import orjson

from service.answer.request import Reply
from service.errors import InternalError, TouchstoneError
from service.logs import frames_of, get_logger
from service.protocol import ResponseRequest
from service.routes.sse import KEEP_ALIVE, Piece, Refusal
from service.schemas import Json

log = get_logger()
# Why an answer is not whole, by the reason of its end.
_INCOMPLETE = {"length": "max_output_tokens", "content_filter": "content_filter"}


@dataclass(frozen=True, slots=True)
class Shell:
    """What a response holds beside its answer."""

    ask: ResponseRequest
    answer_id: str
    created_at: int = field(default_factory=lambda: int(time.time()))

    @property
    def item_id(self) -> str:
        """The id of the one message."""
        return f"msg_{self.answer_id}"

    def response(self, status: str, **parts: object) -> Json:
        """The response in a state."""
        ask = self.ask
        return {
            "id": f"resp_{self.answer_id}",
            "object": "response",
            "created_at": self.created_at,
            "status": status,
            "background": False,
            "error": None,
            "incomplete_details": None,
            "instructions": None,
            "max_output_tokens": ask.max_output_tokens,
            "metadata": ask.metadata or {},
            "model": ask.model,
            "output": [],
            "parallel_tool_calls": False,
            "previous_response_id": None,
            "store": False,
            "temperature": ask.temperature,
            "text": {"format": self._format},
            "tool_choice": "none",
            "tools": [],
            "top_p": ask.top_p,
            "truncation": "auto",
            "usage": None,
            "user": ask.user,
            **parts,
        }

    @property
    def _format(self) -> Json:
        """The form of the text, as it was asked for."""
        text = self.ask.text
        return text.format.model_dump(by_alias=True, exclude_none=True) if text else {"type": "text"}

    def message(self, status: str, *content: Json) -> Json:
        """The one message."""
        return {
            "id": self.item_id,
            "type": "message",
            "role": "assistant",
            "status": status,
            "content": list(content),
        }

    def ended(self, reply: Reply) -> Json:
        """The response of an answer that has ended."""
        reason = _INCOMPLETE.get(reply.finish_reason)
        status = "incomplete" if reason else "completed"
        return self.response(
            status,
            incomplete_details={"reason": reason} if reason else None,
            output=[self.message(status, self._part_of(reply))],
            usage=_usage_of(reply),
            rag=reply.rag,
        )

    def _part_of(self, reply: Reply) -> Json:
        """The text, or where JSON was asked for what the assistant says instead."""
        if self.ask.wants_json and reply.is_fixed:
            return refusal_of(reply.text)
        return part_of(reply.text, reply.rag)


def part_of(text: str, rag: Json | None = None) -> Json:
    """The text of a message; each citation of a sentence is an annotation at the sentence's end."""
    named = {one["id"]: one for one in rag["citations"]} if rag else {}
    annotations = [
        {
            "type": "file_citation",
            "file_id": named[number]["document_id"],
            "filename": named[number]["source"],
            "index": sentence["end"],
        }
        for sentence in (rag["sentences"] if rag else [])
        for number in sentence["citations"]
        if number in named
    ]
    return {"type": "output_text", "text": text, "annotations": annotations, "logprobs": []}


def refusal_of(text: str) -> Json:
    """What is said where JSON was asked for and there is none."""
    return {"type": "refusal", "refusal": text}


def _usage_of(reply: Reply) -> Json:
    return {
        "input_tokens": reply.prompt_tokens,
        "input_tokens_details": {"cached_tokens": 0},
        "output_tokens": reply.completion_tokens,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": reply.prompt_tokens + reply.completion_tokens,
    }


async def response_events(
    first: Piece, pieces: AsyncGenerator[Piece, None], shell: Shell, *, request_id: str
) -> AsyncIterator[bytes]:
    """The stream. An error inside it is an `error` event, then `response.failed`, never text."""
    events = _Events(shell)
    yield events.opening()
    try:
        async with aclosing(pieces):
            yield events.of(first)
            async for piece in pieces:
                yield events.of(piece)
    except TouchstoneError as exc:
        yield events.failed(exc, request_id)
    except Exception as exc:  # noqa: BLE001 - the client must hear of it; the log has the rest
        log.error("stream_failed", error=type(exc).__name__, where=frames_of(exc))
        error = InternalError("Something went wrong here. Quote the request id when you ask.")
        yield events.failed(error, request_id)


class _Events:
    """Numbers the events of one response."""

    def __init__(self, shell: Shell) -> None:
        self._shell = shell
        self._number = 0
        self._place: Json = {"item_id": shell.item_id, "output_index": 0, "content_index": 0}
        self._has_part = False

    def opening(self) -> bytes:
        """What comes before the first word."""
        begun = self._shell.response("in_progress")
        return (
            self._event("response.created", response=begun)
            + self._event("response.in_progress", response=begun)
            + self._event(
                "response.output_item.added", output_index=0, item=self._shell.message("in_progress")
            )
        )

    def of(self, piece: Piece) -> bytes:
        """The events of a piece of the answer."""
        if isinstance(piece, str):
            return self._begun(part_of("")) + self._event(
                "response.output_text.delta", **self._place, delta=piece, logprobs=[]
            )
        if isinstance(piece, Refusal):
            return self._begun(refusal_of("")) + self._event(
                "response.refusal.delta", **self._place, delta=piece.text
            )
        # OpenAI has no event for what guards took out; it stands in `rag.notices` at the end.
        return self._closing(piece) if isinstance(piece, Reply) else KEEP_ALIVE

    def _begun(self, part: Json) -> bytes:
        """The event that opens the message's only part, before its first piece."""
        has_part, self._has_part = self._has_part, True
        return b"" if has_part else self._event("response.content_part.added", **self._place, part=part)

    def _closing(self, reply: Reply) -> bytes:
        response = self._shell.ended(reply)
        item = response["output"][0]
        part = item["content"][0]
        return (
            self._begun(part_of(""))
            + self._done(part)
            + self._event("response.content_part.done", **self._place, part=part)
            + self._event("response.output_item.done", output_index=0, item=item)
            + self._event(f"response.{response['status']}", response=response)
        )

    def _done(self, part: Json) -> bytes:
        """The event that closes the part."""
        if part["type"] == "refusal":
            return self._event("response.refusal.done", **self._place, refusal=part["refusal"])
        return self._event("response.output_text.done", **self._place, text=part["text"], logprobs=[])

    def failed(self, error: TouchstoneError, request_id: str) -> bytes:
        """The events of an error."""
        told = error.body(request_id)["error"]
        response = self._shell.response("failed", error=told)
        return self._event(
            "error", code=told["code"], message=told["message"], param=told["param"]
        ) + self._event("response.failed", response=response)

    def _event(self, kind: str, **parts: object) -> bytes:
        body = orjson.dumps({"type": kind, "sequence_number": self._number, **parts})
        self._number += 1
        return b"event: " + kind.encode() + b"\ndata: " + body + b"\n\n"
