"""Retrieval: is the right document found, and do the passages contain the answer?"""

from evals.corpora import Judgement, built_release, covid_qa, scifact, xquad
from evals.harness import rank, search_all
from evals.metrics import Figure, mean, ndcg, share
from evals.suites.context import Context
from ingestion.corpus import Hit
from ingestion.releases.release import Release
from ingestion.search.retrieve import RetrievalSettings

# Deep enough that ten documents remain after several chunks of one are folded together.
_DEPTH = 50
_LANGUAGES = ("en", "de", "es")
_SHOWN = 5


def measure(context: Context) -> dict[str, Figure]:
    """The demo, and the public sets when their folder was named."""
    found = [
        any(hit.chunk.document_id in case.documents for hit in answered.hits[:_SHOWN])
        for case, answered in context.demo_answers
        if case.answerable
    ]
    figures = {"demo.retrieval.hit@5": share(found)}
    if context.data is None:
        return figures
    for language in _LANGUAGES:
        documents, judged = xquad(context.data, language)
        release = built_release(
            f"xquad-{language}", documents, context.embedder, context.data_dir, language=language
        )
        figures[f"xquad.{language}.retrieval.ndcg@10"] = _ndcg(context, release, judged)
    documents, judged = scifact(context.data)
    release = built_release("scifact", documents, context.embedder, context.data_dir)
    # What each stage adds: words alone, vectors alone, fused, and reranked.
    for name, changes in _STAGES.items():
        figures[f"scifact.retrieval.{name}ndcg@10"] = _ndcg(context, release, judged, changes)
    documents, judged = covid_qa(context.data)
    release = built_release("covid-qa", documents, context.embedder, context.data_dir)
    figures["covidqa.retrieval.answer@5"] = _answers(context, release, judged)
    return figures


_STAGES: dict[str, dict[str, object]] = {
    "lexical.": {"mode": "lexical", "rerank": "none"},
    "dense.": {"mode": "dense", "rerank": "none"},
    "fused.": {"rerank": "none"},
    "": {},
}


def _settings(context: Context, **changes: object) -> RetrievalSettings:
    variant = context.scope.variants[context.scope.assistants[context.assistant].variant]
    return variant.retrieval.model_copy(update=changes)


def _ndcg(
    context: Context, release: Release, judged: Judgement, changes: dict[str, object] | None = None
) -> Figure:
    settings = _settings(context, top_k=_DEPTH, **(changes or {}))
    ranked = rank(release, context.embedder, list(judged.questions.values()), settings)
    gains = [judged.gains[key] for key in judged.questions]
    return mean([ndcg(names, gain) for names, gain in zip(ranked, gains, strict=True)])


def _answers(context: Context, release: Release, judged: Judgement) -> Figure:
    """The share of questions with an answer's words in one of the first five passages."""
    settings = _settings(context, top_k=_SHOWN)
    found = search_all(release, context.embedder, list(judged.questions.values()), settings)
    return share(
        [_holds(hits, judged.answers[key]) for key, hits in zip(judged.questions, found, strict=True)]
    )


def _holds(hits: list[Hit], answers: tuple[str, ...]) -> bool:
    texts = [" ".join(hit.chunk.text.split()).casefold() for hit in hits]
    return any(" ".join(answer.split()).casefold() in text for answer in answers for text in texts)
