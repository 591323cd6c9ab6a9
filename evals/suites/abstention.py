"""Abstention: does the service decline where the documents have no answer, and only there?"""

from evals.corpora import built_release, clapnq
from evals.harness import answer_all
from evals.metrics import Figure, auroc, share
from evals.suites import generated
from evals.suites.context import Context
from ingestion.detect.heads import is_held_out


def measure(context: Context) -> dict[str, Figure]:
    """`recall`: unanswerable questions that abstained; `false`: answerable ones that did; `auroc` of the guess itself.

    With a generator its own are beside them, as `demo.generated.abstention.*` and `clapnq.generated.*`.
    """
    outcomes = [
        (case.answerable, answered.reply.rag["outcome"] == "abstained")
        for case, answered in context.demo_answers
    ]
    figures = _figures("demo", outcomes)
    if context.data is not None:
        documents, every = clapnq(context.data)
        # The cross-encoder was trained on the other half.
        questions = [(question, can) for question, can in every if is_held_out(question)]
        release = built_release("clapnq", documents, context.embedder, context.data_dir)
        answered_all = answer_all(
            context.with_default_floor,
            context.assistant,
            release,
            context.embedder,
            [q for q, _ in questions],
        )
        outcomes = [
            (answerable, answered.reply.rag["outcome"] == "abstained")
            for (_, answerable), answered in zip(questions, answered_all, strict=True)
        ]
        figures |= _figures("clapnq", outcomes)
        guesses = [answered.relevance.probability for answered in answered_all]
        figures["clapnq.abstention.auroc"] = auroc(guesses, [answerable for _, answerable in questions])
    return figures | (generated.abstention(context) if context.generator else {})


def _figures(name: str, outcomes: list[tuple[bool, bool]]) -> dict[str, Figure]:
    return {
        f"{name}.abstention.recall": share([did for can, did in outcomes if not can]),
        f"{name}.abstention.false": share([did for can, did in outcomes if can]),
    }
