"""The way of an answer: route, understand, find, write, finish. The only file that knows the order."""

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from typing import Any, Protocol

from ingestion.releases.release import Release
from service.answer.calls import CallGuards
from service.answer.cite import Citation, CitedSentence, as_curated, cite, readable
from service.answer.draft import Chain, Written
from service.answer.evidence import Evidence, EvidenceFinder, likely_of
from service.answer.find import Finding, find
from service.answer.generate import Generator, KeepAlive, Task
from service.answer.generate.curated import CuratedGenerator
from service.answer.offers import check_allowed
from service.answer.outcome import Outcome, count, outcome_of, record_of, reply_of
from service.answer.prompts import Marking, Prompt, load_prompt, new_nonce
from service.answer.request import AnswerRequest, Reply
from service.answer.rewrite import Completer
from service.answer.route import Choose, Route, no_experiments, route
from service.answer.shadow import Shadows
from service.answer.small_talk import is_small_talk
from service.answer.structured import texts_of, values_in
from service.answer.tools import Calls
from service.answer.understand import ScrubQuery, Turn, understand
from service.answer.write import Writer
from service.answer.writers import Writers, undegraded
from service.errors import GeneratorError
from service.experiments.expose import Exposures
from service.feedback.curated.answer import CURATED
from service.feedback.curated.book import CuratedBook
from service.guard.build import AnswerContext, AssistantGuards, guards_key
from service.guard.chain import Verdict
from service.guard.checks.attribution import By, Likely
from service.guard.output import Notice
from service.ids import uuid7
from service.metrics import GENERATOR_COST
from service.scope import Sampling, Scope
from service.scope.file import MOST_TOKENS
from service.tables import Exposure

Piece = str | KeepAlive | Notice | Calls | Reply
_INLINE_CHARS = 2_000


class Releases(Protocol):
    """Where the release that is served now comes from."""

    async def serving(self, collection: str, release_id: str | None = None) -> Release:
        """The open release, or one that a variant names. Raises `NotReadyError` before there is one."""
        ...


@dataclass(frozen=True, slots=True)
class Dependencies:
    """What the pipeline is made of. `generators` by name: `extractive`, and those that are configured.

    `search_text` by assistant; one without searches for the masked question. `record` takes a row at once; awaited, it
    returns when the row is durable.
    """

    scope: Scope
    live: Releases
    finder: EvidenceFinder
    generators: Mapping[str, Generator]
    guards: Mapping[str, AssistantGuards]
    record: Callable[[dict[str, Any]], Awaitable[None]]
    sign: Callable[[str, str | None], str]
    max_question_chars: int
    search_text: Mapping[str, ScrubQuery] = field(default_factory=dict)
    canary: str = ""
    choose: Choose = no_experiments
    curated: CuratedBook | None = None


class AnswerPipeline:
    """Answers questions. `begin` refuses what can't be answered; `stream` answers."""

    def __init__(self, parts: Dependencies) -> None:
        self._parts = parts
        self._scope_digest = parts.scope.digest
        self._writers = Writers(parts.generators)
        self._exposures = Exposures(parts.record, Exposure.__tablename__)
        self.shadows = Shadows(parts.scope, parts.live.serving, self.stream)

    async def begin(self, request: AnswerRequest) -> Turn:
        """Choose the way and check the question. Raises `InvalidRequestError`, `NotReadyError`, `BusyError`."""
        started, turn_id = time.perf_counter(), uuid7()
        chosen = route(self._parts.scope, request, request.conversation_id or turn_id, self._parts.choose)
        if request.options.tools is not None:
            check_allowed(request.options.tools, chosen.assistant_name, chosen.assistant.tools)
        self._writers.check(request.options, chosen.variant)
        release = await self._parts.live.serving(chosen.assistant.collection, chosen.variant.release)
        turn = await understand(
            request,
            chosen,
            release,
            guards=self._guards(chosen).input,
            scrub_query=self._parts.search_text.get(request.assistant),
            max_question_chars=self._parts.max_question_chars,
            started=started,
            turn_id=turn_id,
            allowed_tools=chosen.assistant.tools if self._writers.servers(chosen.variant) else (),
        )
        return undegraded(turn)

    async def stream(self, turn: Turn) -> AsyncGenerator[Piece, None]:
        """Text that is safe to send, piece by piece, notices of what was taken out, and at last the `Reply`.

        Raises `GeneratorError` when text had been sent and can't be continued, `NotReadyError` when the answer can't be
        recorded. Whatever the end, the answer is counted and recorded, with everything that guards said of it until
        then, and its record is durable before the end is told.
        """
        turn = self._writers.able(turn)
        writer, finding, outcome = Writer(turn), None, None
        exposed = self._expose(turn)
        try:
            fixed = _fixed_reply(turn, writer)
            if fixed is not None:
                await exposed
                yield fixed
            else:
                finding = await self._find(turn)
                await exposed
                async with aclosing(self._pieces(turn, finding.evidence, writer)) as pieces:
                    async for piece in pieces:
                        yield piece
            outcome = await self._whole(turn, finding, writer)
            await self._record(turn, outcome)
            token = None if turn.request.dry_run else self._parts.sign(turn.id, turn.request.subject)
            yield reply_of(outcome, token, finding.evidence if finding else None)
        except GeneratorError:
            writer.interrupt()
            outcome = self._finish(turn, finding, writer, is_whole=False)
            await self._record(turn, outcome)
            raise
        finally:
            if outcome is None:
                outcome = self._finish(turn, finding, writer, is_whole=False)
                self._record(turn, outcome)  # nobody waits for it any more
            if not outcome.is_unseen:
                count(outcome)
            if outcome.reason != CURATED:
                self.shadows.offer(turn)

    def _expose(self, turn: Turn) -> Awaitable[None]:
        """Write down that the unit meets its arm; awaited before anything is sent."""
        if turn.request.dry_run:
            return done()
        noted = self._exposures.note(
            turn.route.assignment,
            answer_id=turn.id,
            caller=turn.request.caller,
            now=datetime.now(UTC),
        )
        return noted or done()

    def _guards(self, chosen: Route) -> AssistantGuards:
        """Those of the assistant, or of the variant where it has rules of its own."""
        own = self._parts.guards.get(guards_key(chosen.assistant_name, chosen.variant_name))
        return own or self._parts.guards[chosen.assistant_name]

    def _cost(self, written: Written) -> float | None:
        """What an answer cost, counted too; None where nobody says what its generator costs."""
        name = written.generator.partition(":")[0]
        config = self._parts.scope.generators.get(name)
        if config is None or config.price is None:
            return None
        cost = config.price.of(written.prompt_tokens, written.completion_tokens)
        GENERATOR_COST.labels(name, config.price.currency).inc(cost)
        return cost

    def _record(self, turn: Turn, outcome: Outcome) -> Awaitable[None]:
        return done() if turn.request.dry_run else self._parts.record(record_of(outcome))

    async def _find(self, turn: Turn) -> Finding:
        rules = self._guards(turn.route).policy.retrieved
        generator = self._writers.first(turn.route.variant)
        completer = generator if isinstance(generator, Completer) else None
        return await find(turn, self._parts.finder, completer, rules, self._parts.curated)

    async def _pieces(
        self, turn: Turn, evidence: Evidence, writer: Writer
    ) -> AsyncGenerator[str | KeepAlive | Notice | Calls, None]:
        """An abstention where the passages are too unlikely to answer and no tool helps, else what is written."""
        is_weak = evidence.relevance.probability < turn.route.variant.retrieval.relevance_floor
        if is_weak and not turn.has_tools:
            yield writer.abstain("below_relevance_floor")
            return
        try:
            async with aclosing(self._writing(turn, evidence, writer, is_weak=is_weak)) as pieces:
                async for piece in pieces:
                    yield piece
        except GeneratorError:
            if not is_weak or writer.written.text:
                raise
        if is_weak and not (writer.written.text or writer.written.calls):
            yield writer.abstain("below_relevance_floor")

    def _writing(
        self, turn: Turn, evidence: Evidence, writer: Writer, *, is_weak: bool
    ) -> AsyncGenerator[str | KeepAlive | Notice | Calls, None]:
        """Text, JSON or calls of tools; of documents that are too unlikely to answer, calls alone."""
        task, chain = self._task(turn, evidence), self._chain(turn, evidence, is_weak=is_weak)
        guards, context, options = self._guards(turn.route), _context(turn, evidence), turn.request.options
        if evidence.curated is not None:
            writer.explain(CURATED)
        if options.tools is not None:
            writer.offer(CallGuards(options.tools, guards.calls(context), task.marking.nonce))
            if options.tools.is_forced or (is_weak and not turn.steps):
                return writer.write_calls(task, chain)
        if options.form is not None:
            return writer.write_json(task, chain, guards.values(context), options.form)
        return writer.write(
            task, chain, lambda generator: guards.output(_written_by(generator, context, evidence))
        )

    def _task(self, turn: Turn, evidence: Evidence) -> Task:
        request, variant = turn.request, turn.route.variant
        sampling = variant.sampling
        chosen = Sampling(
            temperature=sampling.temperature if request.temperature is None else request.temperature,
            max_tokens=min(request.max_tokens or sampling.max_tokens, MOST_TOKENS),
        )
        nonce = new_nonce() if variant.marking == "fence" else None
        return Task(
            turn.question,
            turn.history,
            evidence,
            chosen,
            _prompt(turn),
            variant.adapter or variant.model,
            Marking(nonce, self._parts.canary),
            request.options,
            turn.steps,
            len(evidence.hits) + 1,
        )

    def _chain(self, turn: Turn, evidence: Evidence, *, is_weak: bool) -> Chain:
        if evidence.curated is not None:
            return Chain((CuratedGenerator(evidence.curated.curated),))
        return self._writers.chain(turn, is_weak=is_weak)

    async def _whole(self, turn: Turn, finding: Finding | None, writer: Writer) -> Outcome:
        """The outcome of an answer that came to its end; a long one is cited in a thread, so that the loop stays free."""
        work = partial(self._finish, turn, finding, writer, is_whole=True)
        return await asyncio.to_thread(work) if len(writer.written.text) > _INLINE_CHARS else work()

    def _finish(self, turn: Turn, finding: Finding | None, writer: Writer, *, is_whole: bool) -> Outcome:
        """The outcome of a turn, cited where it was answered and came to its end."""
        written = writer.written
        citations: tuple[Citation, ...] = ()
        sentences: tuple[CitedSentence, ...] = ()
        verdicts = [*turn.verdicts, *(finding.evidence.verdicts if finding else ()), *written.verdicts]
        if is_whole and finding is not None and written.outcome == "answered" and written.text:
            citations, sentences, masked = self._cited(turn, finding.evidence, writer)
            verdicts += masked
        return outcome_of(
            turn,
            written,
            citations=citations,
            sentences=sentences,
            verdicts=tuple(verdicts),
            timings=_timings(turn, finding, writer, is_whole=is_whole),
            prompt_digest=_prompt(turn).digest,
            scope_digest=self._scope_digest,
            cost=self._cost(written),
        )

    def _cited(
        self, turn: Turn, evidence: Evidence, writer: Writer
    ) -> tuple[tuple[Citation, ...], tuple[CitedSentence, ...], list[Verdict]]:
        """The citations as the caller may read them, the sentences, and what was masked in quotes."""
        language = evidence.hits[0].chunk.language if evidence.hits else "en"
        is_json = turn.request.options.form is not None
        text = values_in(writer.written.text) if is_json else writer.written.text
        attributed = None if is_json else writer.attributed
        by: By = "service" if writer.is_quoted else "model"
        citations, sentences = cite(
            text, evidence.hits, language, attributed, marked_by=by, results=turn.results
        )
        masks = self._guards(turn.route).passages
        curated = evidence.curated and evidence.curated.curated
        if curated:
            citations = as_curated(citations, curated)
        # What a person wrote was scrubbed under whatever policy held then, and what tools gave under none.
        scrubbed_under = () if curated or turn.results else evidence.release.manifest.pii_policies
        read = partial(masks.read, groups=turn.request.groups, scrubbed_under=scrubbed_under)
        shown, masked = readable(citations, read)
        # Sentences are places of prose; in JSON there are none.
        return tuple(shown), () if is_json else tuple(sentences), masked


def _prompt(turn: Turn) -> Prompt:
    """What the generator is told: the variant's prompt, and the assistant's own instructions."""
    return load_prompt(
        turn.route.variant.prompt, turn.route.assistant.instructions, with_tools=turn.has_tools
    )


def _context(turn: Turn, evidence: Evidence) -> AnswerContext:
    """What the answer may say. The form of JSON and the tools were said by the caller, like the conversation."""
    rules, options = _prompt(turn).rules, turn.request.options
    functions = list(options.tools.functions) if options.tools else None
    return AnswerContext(
        hits=evidence.hits,
        conversation=(*turn.conversation, *texts_of(options.form), *texts_of(functions)),
        groups=turn.request.groups,
        originals=turn.originals or None,
        rules=rules,
        results=tuple(one.text for one in turn.results),
    )


def _written_by(generator: Generator, context: AnswerContext, evidence: Evidence) -> AnswerContext:
    """The context of what a generator writes: quotations need no attribution, and a tool was asked for what it gave."""
    likely = () if generator.quotes else likely_of(evidence)
    best = max((one.score for one in likely), default=0.0)
    given = [Likely(number, text, best) for number, text in enumerate(context.results, len(context.hits) + 1)]
    return replace(context, is_quoted=generator.quotes, likely=(*likely, *given) if likely else ())


def done() -> Awaitable[None]:
    """What `record` gives back where nothing is recorded."""
    nothing: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    nothing.set_result(None)
    return nothing


def _fixed_reply(turn: Turn, writer: Writer) -> str | None:
    """What is said without a look into the documents: to an attack, and to small talk."""
    if turn.disposition == "block":
        return writer.refuse(turn.verdicts)
    if turn.route.assistant.small_talk_message and is_small_talk(turn.question):
        return writer.chat()
    return None


def _timings(turn: Turn, finding: Finding | None, writer: Writer, *, is_whole: bool) -> dict[str, float]:
    """Seconds by stage, of the stages that were reached."""
    written = writer.written
    found: dict[str, float | None] = {
        "guard_input_s": turn.guard_input_s,
        **(finding.timings if finding else {}),
        "first_token_s": written.first_token_s,
        "generate_s": written.generate_s,
        "total_s": turn.since() if is_whole else None,
    }
    return {name: seconds for name, seconds in found.items() if seconds is not None}
