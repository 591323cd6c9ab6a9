"""From a question to passages: the request, and the order of candidates, fusion, reranking and diversity."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from ingestion.corpus import Hit
from ingestion.embed import EncodedQuestion, LateHead
from ingestion.releases.candidates import Positions
from ingestion.releases.release import Release
from ingestion.search.asking import asked_part
from ingestion.search.diversify import Diversity, diversify
from ingestion.search.fusion import Candidates, Floats, Mode, fuse_candidates
from ingestion.search.named import raise_named
from ingestion.search.rerank import Reranker, cross_scores, late_scores, rerank
from ingestion.text.language import guess_language
from ingestion.view import EVERYTHING, View


class RetrievalSettings(BaseModel):
    """How passages are found."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    mode: Mode = Field(
        "hybrid", description="Which indexes are searched: vectors (`dense`), words (`lexical`), or both."
    )
    top_k: Annotated[int, Field(ge=1, le=50)] = Field(5, description="Number of passages found.")
    candidates: Annotated[int, Field(ge=1, le=1000)] = Field(
        100, description="Rows that each index contributes before fusion."
    )
    dense_weight: Annotated[float, Field(ge=0, le=1)] = Field(
        0.5, description="Weight of the dense score in the fusion; the lexical one has the rest."
    )
    foreign_dense_weight: Annotated[float, Field(ge=0, le=1)] = Field(
        0.3,
        description="Weight of the dense score for a question in a language that the embedder was not trained for.",
    )
    rerank: str = Field(
        "late",
        description="`late`: late interaction, where the embedder has it; `none`; or the folder or hub name of a"
        " cross-encoder.",
    )
    rerank_weight: Annotated[float, Field(ge=0, le=10)] = Field(
        1.0, description="Weight of the reranker's score beside the fused score, which has 1."
    )
    rerank_depth: Annotated[int, Field(ge=1, le=500)] = Field(
        50, description="Number of the best candidates that are reranked."
    )
    per_document: Annotated[int, Field(ge=0, le=50)] = Field(
        3,
        description="Largest number of passages of one document while other documents have some; 0 means no limit.",
    )
    collapse: bool = Field(True, description="Whether passages that say the same are shown once.")
    join: bool = Field(
        True,
        description="Whether neighbouring passages of a section that are both found are joined into one.",
    )
    include_superseded: bool = Field(False, description="Whether older versions of documents are found.")
    relevance_floor: Annotated[float, Field(ge=0, le=1)] = Field(
        0.53,
        description="Abstain when the probability that the passages answer is below this. An embedder without a"
        " calibration (`touchstone evals calibrate`) gives no probability: unset counts as 0 there, and more is refused.",
    )


@dataclass(frozen=True, slots=True)
class SearchRequest:
    """A question as it is searched for, how, and in what the caller may see.

    `question` is the encoded part of the text that asks (`asked_part`). `hints` are further words for the lexical index alone.
    """

    text: str
    question: EncodedQuestion
    hints: str = ""
    settings: RetrievalSettings = RetrievalSettings()
    view: View = EVERYTHING


@dataclass(frozen=True, slots=True)
class Tools:
    """What retrieval needs besides the release: what the embedder knows, and rerankers by name."""

    languages: frozenset[str] | None = None
    late: LateHead | None = None
    rerankers: Mapping[str, Reranker] | None = None


def retrieve(release: Release, request: SearchRequest, tools: Tools = Tools()) -> list[Hit]:
    """The best `top_k` passages, best first, out of those that the view shows.

    Every score is between 0 and 1 but `dense` and `rerank`, which are cosines, and `lexical`, which is BM25.
    """
    settings = request.settings
    is_known = _is_known(release, request.text, tools)
    found = _candidates(release, request, is_known=is_known)
    if found is None:
        return []
    top = found.positions[: max(settings.rerank_depth, settings.top_k)]
    scores = _second_scores(release, request, tools, top, is_known=is_known)
    if scores is not None:
        found = rerank(found, scores, weight=settings.rerank_weight)
    if settings.mode != "dense":
        found = raise_named(release, found, asked_part(request.text), depth=len(top))
    rules = Diversity(settings.top_k, settings.per_document, settings.collapse, settings.join)
    return diversify(release, found, rules)


def _is_known(release: Release, text: str, tools: Tools) -> bool:
    """Whether the embedder was trained for the question's language."""
    declared = [one for one in release.manifest.languages if len(one) == 2]
    if tools.languages is None or tools.languages.issuperset(declared):
        return True
    return guess_language(text, declared) in tools.languages


def _candidates(release: Release, request: SearchRequest, *, is_known: bool) -> Candidates | None:
    settings, view = request.settings, request.view
    view = replace(view, include_superseded=settings.include_superseded or view.include_superseded)
    asked, whole = asked_part(request.text), f"{request.text} {request.hints}"
    is_long = asked != request.text
    words = release.index.words(asked if is_long else whole, view, background=whole if is_long else "")
    return fuse_candidates(
        release,
        request.question.vector,
        words,
        mode=settings.mode,
        limit=max(settings.candidates, settings.top_k),
        dense_weight=_dense_weight(settings, is_known=is_known),
    )


def _dense_weight(settings: RetrievalSettings, *, is_known: bool) -> float:
    if settings.mode != "hybrid":
        return 1.0 if settings.mode == "dense" else 0.0
    return settings.dense_weight if is_known else settings.foreign_dense_weight


def _second_scores(
    release: Release, request: SearchRequest, tools: Tools, positions: Positions, *, is_known: bool
) -> Floats | None:
    """Scores of the reranker that the settings name; None where there is none, or it can't help."""
    settings = request.settings
    if settings.rerank == "late":
        # Token vectors of a language that the model doesn't know are no better than its sentence vectors.
        if settings.mode == "lexical" or not is_known:
            return None
        return late_scores(tools.late, release.index, request.question, positions)
    if settings.rerank == "none" or not tools.rerankers:
        return None
    return cross_scores(tools.rerankers[settings.rerank], release, asked_part(request.text), positions)
