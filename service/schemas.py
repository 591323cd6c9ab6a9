"""What the API accepts and returns."""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, field_validator

from service.scope import Mode


def _whole(value: str) -> str:
    """JSON can escape half a character, which no encoding can write."""
    if any("\ud800" <= character <= "\udfff" for character in value):
        raise ValueError("it holds half a character (a lone surrogate)")
    return value


Words = Annotated[str, AfterValidator(_whole)]
Name = Annotated[Words, Field(min_length=1, max_length=100)]


class TextPart(BaseModel):
    """A part of a message in OpenAI's list form."""

    type: Literal["text"]
    text: Words


class ChatMessage(BaseModel):
    """A message of the conversation."""

    role: Literal["system", "developer", "user", "assistant", "tool"]
    content: Words | list[TextPart] | None = None

    @property
    def text(self) -> str:
        """The words of the message."""
        if isinstance(self.content, list):
            return "\n".join(part.text for part in self.content)
        return self.content or ""


class RagOptions(BaseModel):
    """The extension object of a request; unknown keys are refused."""

    model_config = ConfigDict(extra="forbid")

    conversation_id: Annotated[Words, Field(min_length=1, max_length=64)] | None = None
    variant: Name | None = None
    top_k: Annotated[int, Field(ge=1, le=50)] | None = None
    dry_run: bool = False


class StreamOptions(BaseModel):
    """OpenAI's options of a stream."""

    include_usage: bool = False


class ChatRequest(BaseModel):
    """OpenAI's chat request. What isn't listed here is accepted and has no effect."""

    model: Name
    messages: Annotated[list[ChatMessage], Field(min_length=1, max_length=200)]
    stream: bool = False
    stream_options: StreamOptions | None = None
    user: Annotated[Words, Field(min_length=1, max_length=256)] | None = None
    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    max_tokens: Annotated[int, Field(ge=1, le=8192)] | None = None
    max_completion_tokens: Annotated[int, Field(ge=1, le=8192)] | None = None
    n: Literal[1] | None = None
    rag: RagOptions = RagOptions()


class SearchRequest(BaseModel):
    """Retrieval alone."""

    model_config = ConfigDict(extra="forbid")

    query: Annotated[Words, Field(max_length=8_000)]
    collection: Name | None = None
    top_k: Annotated[int, Field(ge=1, le=50)] = 5
    mode: Mode = "hybrid"

    @field_validator("query")
    @classmethod
    def _has_words(cls, value: str) -> str:
        if not value.strip():
            raise ValueError("the query is empty: write one")
        return value


class SearchResult(BaseModel):
    """A chunk that was found."""

    chunk_id: str
    document_id: str
    title: str
    source: str
    text: str
    page: int | None
    heading: str
    score: float
    scores: dict[str, float]


class SearchReply(BaseModel):
    """Chunks, the best first."""

    collection: str
    release: str
    results: list[SearchResult]
    timings: dict[str, float]


class ChunkReply(BaseModel):
    """A passage in its context. `start` is its place in the document's text, in characters."""

    chunk_id: str
    document_id: str
    title: str
    source: str
    page: int | None
    heading: str
    start: int
    before: str
    text: str
    after: str


class FeedbackRequest(BaseModel):
    """A thumb for an answer; null retracts it."""

    model_config = ConfigDict(extra="forbid")

    answer_id: Annotated[str, Field(min_length=36, max_length=36)]
    token: Annotated[str, Field(max_length=100)] | None = None
    kind: Literal["thumb"]
    value: Literal["up", "down"] | None


class FeedbackReply(BaseModel):
    """What was stored."""

    event_id: str
    answer_id: str
    state: Literal["set", "retracted"]


class Model(BaseModel):
    """An assistant in OpenAI's shape of a model."""

    id: str
    object: Literal["model"] = "model"
    created: int = 0
    owned_by: str = "touchstone"
    description: str = ""


class ModelList(BaseModel):
    """The assistants."""

    object: Literal["list"] = "list"
    data: list[Model]


Json = dict[str, Any]
