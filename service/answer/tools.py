"""What tools are to an answer: functions that a caller offers, their calls, and what they gave. Values alone."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from service.guard.texts import MaskedText


@dataclass(frozen=True, slots=True)
class Tools:
    """Functions that a generator may call, each as OpenAI's protocol describes it. `chosen` is the one that it must
    call, `must_call` says that it must call some; with `may_call_several` of False it is one at a time."""

    functions: tuple[dict[str, Any], ...]
    must_call: bool = False
    chosen: str | None = None
    may_call_several: bool | None = None

    @property
    def is_forced(self) -> bool:
        """Whether text is no answer."""
        return self.must_call or self.chosen is not None

    @property
    def offered(self) -> Mapping[str, dict[str, Any]]:
        """The functions that may be called, by name."""
        return {
            str(one["name"]): one
            for one in self.functions
            if self.chosen is None or one["name"] == self.chosen
        }

    @property
    def wire(self) -> dict[str, Any]:
        """The fields of a request in OpenAI's protocol."""
        named = {"type": "function", "function": {"name": self.chosen}}
        wanted: dict[str, Any] = {
            "tools": [{"type": "function", "function": one} for one in self.functions],
            "tool_choice": named if self.chosen else "required" if self.must_call else "auto",
            "parallel_tool_calls": self.may_call_several,
        }
        return {name: value for name, value in wanted.items() if value is not None}


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A call of a function; `arguments` are JSON."""

    id: str
    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class Calls:
    """What a generator writes in the place of an answer."""

    calls: tuple[ToolCall, ...]


@dataclass(frozen=True, slots=True)
class ToolResult:
    """What a function gave, as a generator may read it; `call_id` is the caller's."""

    call_id: str
    tool: str
    text: MaskedText


@dataclass(frozen=True, slots=True)
class Step:
    """A step towards the answer: calls, and what each of them gave, in the same order."""

    calls: tuple[ToolCall, ...]
    results: tuple[ToolResult, ...]
