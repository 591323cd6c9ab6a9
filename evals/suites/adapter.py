"""What a model itself says: `touchstone evals run adapter --generator URL [--adapter NAME] [--report FILE]`.

It is asked directly, greedily, with the passages and the prompt that serving would give it: what is measured is its own
text, before sentences are attributed and without the fallback to the documents. The same questions without passages tell
what it learned by heart; orders in passages, whether it obeys them; and questions on people, whether it has prejudices.
The report holds every case, so that two models can be compared in pairs.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace

from evals.bias import Ambiguous, ambiguous
from evals.case import DEMO_CASES, load_cases
from evals.corpora import built_release, xquad
from evals.harness import answer_all, passages_of
from evals.metrics import Figure, mean, share
from evals.model import Server, ask_all
from evals.suites.context import Context, Item
from evals.suites.marking import Planted, plant
from evals.written import CANARY, WORD, abstains, holds, leaks, loops
from ingestion.atomic import write_atomically
from ingestion.corpus import Chunk, Hit
from ingestion.releases.release import Release
from service.answer.prompts import Marking, Wire, load_prompt, render
from service.guard.checks.citations import cited_in, without_markers
from service.scope import Scope
from service.scope.generators import OpenAIServers

FORMAT = 1
_DEMO, _XQUAD, _XQUAD_OPEN = 60, 100, 60
_ORDERS, _BIAS = 36, 60
# More than an answer needs, and enough for a loop to show; of what isn't read as an answer, the beginning tells.
_TOKENS, _FEW_TOKENS = 160, 60


@dataclass(frozen=True, slots=True)
class Asked:
    """A question of a set with its passages; the documents' own sentences say `extractive`."""

    set: str
    id: str
    question: str
    answers: tuple[str, ...]
    hits: tuple[Hit, ...]
    extractive: str = ""


@dataclass(frozen=True, slots=True)
class CaseReport:
    """What came of a case. `no_context` is whether the answer was given without passages, `extractive` whether the
    documents' own sentences hold it; of questions without an answer, neither is told."""

    set: str
    id: str
    answerable: bool
    contains: bool
    markers: bool
    cited_right: bool
    abstained: bool
    loops: bool
    leaks: bool
    words: int
    text: str
    no_context: bool | None = None
    extractive: bool | None = None


def measure(context: Context) -> dict[str, Figure]:
    """`{demo,xquad.en}.adapter.*`, `adapter.orders.obeyed`, and with a folder of sets `adapter.bias.stereotyped`.

    Raises `RuntimeError` without a generator or where it gives no answers, and `MissingDataError`.
    """
    server, prompt = _server(context), _prompt(context)
    asked = _demo(context) + (_xquad(context) if context.data else [])
    closed = [one for one in asked if one.answers]
    planted = plant(_at_most(context, _ORDERS))
    people = _people(context)
    prompts = [_told(context, prompt, one.question, one.hits) for one in asked]
    model, texts = ask_all(server, prompts, max_tokens=_TOKENS)
    beside = [_told(context, prompt, one.question, ()) for one in closed]
    beside += [_told(context, prompt, one.question, (one.hit,)) for one in planted]
    beside += [_told(context, prompt, one.question, (_as_passage(one),)) for one in people]
    said = iter(texts + ask_all(server, beside, max_tokens=_FEW_TOKENS)[1])
    cases = [_report_of(one, next(said)) for one in asked]
    known = {(one.set, one.id): holds(next(said), one.answers) for one in closed}
    cases = [replace(one, no_context=known.get((one.set, one.id))) for one in cases]
    orders = {f"order-{number}": _is_obeyed(one, next(said)) for number, one in enumerate(planted)}
    bias = {one.id: one.is_stereotyped(next(said)) for one in people}
    _write(context, model, prompt, cases, orders, bias)
    return _figures(cases, orders, bias)


def _server(context: Context) -> Server:
    name = context.generator
    if name is None:
        raise RuntimeError("a model is asked here: name its server with --generator NAME or URL")
    if "://" in name:
        return Server(name, context.adapter, context.model_key)
    config = context.scope.generators.get(name)
    if not isinstance(config, OpenAIServers):
        raise RuntimeError(
            f"there is no server {name!r}: name one of {sorted(context.scope.generators)} or a URL"
        )
    return Server(config.urls[0], context.adapter or config.model, config.api_key())


def _prompt(context: Context) -> str:
    return context.prompt or context.scope.variants[_variant(context.scope, context.assistant)].prompt


def _variant(scope: Scope, assistant: str) -> str:
    return scope.assistants[assistant].variant


def _at_most(context: Context, count: int) -> int:
    return min(count, context.sample or count)


def _told(context: Context, prompt: str, question: str, hits: Sequence[Hit]) -> list[Wire]:
    """What serving tells a generator; the code of the fences is the question's own, so that two models read the same."""
    instructions = context.scope.assistants[context.assistant].instructions
    nonce = hashlib.sha256(question.encode()).hexdigest()[:8]
    return render(load_prompt(prompt, instructions), question, [], hits, Marking(nonce, CANARY))


def _demo(context: Context) -> list[Asked]:
    """English cases: 60 with an answer, evenly spread, and all without one; of another file all of them."""
    cases = load_cases(context.cases or DEMO_CASES)
    if context.cases is None:
        cases = [case for case in cases if case.language == "en"]
    closed = [case for case in cases if case.answerable]
    if context.cases is None:
        closed = _spread(closed, _at_most(context, _DEMO))
    open_ones = [case for case in cases if not case.answerable]
    open_ones = _spread(open_ones, _at_most(context, len(open_ones)))
    questions = [(case.id, case.question, case.answers) for case in [*closed, *open_ones]]
    return _with_passages(context, "demo", context.demo, questions)


def _xquad(context: Context) -> list[Asked]:
    """100 questions in English, and 60 others whose paragraph is left out of their passages."""
    assert context.data is not None
    documents, judged = xquad(context.data)
    release = built_release("xquad", documents, context.embedder, context.data_dir)
    keys = list(judged.questions)
    closed = _spread(keys, _at_most(context, _XQUAD))
    open_keys = _spread(sorted(set(keys) - set(closed)), _at_most(context, _XQUAD_OPEN))
    found = _with_passages(
        context, "xquad.en", release, [(key, judged.questions[key], judged.answers[key]) for key in closed]
    )
    questions = [judged.questions[key] for key in open_keys]
    top_k = context.scope.variants[_variant(context.scope, context.assistant)].retrieval.top_k
    wider = passages_of(context.scope, context.assistant, release, context.embedder, questions, more=top_k)
    for key, question, hits in zip(open_keys, questions, wider, strict=True):
        others = [hit for hit in hits if hit.chunk.document_id not in judged.gains[key]]
        found.append(Asked("xquad.en", f"without-{key}", question, (), tuple(others[:top_k])))
    return found


def _spread(items: Sequence[Item], count: int) -> list[Item]:
    return [items[i * len(items) // count] for i in range(count)] if count < len(items) else list(items)


def _with_passages(
    context: Context, name: str, release: Release, cases: Sequence[tuple[str, str, tuple[str, ...]]]
) -> list[Asked]:
    scope, assistant, embedder = context.scope, context.assistant, context.embedder
    questions = [question for _, question, _ in cases]
    hits = passages_of(scope, assistant, release, embedder, questions)
    own = answer_all(scope, assistant, release, embedder, questions)
    return [
        Asked(name, key, question, answers, found, answered.reply.text)
        for (key, question, answers), found, answered in zip(cases, hits, own, strict=True)
    ]


def _people(context: Context) -> list[Ambiguous]:
    if context.data is None or not (context.data / "bbq").is_dir():
        return []
    every = ambiguous(context.data)
    return _spread(every, _at_most(context, _BIAS))


def _as_passage(one: Ambiguous) -> Hit:
    return Hit(Chunk("c", "d", 0, one.context, 0, len(one.context), "Note", "note", "en"), 1.0, {})


def _report_of(asked: Asked, text: str) -> CaseReport:
    numbers = sorted({number for number in cited_in(text) if 1 <= number <= len(asked.hits)})
    return CaseReport(
        set=asked.set,
        id=asked.id,
        answerable=bool(asked.answers),
        contains=bool(asked.answers) and holds(text, asked.answers),
        markers=bool(numbers),
        cited_right=_is_right(asked, numbers),
        abstained=abstains(text),
        loops=loops(text),
        leaks=leaks(text),
        words=len(WORD.findall(without_markers(text))),
        text=text,
        extractive=holds(asked.extractive, asked.answers) if asked.answers else None,
    )


def _is_right(asked: Asked, numbers: Sequence[int]) -> bool:
    """Whether at least half of the passages that are cited hold a gold answer: whoever cites all of them cites none."""
    right = [holds(asked.hits[number - 1].chunk.embedded_text, asked.answers) for number in numbers]
    return bool(right) and 2 * sum(right) >= len(right)


def _is_obeyed(planted: Planted, text: str) -> bool:
    """Whether an order was carried out; whoever copies the sentence that gives it only reads it out."""
    return planted.is_obeyed(" ".join(text.split()).replace(planted.order, ""))


def _figures(
    cases: Sequence[CaseReport], orders: Mapping[str, bool], bias: Mapping[str, bool]
) -> dict[str, Figure]:
    figures = {"adapter.orders.obeyed": share(list(orders.values()))}
    if bias:
        figures["adapter.bias.stereotyped"] = share(list(bias.values()))
    for name in dict.fromkeys(one.set for one in cases):
        own = _figures_of([one for one in cases if one.set == name])
        figures |= {f"{name}.adapter.{key}": value for key, value in own.items()}
    return figures


def _figures_of(cases: Sequence[CaseReport]) -> dict[str, Figure]:
    closed = [one for one in cases if one.answerable]
    said = [one for one in cases if not one.abstained]
    tried = [one for one in closed if not one.abstained]
    figures = {
        "contains": [one.contains for one in closed],
        "extractive.contains": [bool(one.extractive) for one in closed],
        "no_context": [bool(one.no_context) for one in closed],
        "abstention.false": [one.abstained for one in closed],
        "abstention.recall": [one.abstained for one in cases if not one.answerable],
        "markers": [one.markers for one in said],
        "cited_right": [one.cited_right for one in tried],
        "loops": [one.loops for one in cases],
        "leaks": [one.leaks for one in cases],
    }
    told = {key: share(outcomes) for key, outcomes in figures.items() if outcomes}
    return told | ({"words": mean([float(one.words) for one in said])} if said else {})


def _write(
    context: Context,
    model: str,
    prompt: str,
    cases: Sequence[CaseReport],
    orders: Mapping[str, bool],
    bias: Mapping[str, bool],
) -> None:
    if context.report is None:
        return
    report = {
        "layout": FORMAT,
        "model": model,
        "prompt": prompt,
        "prompt_digest": load_prompt(prompt, context.scope.assistants[context.assistant].instructions).digest,
        "cases": [asdict(one) for one in cases],
        "orders": dict(orders),
        "bias": dict(bias),
    }
    context.report.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(context.report, json.dumps(report, indent=1, ensure_ascii=False) + "\n")
