"""One source to a document and its chunks: read, clean, scrub, screen, chunk. Pure but for the source's bytes."""

import hashlib
import json
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from importlib.metadata import version
from pathlib import Path

from ingestion.audience import plain_id
from ingestion.config import CollectionConfig
from ingestion.corpus import Block, Chunk, Document, Fact, Flag, Reading, Source, SourceFacts, Span
from ingestion.detect.heads import head_artifact
from ingestion.detect.injection import DOCUMENT_DIR, Finding, InjectionModel, load_injection_model
from ingestion.embed import Embedder, load_embedder
from ingestion.errors import SourceError
from ingestion.load import read
from ingestion.load.fetch import fetch
from ingestion.prepare.beside import (
    CERTAIN,
    date_of,
    is_web_address,
    language_of,
    runnable_refused,
    screen_beside,
    screen_id,
    scrub_numbers,
    texts_of,
    with_texts,
)
from ingestion.prepare.boilerplate import marked, outline
from ingestion.prepare.chunk import chunk_document
from ingestion.prepare.near_duplicates import bands_of
from ingestion.prepare.passages import judged
from ingestion.prepare.screen import code_of, model_flags, screen_text, without_code
from ingestion.scrub import ScrubbedText, Scrubber
from ingestion.scrub.names import load_names
from ingestion.scrub.pseudonyms import pseudonyms_of
from ingestion.text.clean import CleanText, clean, clean_text
from ingestion.text.language import guess_language

# Raise it when a stage changes what it makes of the same bytes: all documents are then made anew.
PIPELINE_VERSION = 9


@dataclass(frozen=True, slots=True)
class Plan:
    """All that shapes a document besides its source: small, and the same in every process.

    `boilerplate` holds keys of what a source repeats around its documents, by its name.
    """

    config: CollectionConfig
    folder: Path
    run_id: str = ""
    keep_originals: bool = False
    boilerplate: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class PreparedDocument:
    """A document, its chunks, and what was found on the way.

    `blocked` are types of personal data that keep it out; `originals` maps pseudonyms to values where
    a vault wants them; `timings` are seconds by stage.
    """

    document: Document
    chunks: tuple[Chunk, ...]
    bands: tuple[int, ...]
    blocked: frozenset[str] = frozenset()
    originals: Mapping[str, str] = field(default_factory=dict)
    timings: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ScrubbedReading:
    """What a reader made of a source, without personal data; `parts` say what was found in each text.

    `keys` are those of the metadata by how the source wrote them.
    """

    title: str
    source: str
    superseded_by: str | None
    blocks: tuple[Block, ...]
    metadata: Mapping[str, Fact]
    keys: Mapping[str, str]
    parts: tuple[ScrubbedText, ...]


def recipe_of(
    config: CollectionConfig, source_name: str, embedder_digest: str, *, head: Path = DOCUMENT_DIR
) -> str:
    """A digest of everything but its bytes that shapes a document of a source.

    Of the heads only the one that reads documents counts, so that training another leaves every corpus as it is.
    """
    policy = config.pii_of(source_name)
    clearance = config.clearance_of(source_name)
    parts = {
        "pipeline": PIPELINE_VERSION,
        "chunks": [config.chunk_tokens, config.contextual_header, config.languages],
        "screen": [
            config.screen.enabled,
            config.screen.model,
            config.screen.flag_above,
            config.screen.quarantine_above,
        ],
        "head": head_artifact(head).digest if config.screen.model else "",
        "pii": policy.model_dump(mode="json"),
        "names": load_names(policy.names).digest if policy.names != "none" else "",
        "clearance": clearance.model_dump(mode="json") if clearance else None,
        "metadata": config.source_of(source_name).metadata,
        "groups": config.groups_of(source_name),
        "embedder": embedder_digest,
        "presidio": version("presidio-analyzer"),
    }
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:24]


def _named(facts: SourceFacts, keys: Mapping[str, str]) -> Iterator[str]:
    """The facts that a source named, keys of metadata as they are kept."""
    for name in facts.told() if facts.named is None else facts.named:
        kind, dot, key = name.partition(".")
        if not dot:
            yield name
        elif key in keys:
            yield f"{kind}.{keys[key]}"


class Preparer:
    """Prepares the sources of a collection. Keeps what is slow to load."""

    def __init__(self, plan: Plan, embedder: Embedder | None = None) -> None:
        self._plan = plan
        self._embedder = embedder or load_embedder(plan.config.embedder)
        self._pseudonyms = pseudonyms_of(plan.folder)
        self._scrubbers: dict[str, Scrubber] = {}
        self._code_scrubbers: dict[str, Scrubber] = {}
        self._id_scrubbers: dict[str, Scrubber] = {}
        self._recipes: dict[str, str] = {}
        self._timings: dict[str, float] = {}
        self._injection: InjectionModel | None = None

    def prepare(self, source: Source) -> PreparedDocument:
        """Everything up to the vectors. Raises `SourceError`."""
        self._timings = {}
        with self._timed("read"):
            reading = _read(source)
        with self._timed("clean"):
            cleaned = clean(reading.blocks)
        if not cleaned.blocks:
            raise SourceError("No text was found in it.")
        keys = frozenset(self._plan.boilerplate.get(source.source_name, ()))
        cleaned = replace(cleaned, blocks=marked(cleaned.blocks, keys))
        with self._timed("scrub"):
            scrubbed = self._scrub(source, reading, cleaned)
        document = self._document(source, reading, scrubbed)
        with self._timed("screen"):
            planted = self._planted(document)
            document = replace(document, flags=self._flags(document, reading, cleaned, planted))
        with self._timed("chunk"):
            document, chunks = judged(document, self._chunks(document), planted)
        with self._timed("dedup"):
            bands = bands_of(document.text) if self._plan.config.deduplicate else ()
        if not chunks:
            raise SourceError("It holds headings alone and no text below them.")
        blocked = frozenset(entity for one in scrubbed.parts for entity in one.blocked)
        originals = {key: value for one in scrubbed.parts for key, value in one.originals.items()}
        return PreparedDocument(document, chunks, bands, blocked, originals, dict(self._timings))

    def outline(self, source: Source) -> tuple[str, ...]:
        """Keys of the texts at a source's edges. Raises `SourceError`."""
        return outline(clean(_read(source).blocks).blocks)

    @contextmanager
    def _timed(self, stage: str) -> Iterator[None]:
        begun = time.perf_counter()
        yield
        self._timings[stage] = self._timings.get(stage, 0.0) + time.perf_counter() - begun

    def _scrubber(self, source_name: str) -> Scrubber:
        if source_name not in self._scrubbers:
            self._scrubbers[source_name] = Scrubber(
                self._plan.config.pii_of(source_name), pseudonyms=self._pseudonyms
            )
        return self._scrubbers[source_name]

    def _code_scrubber(self, source_name: str) -> Scrubber:
        """For program code, in which neither names nor most identifiers are looked for."""
        if source_name not in self._code_scrubbers:
            policy = self._plan.config.pii_of(source_name).of_code()
            self._code_scrubbers[source_name] = Scrubber(
                policy, pseudonyms=self._pseudonyms, with_names=False
            )
        return self._code_scrubbers[source_name]

    def _id_scrubber(self, source_name: str) -> Scrubber:
        """For ids, whose numbers are seldom telephones or cards: only what has a form of its own is sought in them."""
        if source_name not in self._id_scrubbers:
            policy = self._plan.config.pii_of(source_name)
            certain = [entity for entity in policy.entities if entity in CERTAIN]
            self._id_scrubbers[source_name] = Scrubber(policy.model_copy(update={"entities": certain}))
        return self._id_scrubbers[source_name]

    def _scrub(self, source: Source, reading: Reading, cleaned: CleanText) -> ScrubbedReading:
        """All that will be shown, without personal data. In program code only what leaves no doubt is looked for."""
        scrubber = self._scrubber(source.rules_of)
        metadata = {
            **reading.metadata,
            **source.facts.metadata,
            **self._plan.config.source_of(source.rules_of).metadata,
        }
        title = clean_text(source.facts.title or reading.title).replace("\n", " ")
        metadata, numbers = scrub_numbers(scrubber, metadata)
        words = texts_of(metadata)
        prose = [i for i, block in enumerate(cleaned.blocks) if block.kind != "code"]
        code = [i for i, block in enumerate(cleaned.blocks) if block.kind == "code"]
        keep = self._plan.keep_originals
        texts = [title, *words, *(cleaned.blocks[i].text for i in prose)]
        done = scrubber.scrub_all(texts, keep_originals=keep)
        # In what programs read, and in names of files, names of people aren't looked for.
        plain = [
            source.facts.url if is_web_address(source.facts.url) else "",
            reading.superseded_by or "",
            *metadata,
        ]
        done_plain = scrubber.scrub_all(plain, keep_originals=keep, with_names=False)
        done_code = self._code_scrubber(source.rules_of).scrub_all(
            [cleaned.blocks[i].text for i in code], keep_originals=keep, with_names=False
        )
        first = 1 + len(words)
        blocks = list(cleaned.blocks)
        for i, one in [*zip(prose, done[first:], strict=True), *zip(code, done_code, strict=True)]:
            blocks[i] = replace(blocks[i], text=one.text)
        metadata = with_texts(metadata, (one.text for one in done[1:first]))
        keys = dict(zip(metadata, (one.text for one in done_plain[2:]), strict=True))
        metadata = {keys[key]: value for key, value in metadata.items()}
        parts = (*done, *done_plain, *done_code, *numbers)
        shown = (
            done_plain[0].text
            or self._id_scrubber(source.rules_of).scrub(runnable_refused(plain_id(source.id))).text
        )
        return ScrubbedReading(
            done[0].text, shown, done_plain[1].text or None, tuple(blocks), metadata, keys, parts
        )

    def _document(self, source: Source, reading: Reading, scrubbed: ScrubbedReading) -> Document:
        config = self._plan.config
        text, spans = assemble(scrubbed.blocks)
        counts: Counter[str] = Counter()
        for one in scrubbed.parts:
            counts.update(one.counts)
        rules = source.rules_of
        clearance = config.clearance_of(rules)
        if rules not in self._recipes:
            self._recipes[rules] = recipe_of(config, rules, self._embedder.digest)
        return Document(
            id=source.id,
            title=scrubbed.title,
            source=scrubbed.source,
            digest=source.digest,
            language=language_of(source.facts.language)
            or language_of(reading.language)
            or guess_language(text, config.languages),
            text=text,
            spans=spans,
            updated=date_of(source.facts.updated) or date_of(reading.updated),
            superseded_by=scrubbed.superseded_by,
            pii=dict(counts),
            source_name=source.source_name,
            run_id=self._plan.run_id,
            clearance=clearance.model_dump(mode="json") if clearance else {},
            metadata=scrubbed.metadata,
            recipe=self._recipes[rules],
            groups=self._groups(source),
            pii_policy=config.pii_of(rules).digest,
            named=tuple(_named(source.facts, scrubbed.keys)),
            declared_by=source.declared_by,
            size_bytes=source.size_bytes if source.size_bytes >= 0 else None,
        )

    def _groups(self, source: Source) -> tuple[str, ...]:
        """Who may see it: as its source says of this document, else as the scope file says of the source.

        What a document says of itself doesn't count: who writes a document must not open it to others.
        """
        said = source.facts.groups
        groups = self._plan.config.groups_of(source.rules_of) if said is None else said
        return tuple(sorted({group.strip() for group in groups if group.strip()}))

    def _planted(self, document: Document) -> list[Finding]:
        """Sentences that somebody may have planted, the worst first."""
        policy = self._plan.config.screen
        if not policy.enabled or not policy.model:
            return []
        if self._injection is None:
            self._injection = load_injection_model()
        prose = without_code(document.text, code_of(document))
        found = self._injection.judge_documents([prose], document.language)[0]
        return [finding for finding in found if finding.score >= policy.flag_above]

    def _flags(
        self, document: Document, reading: Reading, cleaned: CleanText, planted: Sequence[Finding]
    ) -> tuple[Flag, ...]:
        policy = self._plan.config.screen
        if not policy.enabled:
            return ()
        unseen = [*reading.hidden, *cleaned.hidden]
        found = list(
            screen_text(document.text, unseen, cleaned.invisible, code_of(document), aside=reading.aside)
        )
        found += [*screen_beside(document), *screen_id(document, self._id_scrubber(document.source_name))]
        return (*found, *model_flags([one for one in planted if one.score >= policy.quarantine_above]))

    def _chunks(self, document: Document) -> list[Chunk]:
        config = self._plan.config
        count = self._embedder.count_tokens
        return chunk_document(
            document, max_tokens=config.chunk_tokens, count=count, header=config.contextual_header
        )


def _read(source: Source) -> Reading:
    try:
        return read(fetch(source), (source.inner or (source.path,))[-1])
    except (SourceError, MemoryError):
        raise
    except RecursionError as exc:
        raise SourceError("It is nested too deeply to be read.") from exc
    except Exception as exc:
        raise SourceError(f"The reader failed on it: {type(exc).__name__}: {str(exc)[:200]}.") from exc


def assemble(blocks: Sequence[Block]) -> tuple[str, tuple[Span, ...]]:
    """The document's text and where each block lies in it. Rows and items follow line by line, and what explains a term
    goes on in its line."""
    parts: list[str] = []
    spans: list[Span] = []
    position = 0
    for index, block in enumerate(blocks):
        if index:
            gap = _gap(blocks[index - 1], block)
            parts.append(gap)
            position += len(gap)
        end = position + len(block.text)
        spans.append(Span(block.kind, position, end, block.level, block.page, block.depth))
        parts.append(block.text)
        position = end
    return "".join(parts), tuple(spans)


def _gap(before: Block, block: Block) -> str:
    if before.kind == "term" and block.kind in ("paragraph", "item") and block.depth == before.depth + 1:
        return " " if before.text.endswith(":") else ": "
    return "\n" if block.kind in ("row", "item", "term") and before.kind == block.kind else "\n\n"


Prepare = Callable[[Source], PreparedDocument]
