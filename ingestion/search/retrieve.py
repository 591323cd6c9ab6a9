"""From a question to passages: candidates of two indexes, fused, looked at again, tidied."""

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Annotated, Literal

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field

from ingestion.corpus import Chunk, Hit
from ingestion.embed import EncodedQuestion, LateHead
from ingestion.releases.candidates import Positions
from ingestion.releases.release import Release
from ingestion.search.rerank import Reranker, late_scores
from ingestion.text.language import guess_language
from ingestion.view import EVERYTHING, View

Floats = npt.NDArray[np.float32]
Mode = Literal["hybrid", "dense", "lexical"]
_WORD = re.compile(r"\w+")
# Passages that share so many words, and every number, say the same.
_SAME_WORDS = 0.9
_MOST_JOINED = 3


class RetrievalSettings(BaseModel):
    """How passages are found."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    mode: Mode = "hybrid"
    top_k: Annotated[int, Field(ge=1, le=50)] = 5
    candidates: Annotated[int, Field(ge=1, le=1000)] = Field(
        100, description="Rows that each index contributes before fusion."
    )
    dense_weight: Annotated[float, Field(ge=0, le=1)] = Field(
        0.5, description="Weight of the dense score in the fusion; the lexical one has the rest."
    )
    foreign_dense_weight: Annotated[float, Field(ge=0, le=1)] = Field(
        0.3, description="The same for a question in a language that the embedder was not trained for."
    )
    rerank: str = Field(
        "late",
        description="`late`: late interaction, where the embedder has it; `none`; or the folder or hub name of a"
        " cross-encoder.",
    )
    rerank_weight: Annotated[float, Field(ge=0, le=10)] = Field(
        1.0, description="Weight of the second look beside the fused score, which has 1."
    )
    rerank_depth: Annotated[int, Field(ge=1, le=500)] = Field(
        50, description="How many of the best candidates get a second look."
    )
    per_document: Annotated[int, Field(ge=0, le=50)] = Field(
        3, description="Passages of one document before others get their turn; 0 for no limit."
    )
    collapse: bool = Field(True, description="Whether passages that say the same are shown once.")
    join: bool = Field(
        True, description="Whether neighbours within a section that were both found become one."
    )
    include_superseded: bool = Field(False, description="Whether older versions of documents are found.")
    relevance_floor: Annotated[float, Field(ge=0, le=1)] = Field(
        0.53,
        description="Abstain when the probability that the passages answer is below this. An embedder without a"
        " calibration (`python -m evals calibrate`) gives no probability: unset counts as 0 there, and more is refused.",
    )


@dataclass(frozen=True, slots=True)
class Query:
    """A question as it is searched for; `hints` are further words for the lexical index alone."""

    text: str
    question: EncodedQuestion
    hints: str = ""


@dataclass(frozen=True, slots=True)
class Tools:
    """What retrieval needs besides the release: what the embedder knows, and rerankers by name."""

    languages: frozenset[str] | None = None
    late: LateHead | None = None
    rerankers: Mapping[str, Reranker] | None = None


@dataclass(frozen=True, slots=True)
class _Candidates:
    """Positions with the scores of every stage, the best first."""

    positions: Positions
    final: Floats
    stages: Mapping[str, Floats]


def retrieve(
    release: Release,
    query: Query,
    settings: RetrievalSettings,
    view: View = EVERYTHING,
    tools: Tools = Tools(),
) -> list[Hit]:
    """The best `top_k` passages, best first, out of those that the view shows.

    Fusion is the convex combination of cosines and BM25 scores, each scaled to 0-1 over the candidates
    (Bruch et al. 2023, "An Analysis of Fusion Functions for Hybrid Retrieval"). Every score is between 0
    and 1 but `dense` and `rerank`, which are cosines, and `lexical`, which is BM25.
    """
    view = replace(view, include_superseded=settings.include_superseded or view.include_superseded)
    found = _candidates(release, query, settings, view, tools)
    if found is None:
        return []
    return _diversify(release, found, settings)


def _candidates(
    release: Release, query: Query, settings: RetrievalSettings, view: View, tools: Tools
) -> _Candidates | None:
    limit = max(settings.candidates, settings.top_k)
    vector = query.question.vector
    words = release.index.words(f"{query.text} {query.hints}", view)
    positions: Positions = np.empty(0, np.int64)
    if settings.mode != "lexical":
        positions, _ = release.searcher.search_dense(vector, limit, view)
    if settings.mode != "dense":
        positions = np.union1d(positions, release.searcher.search_lexical(words, limit))
    if not len(positions):
        return None
    cosines, bm25 = release.index.cosines(vector, positions), words.at(positions)
    is_known = _is_known(release, query.text, tools)
    weight = _weight(settings, is_known=is_known)
    fused = weight * _scale(cosines) + (1 - weight) * _scale(bm25, floor=0.0)
    order = np.argsort(-fused, kind="stable")
    stages = {"dense": cosines[order], "lexical": bm25[order], "fused": fused[order]}
    first = _Candidates(positions[order], fused[order], stages)
    return _rerank(release, query, first, settings, tools, is_known=is_known)


def _weight(settings: RetrievalSettings, *, is_known: bool) -> float:
    if settings.mode != "hybrid":
        return 1.0 if settings.mode == "dense" else 0.0
    return settings.dense_weight if is_known else settings.foreign_dense_weight


def _is_known(release: Release, text: str, tools: Tools) -> bool:
    """Whether the embedder was trained for the question's language."""
    declared = [one for one in release.manifest.languages if len(one) == 2]
    if tools.languages is None or tools.languages.issuperset(declared):
        return True
    return guess_language(text, declared) in tools.languages


def _rerank(
    release: Release,
    query: Query,
    found: _Candidates,
    settings: RetrievalSettings,
    tools: Tools,
    *,
    is_known: bool,
) -> _Candidates:
    """The best candidates in a new order; the others keep theirs behind them."""
    depth = max(settings.rerank_depth, settings.top_k)
    top = found.positions[:depth]
    scores: Floats | None = None
    if settings.rerank == "late":
        # Token vectors of a language that the model doesn't know are no better than its sentence vectors.
        if settings.mode != "lexical" and is_known:
            scores = late_scores(tools.late, release.index, query.question, top)
    elif settings.rerank != "none" and tools.rerankers:
        texts = [chunk.embedded_text for chunk in release.chunks(top)]
        scores = tools.rerankers[settings.rerank].score(query.text, texts)
    if scores is None:
        return found
    share = settings.rerank_weight / (1 + settings.rerank_weight)
    final = (1 - share) * found.final
    final[:depth] += share * _scale(scores)
    final[depth:] = np.minimum(final[depth:], final[:depth].min())
    order = np.argsort(-final, kind="stable")
    again = np.full(len(final), np.nan, np.float32)
    again[:depth] = scores
    stages = {name: values[order] for name, values in {**found.stages, "rerank": again}.items()}
    return _Candidates(found.positions[order], final[order], stages)


def _scale(scores: Floats, *, floor: float | None = None) -> Floats:
    low = float(scores.min()) if floor is None else floor
    span = float(scores.max()) - low
    return (scores - low) / span if span > 0 else np.zeros_like(scores)


# What is shown.


def _diversify(release: Release, found: _Candidates, settings: RetrievalSettings) -> list[Hit]:
    """The first passages without copies, neighbours joined, no document before its turn."""
    shown: list[Hit] = []
    waiting: list[Hit] = []
    said: list[frozenset[str]] = []
    counts: Counter[str] = Counter()
    batch = 2 * settings.top_k
    for begin in range(0, len(found.positions), batch):
        chunks = release.chunks(found.positions[begin : begin + batch])
        for number, chunk in enumerate(chunks, start=begin):
            scores = {name: float(v[number]) for name, v in found.stages.items() if v[number] == v[number]}
            hit = Hit(chunk, float(found.final[number]), scores)
            if settings.join and _join(release, shown, hit):
                continue
            words = frozenset(_WORD.findall(chunk.text.casefold())) if settings.collapse else frozenset()
            if settings.collapse and any(_say_the_same(one, words) for one in said):
                continue
            said.append(words)
            is_full = settings.per_document and counts[chunk.document_id] >= settings.per_document
            (waiting if is_full else shown).append(hit)
            counts[chunk.document_id] += 1
            if len(shown) == settings.top_k:
                return shown
    return [*shown, *waiting][: settings.top_k]


def _join(release: Release, shown: list[Hit], hit: Hit) -> bool:
    """Add a passage to a neighbour of its section that is shown already; whether there was one."""
    chunk = hit.chunk
    for number, other in enumerate(shown):
        before, after = sorted((other.chunk, chunk), key=lambda one: one.start)
        if not _are_neighbours(before, after) or len(other.joined) >= _MOST_JOINED - 1:
            continue
        text = release.documents.passage(chunk.document_id, before.start, after.end)
        both = replace(other.chunk, text=text, start=before.start, end=after.end, page=before.page)
        shown[number] = replace(other, chunk=both, joined=(*other.joined, chunk.id))
        return True
    return False


def _are_neighbours(before: Chunk, after: Chunk) -> bool:
    """Parts of one section with nothing between them but a line's or a paragraph's end."""
    return (
        before.document_id == after.document_id
        and before.heading == after.heading
        and 0 <= after.start - before.end <= 2
    )


def _say_the_same(one: frozenset[str], other: frozenset[str]) -> bool:
    if min(len(one), len(other)) < _SAME_WORDS * max(len(one), len(other)):
        return False
    if len(one & other) < _SAME_WORDS * len(one | other):
        return False
    return not any(word.isnumeric() for word in one ^ other)
