"""Answers: do they contain the expected words, and are their citations valid?"""

from evals.corpora import built_release, xquad
from evals.harness import Answered, answer_all
from evals.metrics import Figure, share
from evals.suites import generated
from evals.suites.context import Context
from ingestion.releases.release import Release


def measure(context: Context) -> dict[str, Figure]:
    """The demo, and XQuAD English when its folder was named. An abstention counts as a miss.

    With a generator its answers are beside those of the documents, as `{demo,xquad.en}.generated.*`.
    """
    contains, valid = [], []
    for case, answered in context.demo_answers:
        if case.answerable:
            contains.append(_contains(answered, case.answers))
        valid += _valid(answered, context.demo)
    figures = {"demo.answers.contains": share(contains), "demo.citations.valid": share(valid)}
    if context.data is not None:
        figures |= _xquad(context)
    return figures | (generated.answers(context) if context.generator else {})


def _xquad(context: Context) -> dict[str, Figure]:
    documents, judged = xquad(context.data) if context.data else ([], None)
    if judged is None:
        return {}
    release = built_release("xquad", documents, context.embedder, context.data_dir)
    # Every question has an answer here: what is measured is the choice of sentences.
    scope = context.scope
    name = scope.assistants[context.assistant].variant
    variant = scope.variants[name]
    open_floor = variant.retrieval.model_copy(update={"relevance_floor": 0.0})
    open_variant = variant.model_copy(update={"retrieval": open_floor})
    scope = scope.model_copy(update={"variants": {**scope.variants, name: open_variant}})
    questions = list(judged.questions.values())
    answered = answer_all(scope, context.assistant, release, context.embedder, questions)
    pairs = list(zip(judged.questions, answered, strict=True))
    valid = [ok for _, one in pairs for ok in _valid(one, release)]
    return {
        "xquad.en.answers.contains": share([_contains(a, judged.answers[key]) for key, a in pairs]),
        "xquad.en.citations.valid": share(valid),
    }


def _contains(answered: Answered, golds: tuple[str, ...]) -> bool:
    text = " ".join(answered.reply.text.split()).casefold()
    return any(" ".join(gold.split()).casefold() in text for gold in golds)


def _valid(answered: Answered, release: Release) -> list[bool]:
    """Each citation: its passage was retrieved, and its quote stands where it says."""
    retrieved = {hit.chunk.id for hit in answered.hits}
    outcomes = []
    for citation in answered.reply.rag["citations"]:
        document = release.documents.document(citation["document_id"])
        body = document.text if document else ""
        quote_stands = body[citation["start"] : citation["end"]] == citation["quote"] != ""
        outcomes.append(citation["chunk_id"] in retrieved and quote_stands)
    return outcomes
