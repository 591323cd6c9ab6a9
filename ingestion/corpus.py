"""The values that travel between the stages of ingestion and into the answer path."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, Self

Scalar = str | int | float | bool
# What a document may have in a field of its metadata: a value, or several texts such as tags.
Fact = Scalar | list[str]
NAMED_FACTS = ("title", "language", "updated", "url")
Holds = Literal["document", "passage"]
# Boilerplate is what a source repeats around its documents: part of their text, and of no chunk.
BlockKind = Literal["heading", "paragraph", "item", "row", "code", "term", "boilerplate"]


@dataclass(frozen=True, slots=True)
class Block:
    """A piece of a source as a reader saw it. `level` is 1-6 for headings, `page` counts from 1.

    A term is what the blocks behind it explain: an option, a setting, a word of a glossary. `depth` says under how many terms
    a block stands: the explanation of a term of depth 0 has 1, and so has a term within that explanation.
    """

    kind: BlockKind
    text: str
    level: int = 0
    page: int | None = None
    depth: int = 0


@dataclass(frozen=True, slots=True)
class SourceFacts:
    """What a source says of a document; an empty text says nothing.

    `groups` is the word of whoever may restrict the document: None leaves it to the scope file, an empty tuple is for
    everybody. `metadata` is free, and no key of it means anything here. `validator` is a page's ETag or date. `named` are the
    fields that an upload names, empty ones too, of which an update keeps the others; None is for all that have a value.
    """

    title: str = ""
    language: str = ""
    updated: str = ""
    url: str = ""
    validator: str = ""
    groups: tuple[str, ...] | None = None
    metadata: Mapping[str, Fact] = field(default_factory=dict)
    named: tuple[str, ...] | None = None

    @classmethod
    def of(cls, values: Mapping[str, Fact], groups: tuple[str, ...] | None = None) -> Self:
        """Facts of a mapping in which title, language, date and URL stand beside free metadata. Groups never do."""
        return cls(
            title=str(values.get("title") or ""),
            language=str(values.get("language") or ""),
            updated=str(values.get("updated") or ""),
            url=str(values.get("url") or ""),
            groups=groups,
            metadata={k: v for k, v in values.items() if k not in NAMED_FACTS},
        )

    def told(self) -> tuple[str, ...]:
        """The fields that have a value: `title`, `groups`, and `metadata.KEY` for each key."""
        plain = [name for name in NAMED_FACTS if getattr(self, name)]
        groups = [] if self.groups is None else ["groups"]
        return (*plain, *groups, *(f"metadata.{key}" for key in self.metadata))


NO_FACTS = SourceFacts()


@dataclass(frozen=True, slots=True)
class Source:
    """Something to ingest: its id within the collection, what tells a change, and how to get its bytes.

    `digest` is of the bytes where they are at hand, else of what their source says of them (size, time, ETag).
    `source_name` names the declared source that it belongs to. `inner` leads through containers: the members of an archive.
    `data` are the bytes where getting them was part of finding it; `facts` are what its source says of it.
    `declared_by` names the source whose clearance, policy, groups and metadata hold where that is another one: that of the
    document which it replaces.
    """

    id: str
    path: str
    digest: str
    size_bytes: int
    source_name: str = ""
    inner: tuple[str, ...] = ()
    data: bytes | None = None
    facts: SourceFacts = NO_FACTS
    declared_by: str = ""

    @property
    def rules_of(self) -> str:
        """The source whose declaration holds for it."""
        return self.declared_by or self.source_name


@dataclass(frozen=True, slots=True)
class Reading:
    """What a reader made of a source: title, blocks in reading order, and what it declares of itself.

    `hidden` is text that a person would not see: kept out of the blocks, shown to the screen. `aside` is kept out too, but
    hiding it was nothing unusual: a slide, a sheet, a row that its author's program hides.
    """

    title: str
    blocks: tuple[Block, ...]
    language: str | None = None
    updated: str | None = None
    superseded_by: str | None = None
    hidden: tuple[str, ...] = ()
    aside: tuple[str, ...] = ()
    metadata: Mapping[str, Scalar] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Flag:
    """What a screen found: the rule, what it is in words, and where in the document's text.

    `holds` says what waits for a person because of it: the document, or the passage in which it stands. What is certain waits
    however often people approved the same rule in its source.
    """

    rule: str
    reason: str
    start: int = 0
    end: int = 0
    holds: Holds = "document"
    is_certain: bool = True


@dataclass(frozen=True, slots=True)
class Span:
    """Where a block lies in `Document.text`: characters `start:end`."""

    kind: BlockKind
    start: int
    end: int
    level: int = 0
    page: int | None = None
    depth: int = 0


@dataclass(frozen=True, slots=True)
class Document:
    """A source as ingested: cleaned, scrubbed text and the spans of its blocks.

    `groups` may see it; without any, everybody may. `pii_policy` is the digest of the policy it was scrubbed under. `named` are
    the facts that its source named (`SourceFacts.told`); `declared_by` is that of its source. `size_bytes` is what its source
    had, None where that isn't known.
    """

    id: str
    title: str
    source: str
    digest: str
    language: str
    text: str
    spans: tuple[Span, ...]
    updated: str | None = None
    superseded_by: str | None = None
    pii: Mapping[str, int] = field(default_factory=dict)
    source_name: str = ""
    run_id: str = ""
    clearance: Mapping[str, object] = field(default_factory=dict)
    metadata: Mapping[str, Fact] = field(default_factory=dict)
    flags: tuple[Flag, ...] = ()
    recipe: str = ""
    groups: tuple[str, ...] = ()
    pii_policy: str = ""
    named: tuple[str, ...] = ()
    declared_by: str = ""
    size_bytes: int | None = None

    @property
    def content(self) -> str:
        """A key that documents with the same text share."""
        return hashlib.sha256(self.text.encode()).hexdigest()[:32]


@dataclass(frozen=True, slots=True)
class Chunk:
    """A piece of a document that is retrieved: `document.text[start:end] == text`, always."""

    id: str
    document_id: str
    ordinal: int
    text: str
    start: int
    end: int
    title: str
    source: str
    language: str
    heading: str = ""
    page: int | None = None
    updated: str | None = None
    superseded: bool = False
    verdict: str = "pass"
    has_header: bool = True

    @property
    def header(self) -> str:
        """Title and heading path, `title › heading`, as embedded in front of the text."""
        return f"{self.title} › {self.heading}" if self.heading else self.title

    @property
    def embedded_text(self) -> str:
        """The text that the embedder and the lexical index see."""
        return f"{self.header}\n{self.text}" if self.header and self.has_header else self.text


@dataclass(frozen=True, slots=True)
class Hit:
    """A retrieved chunk with its score and those of every stage.

    `joined` are the ids of neighbours whose text was added to the chunk's.
    """

    chunk: Chunk
    score: float
    scores: Mapping[str, float]
    joined: tuple[str, ...] = ()
