"""Is a new release fit to be served? Asked before it is activated; the answer stays beside it."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from ingestion.atomic import write_atomically
from ingestion.config import CollectionConfig
from ingestion.embed import Embedder
from ingestion.errors import ReleaseError, ScopeError
from ingestion.releases.release import VALIDATION, Release
from ingestion.search.asking import asked_part
from ingestion.search.retrieve import RetrievalSettings, SearchRequest, Tools, retrieve
from ingestion.view import EVERYTHING

_SAMPLE = 50
_EMBEDDED = 16
_DEPTH = 10
_SHOWN = 5
# Int8 arithmetic in batches of other sizes moves a vector a little; another model moves it a lot.
_SAME_MODEL = 0.97
_LEAST_RECALL = 0.95


@dataclass(frozen=True, slots=True)
class Validation:
    """What was measured, and in words what is wrong; a release with problems isn't activated.

    `recall` is that of the IVF index against exact search over a sample, 1 without one; `golden` is the
    share of golden questions whose document was among the first five, None without such questions.
    """

    at: str
    recall: float
    same_model: float
    golden: float | None
    missed: tuple[str, ...]
    problems: tuple[str, ...]


def validate(release: Release, embedder: Embedder, config: CollectionConfig, base: Path) -> Validation:
    """Measure a release and write down the result. Raises `ScopeError` for an unreadable golden file."""
    release.check()
    problems = []
    recall = _recall(release)
    if recall < _LEAST_RECALL:
        problems.append(f"The IVF index finds {recall:.0%} of the nearest, less than {_LEAST_RECALL:.0%}.")
    same = _same_model(release, embedder)
    if same < _SAME_MODEL:
        problems.append(f"Stored vectors are not the embedder's: cosine {same:.2f} with those it makes now.")
    golden, missed = _golden(release, embedder, config, base)
    if golden is not None and golden < config.index.least_golden:
        problems.append(
            f"{golden:.0%} of the golden questions find their document, less than"
            f" {config.index.least_golden:.0%}. Missed: {list(missed[:3])}."
        )
    found = Validation(datetime.now(UTC).isoformat(), recall, same, golden, missed, tuple(problems))
    write_atomically(release.folder / VALIDATION, json.dumps(asdict(found), indent=1))
    return found


def _sample(release: Release, count: int) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    positions = release.index.positions(EVERYTHING)
    chosen = np.random.default_rng(0).choice(len(positions), min(count, len(positions)), replace=False)
    return positions[np.sort(chosen)]


def _recall(release: Release) -> float:
    """Of stored vectors, slightly moved, as questions; against exact search over all segments."""
    if release.ivf is None:
        return 1.0
    vectors = release.index.vectors(_sample(release, _SAMPLE))
    moved = vectors + np.random.default_rng(1).normal(0, 0.01, vectors.shape).astype(np.float32)
    shares = []
    for vector in moved:
        found = release.index.search_dense(vector, _DEPTH, EVERYTHING)[0]
        exact = release.index.search_dense_exactly(vector, _DEPTH, EVERYTHING)[0]
        shares.append(len(np.intersect1d(found, exact)) / max(1, len(exact)))
    return float(np.mean(shares)) if shares else 1.0


def _same_model(release: Release, embedder: Embedder) -> float:
    """The median cosine of stored vectors with those that the embedder makes of the same texts."""
    positions = _sample(release, _EMBEDDED)
    if not len(positions):
        return 1.0
    texts = [chunk.embedded_text for chunk in release.chunks(positions)]
    return float(np.median((release.index.vectors(positions) * embedder.embed(texts)).sum(axis=1)))


def _golden(
    release: Release, embedder: Embedder, config: CollectionConfig, base: Path
) -> tuple[float | None, tuple[str, ...]]:
    if not config.index.golden:
        return None, ()
    cases = read_golden(base / config.index.golden)
    tools = Tools(embedder.languages, embedder.late)
    settings = RetrievalSettings(top_k=_SHOWN)
    questions = embedder.encode_questions([asked_part(question) for question, _ in cases])
    missed = []
    for (text, documents), question in zip(cases, questions, strict=True):
        hits = retrieve(release, SearchRequest(text, question, settings=settings), tools)
        if not {hit.chunk.document_id for hit in hits} & set(documents):
            missed.append(text)
    return 1 - len(missed) / len(cases), tuple(missed)


def read_golden(path: Path) -> list[tuple[str, Sequence[str]]]:
    """Questions and the documents of which one must be found. Raises `ScopeError`."""
    try:
        lines = path.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as exc:
        raise ScopeError(f"The golden questions {str(path)!r} cannot be read: {exc}.") from exc
    cases = [_case(path, number, line) for number, line in enumerate(lines, start=1) if line.strip()]
    if not cases:
        raise ScopeError(f"{str(path)!r} holds no question. Write some, or leave `golden` out.")
    return cases


def _case(path: Path, number: int, line: str) -> tuple[str, Sequence[str]]:
    try:
        raw = json.loads(line)
        return str(raw["question"]), [str(one) for one in raw["documents"]]
    except (ValueError, KeyError, TypeError) as exc:
        raise ScopeError(
            f"Line {number} of {str(path)!r} must be like"
            ' {"question": "How long is the warranty?", "documents": ["warranty.md"]}.'
        ) from exc


def refuse(release: Release, found: Validation) -> None:
    """Raise `ReleaseError` when a release has problems."""
    if found.problems:
        raise ReleaseError(
            f"Release {release.manifest.id!r} was built and is not activated: {' '.join(found.problems)}"
            f" `activate {release.manifest.id} --force` does it all the same."
        )
