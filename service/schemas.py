"""What the API accepts and returns; `protocol` has what OpenAI's clients ask with."""

from collections.abc import Callable
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, field_validator

from ingestion.audience import shown_id
from ingestion.corpus import Flag
from ingestion.runs.state import Excerpt, QuarantinedDocument
from ingestion.search.fusion import Mode


def _whole(value: str) -> str:
    """JSON can escape half a character, which no encoding can write."""
    if any("\ud800" <= character <= "\udfff" for character in value):
        raise ValueError("it holds half a character (a lone surrogate)")
    return value


Words = Annotated[str, AfterValidator(_whole)]
Name = Annotated[Words, Field(min_length=1, max_length=100)]


class RagOptions(BaseModel):
    """The extension object of a request; unknown keys are refused."""

    model_config = ConfigDict(extra="forbid")

    conversation_id: Annotated[Words, Field(min_length=1, max_length=64)] | None = None
    variant: Name | None = None
    top_k: Annotated[int, Field(ge=1, le=50)] | None = None
    filter: dict[str, Any] | None = None
    dry_run: bool = False


class StreamOptions(BaseModel):
    """OpenAI's options of a stream."""

    include_usage: bool = False


# Prompts of evaluation harnesses: few-shot examples make them long, and one request holds a batch.
_MOST_PROMPTS, _MOST_PROMPT_CHARS = 128, 64_000
_MOST_STOPS, _STOP_CHARS = 16, 200


def _as_text(value: object) -> object:
    """Token ids and embeddings pass every guard of text. Bounded before any pattern reads it."""
    texts = value if isinstance(value, list) else [value]
    for one in texts:
        if not isinstance(one, str):
            raise ValueError(
                "the guards can't read it. Send text: a string or, as `prompt`, a list of strings"
            )
        _whole(one)
    chars = sum(map(len, texts))
    if not texts or len(texts) > _MOST_PROMPTS or chars > _MOST_PROMPT_CHARS:
        raise ValueError(
            f"it has {len(texts)} texts with {chars} characters; at most {_MOST_PROMPTS} with {_MOST_PROMPT_CHARS} "
            "characters are allowed. Send less at once"
        )
    return value


def _unreadable(value: object) -> None:
    if value is not None:
        raise ValueError("the guards can't read it. Send text as `prompt`")


Unreadable = Annotated[None, BeforeValidator(_unreadable)]


def _as_stop(value: object) -> object:
    texts = value if isinstance(value, list) else [value]
    if len(texts) > _MOST_STOPS or not all(isinstance(one, str) and len(one) <= _STOP_CHARS for one in texts):
        raise ValueError(f"send a string of up to {_STOP_CHARS} characters, or a list of up to {_MOST_STOPS}")
    for one in texts:
        _whole(str(one))
    return value


class ForwardedRequest(BaseModel):
    """What goes to the generator itself: the fields that are named here and no others."""

    model_config = ConfigDict(extra="forbid")

    model: Name | None = None
    add_special_tokens: bool | None = None
    prompt_embeds: Unreadable = None
    prompt_token_ids: Unreadable = None
    user: Annotated[Words, Field(max_length=256)] | None = Field(None, description="Has no effect.")


class CompletionRequest(ForwardedRequest):
    """OpenAI's request for a text completion, with what evaluation harnesses send to vLLM."""

    prompt: str | list[str]
    suffix: str | None = None
    max_tokens: Annotated[int, Field(ge=1, le=8192)] | None = None
    min_tokens: Annotated[int, Field(ge=0, le=8192)] | None = None
    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    top_p: Annotated[float, Field(gt=0, le=1)] | None = None
    top_k: Annotated[int, Field(ge=-1, le=1_000)] | None = None
    min_p: Annotated[float, Field(ge=0, le=1)] | None = None
    n: Annotated[int, Field(ge=1, le=8)] | None = None
    stop: Annotated[str | list[str], BeforeValidator(_as_stop)] | None = None
    stream: bool = False
    stream_options: StreamOptions | None = None
    logprobs: Annotated[int, Field(ge=0, le=20)] | None = None
    echo: bool | None = None
    seed: Annotated[int, Field(ge=-(2**63), lt=2**63)] | None = None
    presence_penalty: Annotated[float, Field(ge=-2, le=2)] | None = None
    frequency_penalty: Annotated[float, Field(ge=-2, le=2)] | None = None
    repetition_penalty: Annotated[float, Field(gt=0, le=2)] | None = None
    ignore_eos: bool | None = None
    skip_special_tokens: bool | None = None

    @field_validator("prompt", "suffix", mode="before")
    @classmethod
    def _is_text(cls, value: object) -> object:
        return value if value is None else _as_text(value)


class TokenizeRequest(ForwardedRequest):
    """vLLM's request for the tokens of a text."""

    prompt: str
    suffix: Unreadable = None

    @field_validator("prompt", mode="before")
    @classmethod
    def _is_text(cls, value: object) -> object:
        return _as_text(value)


class SearchRequest(BaseModel):
    """Retrieval alone."""

    model_config = ConfigDict(extra="forbid")

    query: Annotated[Words, Field(max_length=8_000)]
    collection: Name | None = None
    top_k: Annotated[int, Field(ge=1, le=50)] | None = Field(
        None, description="How many passages; without it, as many as the scope says."
    )
    mode: Mode | None = Field(
        None, description="Which indexes are asked; without it, those that the scope says."
    )
    filter: dict[str, Any] | None = Field(
        None, description='Conditions on metadata, e.g. `{"product": {"in": ["hub", "chime"]}}`.'
    )
    include_superseded: bool = False

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
    joined: list[str] = Field([], description="Ids of neighbours whose text is part of this one's.")


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


class DocumentText(BaseModel):
    """A document as text. `format` says how to read it; other facts become metadata."""

    model_config = ConfigDict(extra="forbid")

    text: Annotated[Words, Field(min_length=1)]
    format: Literal["md", "html", "txt"] = "md"
    title: Annotated[Words, Field(max_length=500)] | None = None
    language: Annotated[str, Field(pattern="^[a-z]{2}$")] | None = None
    updated: Annotated[str, Field(pattern=r"^\d{4}-\d{2}-\d{2}")] | None = None
    url: Annotated[Words, Field(max_length=2_000)] | None = None
    groups: list[Annotated[Words, Field(min_length=1, max_length=100, pattern="^[^,]+$")]] | None = Field(
        None, description="Who may see it; an empty list is for everybody, none follows the scope file."
    )
    metadata: dict[
        Annotated[str, Field(pattern="^[A-Za-z_][A-Za-z0-9_]{0,63}$")],
        Words | int | float | bool | Annotated[list[Words], Field(max_length=100)],
    ] = Field({}, description='Values, or several texts: `{"product": "hub", "tags": ["new", "loan"]}`.')


class DocumentChanged(BaseModel):
    """What became of a document. `status` is `ingested`, `unchanged` or `quarantined` (with the reason)."""

    document_id: str
    collection: str
    status: str
    already_existed: bool
    chunks: int
    run_id: str
    release: str
    reason: str | None = None


class DocumentsChanged(BaseModel):
    """What became of several files, and why some failed."""

    run_id: str
    documents: list[DocumentChanged]
    failures: dict[str, str]


class ListedDocumentReply(BaseModel):
    """A document in a list. `reason` says why it is held or refused; of one that is served, why a newer text of it isn't."""

    document_id: str
    status: Literal["served", "held", "refused"]
    reason: str | None
    title: str | None
    source: str | None = Field(description="Its address, or the name of its file.")
    place: str = Field(
        description="The source of the scope file that it comes from, or `upload:` and the key's owner."
    )
    language: str | None
    updated: str | None = Field(description="The date that it has by its own word.")
    ingested_at: str | None = Field(description="When the run began that brought it, in UTC.")
    size_bytes: int | None = Field(description="Of the file that was brought.")
    characters: int | None = Field(description="Of its text.")
    chunks: int | None
    superseded_by: str | None


class DocumentCounts(BaseModel):
    """How many documents there are of each status, before `status` narrows the list."""

    served: int
    held: int
    refused: int


class DocumentList(BaseModel):
    """Documents in the order of their ids, a page of them: `documents` are the ids, `items` say more of each, in the same
    order; `total` is how many all pages have."""

    collection: str
    documents: list[str]
    items: list[ListedDocumentReply]
    has_more: bool
    total: int
    counts: DocumentCounts


class DocumentReply(BaseModel):
    """All that is known of a document. `pii` counts what was found, by type."""

    document_id: str
    collection: str
    title: str
    source: str
    place: str
    run_id: str
    language: str
    updated: str | None
    superseded_by: str | None
    digest: str
    chunks: int
    clearance: dict[str, Any]
    metadata: dict[str, str | int | float | bool | list[str]]
    groups: list[str]
    pii: dict[str, int]
    flags: list[str]
    text: str


class RemovedReply(BaseModel):
    """What was taken out; at most a hundred ids are listed."""

    collection: str
    removed: int
    documents: list[str]
    release: str


class HeldFlag(BaseModel):
    """Why a document waits, and for which words; `start` and `end` are characters of its text.

    What `holds` says waits: the document, or the passage alone while the rest is in the index. `before` and `after` are the
    words around `passage`.
    """

    rule: str
    reason: str
    start: int
    end: int
    holds: Literal["document", "passage"]
    before: str
    passage: str
    after: str

    @classmethod
    def of(cls, flag: Flag, excerpt: Excerpt, read: Callable[[str], str]) -> Self:
        """From a flag and its excerpt; `read` masks what the caller may not read."""
        return cls(
            rule=flag.rule,
            reason=flag.reason,
            start=flag.start,
            end=flag.end,
            holds=flag.holds,
            before=read(excerpt.before),
            passage=read(excerpt.passage),
            after=read(excerpt.after),
        )


class HeldDocument(BaseModel):
    """A document in quarantine."""

    document_id: str
    title: str
    place: str
    run_id: str
    at: str
    flags: list[HeldFlag]

    @classmethod
    def of(cls, held: QuarantinedDocument, groups: frozenset[str] | None, read: Callable[[str], str]) -> Self:
        """From what waits in quarantine, as callers of these groups (None: all) are shown it."""
        pairs = zip(held.flags, held.excerpts, strict=True)
        flags = [HeldFlag.of(flag, excerpt, read) for flag, excerpt in pairs]
        return cls(
            document_id=shown_id(held.document_id, groups),
            title=held.title,
            place=held.source_name,
            run_id=held.run_id,
            at=held.at,
            flags=flags,
        )


class HeldList(BaseModel):
    """Documents in quarantine, the oldest first."""

    collection: str
    documents: list[HeldDocument]


class HeldSelection(BaseModel):
    """Which of the documents that wait a decision is about; at least one field must say something."""

    model_config = ConfigDict(extra="forbid")

    pattern: Annotated[Words, Field(max_length=300)] = Field(
        "", description="An id, or a pattern of ids: `manual/*`."
    )
    rule: Annotated[Words, Field(max_length=100)] = Field(
        "", description="A rule, or a pattern of rules: documents that wait for nothing else."
    )
    source: Annotated[Words, Field(max_length=300)] = Field("", description="A source, as `place` names it.")


class DecisionsReply(BaseModel):
    """What was decided of several documents in quarantine."""

    documents: list[str]
    collection: str
    state: Literal["approved", "rejected"]
    release: str


class DecisionReply(BaseModel):
    """What was decided of a document in quarantine."""

    document_id: str
    collection: str
    state: Literal["approved", "rejected"]
    release: str


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


class ErrorDetail(BaseModel):
    """What went wrong: the value and the remedy in words, a stable code, and the field if it is one."""

    message: str
    type: str
    code: str
    param: str | None
    request_id: str


class ErrorReply(BaseModel):
    """Every error, in OpenAI's shape."""

    error: ErrorDetail


Json = dict[str, Any]
