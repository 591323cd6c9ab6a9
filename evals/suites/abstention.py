"""Abstention: does the service decline where the documents have no answer, and only there?"""

from collections.abc import Sequence

from evals.asked import keywords, second_turn, turns
from evals.case import Case
from evals.corpora import built_release, clapnq, clapnq_passages
from evals.harness import Answered, Asked, answer_all
from evals.metrics import Figure, auroc, share
from evals.suites import generated
from evals.suites.context import Context
from ingestion.detect.heads import is_held_out
from ingestion.releases.release import Release
from service.scope import Scope

Labelled = tuple[Asked, bool]


def measure(context: Context) -> dict[str, Figure]:
    """`recall`: unanswerable questions that abstained; `false`: answerable ones that did; `auroc` of the guess itself.

    `keywords` are the same questions without what makes a sentence of them, and `turns` the same as the second turn of a
    conversation: CLAPNQ's with "it" for what the first turn names, the demo's after a question about another document.
    With a generator its own are beside them, as `demo.generated.abstention.*` and `clapnq.generated.*`.
    """
    figures = _figures("demo", [(case.answerable, _abstained(one)) for case, one in context.demo_answers])
    cases = [case for case, _ in context.demo_answers]
    for name, asked in (("keywords", _demo_keywords(cases)), ("turns", _demo_turns(cases))):
        figures |= _measured(context, f"demo.{name}", context.scope, context.demo, asked)
    if context.data is not None:
        figures |= _clapnq(context)
    return figures | (generated.abstention(context) if context.generator else {})


def _clapnq(context: Context) -> dict[str, Figure]:
    assert context.data is not None
    documents, every = clapnq(context.data)
    # The cross-encoder was trained on the other half.
    questions: list[Labelled] = [(question, can) for question, can in every if is_held_out(question)]
    release = built_release("clapnq", documents, context.embedder, context.data_dir)
    scope = context.with_default_floor
    answered = _answered(context, scope, release, questions)
    labels = [can for _, can in questions]
    figures = _figures("clapnq", [(can, _abstained(one)) for can, one in zip(labels, answered, strict=True)])
    guesses = [one.relevance.probability for one in answered]
    figures["clapnq.abstention.auroc"] = auroc(guesses, labels)
    passages = clapnq_passages(context.data)
    as_keywords: list[Labelled] = []
    as_turns: list[Labelled] = []
    for question, can in every:
        if is_held_out(question):
            title, text = passages[question]
            words, conversation = keywords(question, title=title), second_turn(question, title, text)
            as_keywords += [(words, can)] if words else []
            as_turns += [(conversation, can)] if conversation else []
    for name, asked in (("keywords", as_keywords), ("turns", as_turns)):
        figures |= _measured(context, f"clapnq.{name}", scope, release, asked)
    return figures


def _demo_keywords(cases: Sequence[Case]) -> list[Labelled]:
    found = [(keywords(case.question, case.language), case.answerable) for case in cases]
    return [(words, can) for words, can in found if words]


def _demo_turns(cases: Sequence[Case]) -> list[Labelled]:
    """Each question after another one that was answered, in the same language."""
    found: list[Labelled] = []
    for number, case in enumerate(cases):
        others = [*cases[number + 1 :], *cases[:number]]
        before = next(
            (one for one in others if one.passage and one.language == case.language and one.id != case.id),
            None,
        )
        if before is not None and before.passage is not None:
            found.append((turns(before.question, before.passage, case.question), case.answerable))
    return found


def _measured(
    context: Context, name: str, scope: Scope, release: Release, asked: Sequence[Labelled]
) -> dict[str, Figure]:
    answered = _answered(context, scope, release, asked)
    return _figures(name, [(can, _abstained(one)) for (_, can), one in zip(asked, answered, strict=True)])


def _answered(context: Context, scope: Scope, release: Release, asked: Sequence[Labelled]) -> list[Answered]:
    questions = [question for question, _ in asked]
    return answer_all(scope, context.assistant, release, context.embedder, questions)


def _abstained(answered: Answered) -> bool:
    return bool(answered.reply.rag["outcome"] == "abstained")


def _figures(name: str, outcomes: Sequence[tuple[bool, bool]]) -> dict[str, Figure]:
    return {
        f"{name}.abstention.recall": share([did for can, did in outcomes if not can]),
        f"{name}.abstention.false": share([did for can, did in outcomes if can]),
    }
