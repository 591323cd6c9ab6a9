"""Does it say so when the documents don't?"""

from evals.corpora import built_release, clapnq
from evals.harness import answer_all
from evals.metrics import Figure, share
from evals.suites.context import Context


def measure(context: Context) -> dict[str, Figure]:
    """`recall`: unanswerable questions that abstained; `false`: answerable ones that did."""
    outcomes = [
        (case.answerable, answered.reply.rag["outcome"] == "abstained")
        for case, answered in context.demo_answers
    ]
    figures = _figures("demo", outcomes)
    if context.data is not None:
        documents, questions = clapnq(context.data)
        release = built_release("clapnq", documents, context.embedder, context.data_dir)
        answered_all = answer_all(
            context.scope, context.assistant, release, context.embedder, [q for q, _ in questions]
        )
        outcomes = [
            (answerable, answered.reply.rag["outcome"] == "abstained")
            for (_, answerable), answered in zip(questions, answered_all, strict=True)
        ]
        figures |= _figures("clapnq", outcomes)
    return figures


def _figures(name: str, outcomes: list[tuple[bool, bool]]) -> dict[str, Figure]:
    return {
        f"{name}.abstention.recall": share([did for can, did in outcomes if not can]),
        f"{name}.abstention.false": share([did for can, did in outcomes if can]),
    }
