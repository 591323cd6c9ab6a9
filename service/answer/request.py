"""A request for an answer as the API understands it, and the reply that ends it."""

from dataclasses import dataclass
from typing import Any

from ingestion.view import EVERYTHING, View
from service.answer.evidence import Evidence
from service.answer.tools import ToolCall, Tools
from service.guard.texts import RawText


@dataclass(frozen=True, slots=True)
class RawMessage:
    """A message of the conversation as the caller sent it, with the calls of tools in it, or the call whose result it is."""

    role: str
    content: RawText
    calls: tuple[ToolCall, ...] = ()
    call_id: str | None = None


@dataclass(frozen=True, slots=True)
class Options:
    """What a caller asks of the generator beside the recipe of the variant.

    `stop` are words before which the answer ends; `form` is OpenAI's `response_format` where the answer is to be JSON;
    `tools` are what may be called instead of an answer.
    """

    stop: tuple[str, ...] = ()
    seed: int | None = None
    top_p: float | None = None
    form: dict[str, Any] | None = None
    tools: Tools | None = None


@dataclass(frozen=True, slots=True)
class AnswerRequest:
    """A question with the conversation before it, who asks, and what is wanted otherwise than by default.

    `subject` is a pseudonym; `groups` are the caller's, None for one who may see everything.
    """

    assistant: str
    messages: tuple[RawMessage, ...]
    caller: str
    request_id: str
    subject: str | None = None
    conversation_id: str | None = None
    variant: str | None = None
    top_k: int | None = None
    view: View = EVERYTHING
    temperature: float | None = None
    max_tokens: int | None = None
    options: Options = Options()
    dry_run: bool = False
    is_streamed: bool = False
    groups: frozenset[str] | None = frozenset()


@dataclass(frozen=True, slots=True)
class Reply:
    """The end of an answer: its whole text, why it ended, the API's `rag` object, the evidence where it was sought, and the
    calls of tools that stand in its place."""

    text: str
    finish_reason: str
    rag: dict[str, Any]
    prompt_tokens: int
    completion_tokens: int
    evidence: Evidence | None = None
    calls: tuple[ToolCall, ...] = ()

    @property
    def is_fixed(self) -> bool:
        """Whether the assistant's own words were said instead of an answer."""
        return bool(self.rag["outcome"] != "answered" or self.rag["reason"] == "small_talk")
