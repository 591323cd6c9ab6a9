"""Answers of a generator: `touchstone evals run answers abstention --generator NAME|URL [--prompt NAME]`.

The demo's cases, and where the folder of the public sets was named XQuAD's English questions and CLAPNQ's, which have no
short answers, go through the whole answer path with all guards and the fallback to the documents. Beside each figure
stands the extractive generator's on the same questions (`.extractive.`), and that of the text as the model wrote it,
before its sentences were attributed (`.bare.`).
"""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncGenerator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from pathlib import Path

import aiohttp

from evals.case import load_cases
from evals.corpora import built_release, clapnq, xquad
from evals.harness import Answered, answer_with
from evals.metrics import Figure, mean, share
from evals.suites.context import Context
from evals.written import CANARY, WORD, holds, leaks, loops
from ingestion.config import PiiPolicy
from ingestion.detect.heads import is_held_out
from ingestion.releases.release import Release
from ingestion.scrub import Scrubber
from ingestion.text.language import guess_language
from service.answer.generate import Event, Finished, Generator, Task, Text
from service.answer.generate.build import build_generators
from service.answer.generate.extractive import ExtractiveGenerator
from service.answer.generate.openai import OpenAIGenerator
from service.guard.build import AssistantGuards
from service.guard.chain import Digests
from service.guard.checks.citations import without_markers
from service.guard.models.cross_encoder import CrossEncoder
from service.guard.models.tier import Models
from service.scope import Scope
from service.scope.file import EXTRACTIVE, SERVER
from service.scope.generators import OpenAIServers
from service.settings import Settings

_TOGETHER = 8
_LANGUAGES = ("en", "de", "es")
_XQUAD = 300
# In the ids of figures that tell who abstained.
_ABSTENTION = ".abstention."


@dataclass(frozen=True, slots=True)
class Asked:
    """A question, with short answers where the set has some."""

    question: str
    answerable: bool
    language: str = "en"
    answers: tuple[str, ...] = ()


@dataclass
class Recorder:
    """A generator whose text is kept by question, as it was written."""

    generator: OpenAIGenerator
    texts: dict[str, str] = field(default_factory=dict)
    tokens: list[int] = field(default_factory=list)
    quotes: bool = False
    name: str = SERVER

    async def generate(self, task: Task) -> AsyncGenerator[Event, None]:
        """What the generator streams."""
        said = ""
        async with aclosing(self.generator.generate(task)) as events:
            async for event in events:
                if isinstance(event, Text):
                    said += event.text
                elif isinstance(event, Finished):
                    self.tokens.append(event.completion_tokens)
                self.texts[task.question] = said
                yield event


def measure(context: Context) -> dict[str, Figure]:
    """What `answers` and `abstention` tell of a generator. Raises `RuntimeError` without one."""
    return answers(context) | abstention(context)


def answers(context: Context) -> dict[str, Figure]:
    """`{demo,xquad.en}.generated.*`, but for abstentions. Raises `RuntimeError` without a generator."""
    figures = {key: one for key, one in _demo(context).items() if _ABSTENTION not in key}
    return figures | (_xquad(context, context.data) if context.data else {})


def abstention(context: Context) -> dict[str, Figure]:
    """`demo.generated.*abstention.*` and `clapnq.generated.*`, whose questions have no short answers.

    Raises `RuntimeError` without a generator.
    """
    figures = {key: one for key, one in _demo(context).items() if _ABSTENTION in key}
    return figures | (_clapnq(context, context.data) if context.data else {})


def _demo(context: Context) -> dict[str, Figure]:
    """Measured once, for both suites."""
    if "demo" not in context.generated:
        cases = [
            Asked(c.question, c.answerable, c.language, c.answers) for c in context.sampled(load_cases())
        ]
        measured = _measured(context, context.scope, context.demo, cases, "demo")
        context.generated["demo"] = asyncio.run(measured)
    return context.generated["demo"]


def _xquad(context: Context, data: Path) -> dict[str, Figure]:
    documents, judged = xquad(data)
    release = built_release("xquad", documents, context.embedder, context.data_dir)
    chosen = _limited(context).sampled(list(judged.questions.items()))
    asked = [Asked(question, True, "en", judged.answers[key]) for key, question in chosen]
    return asyncio.run(_measured(context, context.scope, release, asked, "xquad.en"))


def _clapnq(context: Context, data: Path) -> dict[str, Figure]:
    documents, questions = clapnq(data)
    release = built_release("clapnq", documents, context.embedder, context.data_dir)
    # The cross-encoder was trained on the other half.
    held_out = [Asked(question, can) for question, can in questions if is_held_out(question)]
    asked = list(_limited(context).sampled(held_out))
    return asyncio.run(_measured(context, context.with_default_floor, release, asked, "clapnq"))


def _limited(context: Context) -> Context:
    """The context with at most 300 questions a set: a small model on a processor writes 20 tokens a second."""
    return context if context.sample else replace(context, sample=_XQUAD)


async def _measured(
    context: Context, scope: Scope, release: Release, cases: Sequence[Asked], name: str
) -> dict[str, Figure]:
    """The generator and the documents' own sentences on the same questions. Raises `RuntimeError` without a generator."""
    if context.generator is None:
        raise RuntimeError("a generator is measured here: name one with --generator NAME or URL")
    questions = [case.question for case in cases]
    extractive = ExtractiveGenerator(context.embedder)
    cross_encoder = CrossEncoder(threads=2)
    models = Models(context.built_in, cross_encoder)
    models.warm()
    with ThreadPoolExecutor(1) as executor:
        guards = _guards(scope, context.assistant, models, executor)
        async with aiohttp.ClientSession() as session:
            recorder = Recorder(_generator(context, session, extractive))
            begun = time.perf_counter()
            generators: dict[str, Generator] = {SERVER: recorder, EXTRACTIVE: extractive}
            answered = await answer_with(
                _with_generator(scope, context, SERVER),
                context.assistant, release, context.embedder, questions, guards, generators,
                together=_TOGETHER, canary=CANARY,
            )  # fmt: skip
            took_s = time.perf_counter() - begun
        plain = await answer_with(
            _with_generator(scope, context, EXTRACTIVE),
            context.assistant, release, context.embedder, questions, guards, {EXTRACTIVE: extractive}, canary=CANARY,
        )  # fmt: skip
    figures = _figures(name, "", cases, answered, models)
    figures |= _figures(name, "extractive.", cases, plain, models)
    bare = [(case, recorder.texts[case.question]) for case in cases if case.question in recorder.texts]
    held = [holds(text, case.answers) for case, text in bare if case.answers]
    if held:
        figures[f"{name}.generated.bare.contains"] = share(held)
    return figures | {
        f"{name}.generated.bare.uncited": share(["[" not in text for _, text in bare]),
        f"{name}.generated.bare.loops": share([loops(text) for _, text in bare]),
        f"{name}.generated.tokens": mean([float(count) for count in recorder.tokens]),
        f"{name}.generated.seconds": Figure(took_s / len(cases), n=len(cases)),
    }


def _generator(
    context: Context, session: aiohttp.ClientSession, extractive: ExtractiveGenerator
) -> OpenAIGenerator:
    """The generator by its name in the scope file, or by its URL. Raises `RuntimeError`."""
    configs = dict(context.scope.generators)
    name = str(context.generator)
    if "://" in name:
        configs, name = {"server": OpenAIServers(kind="openai", url=name)}, "server"
    found = build_generators(configs, Settings(generator_url=None), session, context.embedder).get(name)
    if not isinstance(found, OpenAIGenerator):
        raise RuntimeError(f"there is no server {name!r}: name one of {sorted(configs)} or a URL")
    return found


def _guards(scope: Scope, assistant: str, models: Models, executor: ThreadPoolExecutor) -> AssistantGuards:
    """The assistant's guards, patient: what they find is measured, not how fast this machine is."""
    policy = scope.policy_of(assistant)
    patient = {
        zone: {name: rule.model_copy(update={"deadline_s": 30.0}) for name, rule in policy.of(zone).items()}
        for zone in ("input", "output")
    }
    scrubber = Scrubber(PiiPolicy(), with_names=False)
    return AssistantGuards(
        policy.model_copy(update={**patient, "deadline_s": 30.0}),
        input_scrubber=scrubber,
        output_scrubber=scrubber,
        models=models,
        executor=executor,
        digests=Digests(b"evals"),
        canary=CANARY,
    )


def _with_generator(scope: Scope, context: Context, generator: str) -> Scope:
    name = scope.assistants[context.assistant].variant
    prompt = context.prompt or scope.variants[name].prompt
    variant = scope.variants[name].model_copy(update={"generator": generator, "prompt": prompt})
    return scope.model_copy(update={"variants": {**scope.variants, name: variant}})


def _figures(
    name: str, writer: str, cases: Sequence[Asked], answered: Sequence[Answered], models: Models
) -> dict[str, Figure]:
    pairs = list(zip(cases, answered, strict=True))
    asked = [(case, one) for case, one in pairs if case.answerable]
    short = [(case, one) for case, one in asked if case.answers]
    open_ones = [one for case, one in pairs if not case.answerable]
    said = [(case, one) for case, one in pairs if one.reply.rag["outcome"] == "answered"]
    cited = [_is_right(case, one, sentence, models) for case, one in said for sentence in _cited_in(one)]
    figures = {
        "abstention.false": share([one.reply.rag["outcome"] == "abstained" for _, one in asked]),
        "degraded": share([bool(one.reply.rag["degraded"]) for _, one in pairs]),
        "loops": share([loops(one.reply.text) for _, one in pairs]),
        "leaks": share([leaks(one.reply.text + str(one.reply.rag)) for _, one in pairs]),
    }
    if short:
        figures["contains"] = share([holds(one.reply.text, case.answers) for case, one in short])
        figures["token_f1"] = mean([_token_f1(one.reply.text, case.answers) for case, one in short])
    if said:
        figures["wrong_language"] = share(
            [_language_of(one.reply.text) != case.language for case, one in said]
        )
        figures["uncited"] = share([not one.reply.rag["citations"] for _, one in said])
        supported = [s["supported"] for _, one in said for s in one.reply.rag["sentences"]]
        figures["supported"] = share(supported)
    if cited:
        figures["cited_right"] = share(cited)
    if open_ones:
        figures["abstention.recall"] = share([one.reply.rag["outcome"] == "abstained" for one in open_ones])
    return {f"{name}.generated.{writer}{key}": value for key, value in figures.items()}


def _cited_in(answered: Answered) -> list[tuple[str, tuple[int, ...]]]:
    """The sentences of an answer that cite something, without their markers."""
    text = answered.reply.text
    return [
        (without_markers(text[one["start"] : one["end"]]).strip(), tuple(one["citations"]))
        for one in answered.reply.rag["sentences"]
        if one["citations"]
    ]


def _is_right(case: Asked, answered: Answered, sentence: tuple[str, tuple[int, ...]], models: Models) -> bool:
    """Whether a cited passage holds the gold answer that the sentence gives, or supports it at the judge's point."""
    text, numbers = sentence
    passages = [answered.hits[n - 1].chunk.embedded_text for n in numbers]
    gold = [answer for answer in case.answers if holds(text, (answer,))]
    if any(holds(passage, (answer,)) for passage in passages for answer in gold):
        return True
    return models.support()(text, passages) >= 0.3


def _language_of(text: str) -> str:
    return guess_language(without_markers(text), _LANGUAGES)


def _token_f1(text: str, golds: Sequence[str]) -> float:
    """The best F1 of words over the gold answers (SQuAD's measure, Rajpurkar et al. 2016)."""
    said = Counter(WORD.findall(without_markers(text).casefold()))
    best = 0.0
    for gold in golds:
        wanted = Counter(WORD.findall(gold.casefold()))
        common = sum((said & wanted).values())
        if common:
            best = max(best, 2 * common / (said.total() + wanted.total()))
    return best
