"""What clients of OpenAI's API send when they ask an assistant. Knows no answer; `routes` make a question of it."""

from typing import Annotated, Any, Literal, Self

import orjson
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from service.schemas import Name, RagOptions, StreamOptions, Words

_MOST_STOPS, _STOP_CHARS = 4, 200
_MOST_TOOLS = 128
_FORMATS = ("text", "json_object", "json_schema")


def _none_if_empty(value: str | None) -> str | None:
    """Clients that know no user send an empty one."""
    return value or None


def _few_stops(value: str | list[str] | None) -> str | list[str] | None:
    words = value if isinstance(value, list) else [value or ""]
    if len(words) > _MOST_STOPS or any(len(word) > _STOP_CHARS for word in words):
        raise ValueError(f"send a string of up to {_STOP_CHARS} characters, or a list of up to {_MOST_STOPS}")
    return value


def _passable(value: dict[str, Any] | None) -> dict[str, Any] | None:
    """JSON that can be written again: not too deep, without half a character or a number beyond 64 bits."""
    try:
        orjson.dumps(value)
    except orjson.JSONEncodeError as exc:
        raise ValueError(f"it can't be passed on: {exc}") from exc
    return value


def _as_format(value: dict[str, Any] | None) -> dict[str, Any] | None:
    """The form of JSON that is asked for; None for text."""
    kind = (value or {"type": "text"}).get("type")
    if kind not in _FORMATS:
        raise ValueError(f"its `type` must be one of {list(_FORMATS)}")
    if kind == "json_schema":
        wanted = (value or {}).get("json_schema")
        if not isinstance(wanted, dict) or not isinstance(wanted.get("schema"), dict):
            raise ValueError("it has no schema. Send it as `json_schema.schema`")
    _passable(value)
    return value if kind != "text" else None


User = Annotated[Annotated[Words, Field(max_length=256)] | None, AfterValidator(_none_if_empty)]
Temperature = Annotated[float, Field(ge=0, le=2)] | None
TopP = Annotated[float, Field(gt=0, le=1)] | None
# More than any generator writes is what many clients send; the answer is as long as it can be.
MostTokens = Annotated[int, Field(ge=1)] | None


class TextPart(BaseModel):
    """A part of a message in OpenAI's list form."""

    type: Literal["text"]
    text: Words


class CalledFunction(BaseModel):
    """A function that was called, with its arguments as JSON."""

    name: Words
    arguments: Words = ""


class MessageCall(BaseModel):
    """A call of a tool in the conversation."""

    id: Words = ""
    type: Literal["function"] = "function"
    function: CalledFunction


class ChatMessage(BaseModel):
    """A message of the conversation. Calls of tools and their results are read behind the question alone."""

    role: Literal["system", "developer", "user", "assistant", "tool", "function"]
    content: Words | list[TextPart] | None = None
    tool_calls: list[MessageCall] | None = None
    tool_call_id: Words | None = None

    @property
    def text(self) -> str:
        """The words of the message."""
        if isinstance(self.content, list):
            return "\n".join(part.text for part in self.content)
        return self.content or ""


class OfferedFunction(BaseModel):
    """A function that may be called; `parameters` is the JSON schema of its arguments."""

    model_config = ConfigDict(extra="forbid")

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
    description: Words | None = None
    parameters: Annotated[dict[str, Any] | None, AfterValidator(_passable)] = None
    strict: bool | None = None


class OfferedTool(BaseModel):
    """A tool that the caller offers: a function."""

    model_config = ConfigDict(extra="forbid")

    type: Literal["function"]
    function: OfferedFunction


class ChosenFunction(BaseModel):
    """The name of a function."""

    name: Name


class ToolChoice(BaseModel):
    """The function that must be called."""

    type: Literal["function"]
    function: ChosenFunction


class ChatRequest(BaseModel):
    """OpenAI's chat request. What isn't listed here is accepted where it changes nothing, and else refused by name."""

    model_config = ConfigDict(extra="allow")

    model: Name
    messages: Annotated[list[ChatMessage], Field(min_length=1)]
    stream: bool = False
    stream_options: StreamOptions | None = None
    user: User = None
    temperature: Temperature = None
    top_p: TopP = None
    max_tokens: MostTokens = None
    max_completion_tokens: MostTokens = None
    n: Literal[1] | None = None
    stop: Annotated[Words | list[Words] | None, AfterValidator(_few_stops)] = None
    seed: Annotated[int, Field(ge=-(2**63), lt=2**63)] | None = None
    response_format: Annotated[dict[str, Any] | None, AfterValidator(_as_format)] = None
    tools: Annotated[list[OfferedTool], Field(max_length=_MOST_TOOLS)] | None = None
    tool_choice: Literal["none", "auto", "required"] | ToolChoice | None = None
    parallel_tool_calls: bool | None = None
    rag: RagOptions = RagOptions()

    @property
    def stop_words(self) -> tuple[str, ...]:
        """Words before which the answer ends; an empty one ends nothing."""
        words = [self.stop] if isinstance(self.stop, str) else self.stop or []
        return tuple(word for word in words if word)


class InputPart(BaseModel):
    """A part of a message in the list form of OpenAI's responses."""

    type: Literal["input_text", "output_text", "text"]
    text: Words


class InputMessage(BaseModel):
    """A message of the conversation, as OpenAI's responses have it."""

    type: Literal["message"] = "message"
    role: Literal["system", "developer", "user", "assistant"]
    content: Words | list[InputPart]

    def as_chat(self) -> ChatMessage:
        """The same message of a chat."""
        parts = [self.content] if isinstance(self.content, str) else [part.text for part in self.content]
        return ChatMessage(role=self.role, content="\n".join(parts))


class TextFormat(BaseModel):
    """The form of a response's text: OpenAI's `response_format`, laid flat."""

    model_config = ConfigDict(extra="forbid")

    type: Literal["text", "json_object", "json_schema"] = "text"
    name: Name | None = None
    description: Words | None = None
    form: dict[str, Any] | None = Field(None, alias="schema")
    strict: bool | None = None

    @model_validator(mode="after")
    def _has_schema(self) -> Self:
        if self.type == "json_schema" and (self.form is None or self.name is None):
            raise ValueError("a JSON schema comes as `schema`, with a `name`")
        _as_format(self.as_chat())
        return self

    def as_chat(self) -> dict[str, Any]:
        """The same form of a chat."""
        if self.type != "json_schema":
            return {"type": self.type}
        told = {
            "name": self.name,
            "description": self.description,
            "strict": self.strict,
            "schema": self.form,
        }
        return {
            "type": self.type,
            "json_schema": {key: one for key, one in told.items() if one is not None},
        }


class TextOptions(BaseModel):
    """What a response's text is to be like."""

    model_config = ConfigDict(extra="forbid")

    format: TextFormat = TextFormat()
    verbosity: Literal["medium"] | None = None


class ResponseRequest(BaseModel):
    """OpenAI's request for a response. What isn't listed here is accepted where it changes nothing, and else refused
    by name."""

    model_config = ConfigDict(extra="allow")

    model: Name
    input: Words | Annotated[list[InputMessage], Field(min_length=1)]
    stream: bool = False
    max_output_tokens: MostTokens = None
    temperature: Temperature = None
    top_p: TopP = None
    user: User = None
    text: TextOptions | None = None
    metadata: dict[str, Words] | None = Field(None, description="Comes back with the response.")
    rag: RagOptions = RagOptions()

    @property
    def wants_json(self) -> bool:
        """Whether the text is to be JSON."""
        return self.text is not None and self.text.format.type != "text"

    def as_chat(self) -> ChatRequest:
        """The same question in a chat."""
        said = self.input
        messages = (
            [ChatMessage(role="user", content=said)]
            if isinstance(said, str)
            else [message.as_chat() for message in said]
        )
        return ChatRequest(
            model=self.model,
            messages=messages,
            stream=self.stream,
            user=self.user,
            temperature=self.temperature,
            top_p=self.top_p,
            max_completion_tokens=self.max_output_tokens,
            response_format=self.text.format.as_chat() if self.text else None,
            rag=self.rag,
        )
