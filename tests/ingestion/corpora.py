"""Small releases for tests, made without files: documents with groups, metadata and texts."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ingestion.corpus import Chunk, Document, Scalar
from ingestion.embed import Embedder
from ingestion.embed.values import EncodedQuestion
from ingestion.index.segment import Entry
from ingestion.releases.build import Change, Recipe, build_release
from ingestion.releases.release import Release

DIMENSION = 32


@dataclass(frozen=True)
class Page:
    name: str
    texts: tuple[str, ...]
    groups: tuple[str, ...] = ()
    metadata: dict[str, Scalar] = field(default_factory=dict)
    superseded: bool = False
    heading: tuple[str, ...] = ()
    language: str = "en"
    verdicts: tuple[str, ...] = ()


def vector_of(text: str) -> np.ndarray:
    """A vector that depends on the text alone."""
    rng = np.random.default_rng(list(text.encode()))
    vector = rng.normal(size=DIMENSION).astype(np.float32)
    return vector / np.linalg.norm(vector)


def question_of(text: str) -> EncodedQuestion:
    return EncodedQuestion(vector_of(text), np.empty((0, 0), np.float32), np.empty(0, np.float32))


def entry_of(page: Page, embedder: Embedder | None = None) -> Entry:
    text = "\n".join(page.texts)
    by = "newer" if page.superseded else None
    document = Document(
        page.name, page.name, page.name, page.name, page.language, text, (), superseded_by=by, metadata=page.metadata,
        groups=page.groups,
    )  # fmt: skip
    chunks, start = [], 0
    for number, one in enumerate(page.texts):
        heading = page.heading[number] if page.heading else ""
        chunks.append(
            Chunk(
                f"{page.name}-{number}",
                page.name,
                number,
                one,
                start,
                start + len(one),
                "",
                page.name,
                page.language,
                heading=heading,
                superseded=page.superseded,
                verdict=page.verdicts[number] if page.verdicts else "pass",
            )  # fmt: skip
        )
        start += len(one) + 1
    rows = tuple(range(len(chunks)))
    if embedder is None:
        return Entry(document, tuple(chunks), rows, np.stack([vector_of(t) for t in page.texts]))
    found = embedder.encode([chunk.embedded_text for chunk in chunks])
    return Entry(document, tuple(chunks), rows, found.vectors, (), found.codes)


def release_of(
    folder: Path,
    pages: Sequence[Page],
    *,
    base: Release | None = None,
    removed: Sequence[str] = (),
    kind: str = "exact",
    origin: str = "run",
    embedder: Embedder | None = None,
    languages: tuple[str, ...] = ("en",),
) -> Release:
    dimension = embedder.dimension if embedder else DIMENSION
    digest = embedder.digest if embedder else "none"
    recipe = Recipe("tests", "builtin", "tests", digest, dimension, languages, kind)  # type: ignore[arg-type]
    change = Change([entry_of(page, embedder) for page in pages], removed, origin)
    return build_release(folder, "c", base, change, recipe)
