"""Is the right document found?"""

from evals.corpora import Judged, built_release, scifact, xquad
from evals.harness import rank
from evals.metrics import Figure, mean, ndcg, share
from evals.suites.context import Context

# Deep enough that ten documents remain after several chunks of one are folded together.
_DEPTH = 50


def measure(context: Context) -> dict[str, Figure]:
    """The demo, and the public sets when their folder was named."""
    found = [
        any(hit.chunk.document_id in case.documents for hit in answered.hits[:5])
        for case, answered in context.demo_answers
        if case.answerable
    ]
    figures = {"demo.retrieval.hit@5": share(found)}
    if context.data is not None:
        figures["xquad.en.retrieval.ndcg@10"] = _public(context, "xquad", *xquad(context.data))
        figures["scifact.retrieval.ndcg@10"] = _public(context, "scifact", *scifact(context.data))
    return figures


def _public(context: Context, name: str, documents: list[tuple[str, str, str]], judged: Judged) -> Figure:
    release = built_release(name, documents, context.embedder, context.data_dir)
    variant = context.scope.variants[context.scope.assistants[context.assistant].variant]
    settings = variant.retrieval.model_copy(update={"top_k": _DEPTH})
    ranked = rank(release, context.embedder, list(judged.questions.values()), settings)
    gains = [judged.gains[key] for key in judged.questions]
    return mean([ndcg(names, gain) for names, gain in zip(ranked, gains, strict=True)])
