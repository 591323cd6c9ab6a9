"""The way of an answer: guard, retrieve, judge, generate, guard, cite, record. The only file that
knows the order."""

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Protocol

from ingestion.releases.release import Release
from service import metrics
from service.answer.answering import Answering, AnswerRequest, Reply, SearchText, count, record_of, reply_of
from service.answer.cite import cite, readable
from service.answer.evidence import Evidence, EvidenceFinder
from service.answer.generate import Event, Finished, Generator, KeepAlive, StartOver, Task
from service.answer.prompts import NO_ANSWER, Marking, new_nonce
from service.answer.question import question_of, screen
from service.answer.rewrite import Completer, by_generator, is_follow_up, standalone, without_masks
from service.answer.small_talk import is_small_talk
from service.errors import (
    GeneratorError,
    InvalidRequestError,
    UnknownModelError,
)
from service.guard.build import AnswerContext, AssistantGuards
from service.guard.output import Notice, OutputGuards, OutputPiece
from service.ids import uuid7
from service.logs import get_logger
from service.scope import Sampling, Scope

log = get_logger()

# Longer conversations are guarded in a thread, so that the loop stays free.
_INLINE_CHARS = 4_000


class Releases(Protocol):
    """Where the release that is served now comes from."""

    def current(self, collection: str, release_id: str | None = None) -> Release:
        """The open release, or one that a variant names. Raises `NotReadyError` before there is one."""
        ...


@dataclass(frozen=True, slots=True)
class Dependencies:
    """What the pipeline is made of. `generators` by name: `extractive`, and `openai` when there is one."""

    scope: Scope
    live: Releases
    finder: EvidenceFinder
    generators: Mapping[str, Generator]
    guards: Mapping[str, AssistantGuards]
    record: Callable[[dict[str, Any]], None]
    sign: Callable[[str], str]
    max_question_chars: int
    search_text: Mapping[str, Callable[[str], SearchText]] = field(default_factory=dict)
    completer: Completer | None = None
    canary: str = ""


class AnswerPipeline:
    """Answers questions. `begin` refuses what can't be answered; `stream` answers."""

    def __init__(self, parts: Dependencies) -> None:
        self._parts = parts
        self._scope_digest = parts.scope.digest

    async def begin(self, ask: AnswerRequest) -> Answering:
        """Check the question and choose the way. Raises `InvalidRequestError`, `NotReadyError`."""
        started = time.perf_counter()
        assistant = self._parts.scope.assistants.get(ask.assistant)
        if assistant is None:
            known = sorted(self._parts.scope.assistants)
            raise UnknownModelError(
                f"There is no assistant {ask.assistant!r}. Choose one of {known}.", param="model"
            )
        name = ask.variant or assistant.variant
        variant = self._parts.scope.variants.get(name)
        if variant is None:
            raise InvalidRequestError(
                f"There is no variant {name!r}. Choose one of {sorted(self._parts.scope.variants)}.",
                param="rag.variant",
            )
        question = question_of(ask, self._parts.max_question_chars)
        size = sum(len(message["content"]) for message in ask.messages)
        originals: dict[str, set[str]] = {}
        guards = self._parts.guards[ask.assistant].input
        if size > _INLINE_CHARS:
            screened = await asyncio.to_thread(screen, guards, ask, question, originals)
        else:
            screened = screen(guards, ask, question, originals)
        answer = Answering(
            id=uuid7(),
            ask=ask,
            assistant=assistant,
            variant_name=name,
            variant=variant,
            question=screened.question,
            search_text=self._search_text(ask.assistant, question, screened.question),
            history=screened.history,
            release=self._parts.live.current(assistant.collection, variant.release),
            started=started,
            verdicts=screened.verdicts,
            originals=originals,
        )
        await self._judge(answer, question)
        answer.timings["guard_input_s"] = answer.since()
        return answer

    def _search_text(self, assistant: str, question: str, safe_question: str) -> SearchText:
        scrub_query = self._parts.search_text.get(assistant)
        return scrub_query(question) if scrub_query else SearchText(safe_question)

    async def _judge(self, answer: Answering, question: str) -> None:
        """What the models say of the question; nothing is asked of them when the rules have refused it."""
        if any(verdict.verdict == "block" for verdict in answer.verdicts):
            self._refuse(answer)
            return
        guards = self._parts.guards[answer.ask.assistant].input
        if guards is None:
            return
        earlier = [m["content"] for m in answer.history if m["role"] == "user"]
        judged = await guards.judge([question, *earlier])
        answer.verdicts += judged.verdicts
        answer.is_extractive = judged.disposition == "degrade"
        if judged.disposition == "block":
            self._refuse(answer)

    @staticmethod
    def _refuse(answer: Answering) -> None:
        """The reply to what a guard blocks; the guard is named, and what it saw is in its verdict."""
        guard = next((v.guard for v in answer.verdicts if v.verdict == "block"), "guards")
        answer.outcome, answer.reason, answer.finish_reason = "refused", f"guard:{guard}", "stop"
        answer.generator = answer.generator or "none"

    async def stream(self, answer: Answering) -> AsyncGenerator[str | KeepAlive | Notice | Reply, None]:
        """Text that is safe to send, piece by piece, notices of what was taken out, and at last the `Reply`.

        Raises `GeneratorError` when text had been sent and can't be continued. Whatever
        the end, the answer is recorded.
        """
        try:
            async with aclosing(self._pieces(answer)) as pieces:
                async for piece in pieces:
                    yield piece
            answer.timings["total_s"] = answer.since()
            yield self._reply(answer)
        except GeneratorError:
            answer.finish_reason = "interrupted"
            raise
        finally:
            count(answer)
            if not answer.ask.dry_run:
                self._parts.record(record_of(answer, self._scope_digest))

    async def _pieces(self, answer: Answering) -> AsyncGenerator[str | KeepAlive | Notice, None]:
        """The text of the answer: a fixed reply, an abstention, or what the generator makes of the evidence."""
        if answer.outcome == "refused":
            yield self._say(answer, answer.assistant.refuse_message)
            return
        if self._is_small_talk(answer):
            yield self._chat(answer)
            return
        await self._find(answer)
        if answer.evidence is None or self._is_hopeless(answer, answer.evidence):
            yield self._abstain(answer, "below_relevance_floor")
            return
        async with aclosing(self._generate(answer, answer.evidence)) as pieces:
            async for piece in pieces:
                yield piece

    @staticmethod
    def _is_small_talk(answer: Answering) -> bool:
        return bool(answer.assistant.small_talk_message) and is_small_talk(answer.question)

    def _chat(self, answer: Answering) -> str:
        answer.reason, answer.finish_reason, answer.generator = "small_talk", "stop", "none"
        return self._say(answer, answer.assistant.small_talk_message or "")

    @staticmethod
    def _say(answer: Answering, text: str) -> str:
        """A fixed reply."""
        answer.text = text
        answer.timings.setdefault("first_token_s", answer.since())
        return text

    async def _query(self, answer: Answering) -> str:
        """What is searched for: the question, made to stand alone where it leans on the conversation."""
        earlier = [m["content"] for m in answer.history if m["role"] == "user"]
        mode = answer.variant.rewrite
        if mode == "none" or not earlier or not is_follow_up(answer.search_text.text):
            return without_masks(answer.search_text.text)
        completer = self._parts.completer if mode == "auto" else None
        if completer is not None and answer.variant.generator != "extractive":
            begun = answer.since()
            deadline_s = answer.variant.rewrite_deadline_s
            written = await by_generator(answer.question, answer.history, completer, deadline_s=deadline_s)
            answer.timings["rewrite_s"] = answer.since() - begun
            if written:
                return written
        return standalone(answer.search_text.text, earlier)

    async def _find(self, answer: Answering) -> None:
        query = await self._query(answer)
        settings = answer.variant.retrieval
        if answer.ask.top_k is not None:
            settings = settings.model_copy(update={"top_k": answer.ask.top_k})
        begun = answer.since()
        rules = self._parts.guards[answer.ask.assistant].policy.retrieved
        answer.evidence = await self._parts.finder.find(
            answer.release, query, settings, answer.search_text.hints, answer.ask.view, rules
        )
        answer.verdicts += answer.evidence.verdicts
        answer.timings["retrieve_s"] = answer.since() - begun
        for stage, seconds in answer.evidence.timings.items():
            metrics.STAGE_SECONDS.labels(stage).observe(seconds)

    @staticmethod
    def _is_hopeless(answer: Answering, evidence: Evidence) -> bool:
        return evidence.relevance.probability < answer.variant.retrieval.relevance_floor

    @staticmethod
    def _abstain(answer: Answering, reason: str) -> str:
        answer.outcome, answer.reason, answer.finish_reason = "abstained", reason, "stop"
        answer.generator = answer.generator or "none"
        return AnswerPipeline._say(answer, answer.assistant.abstain_message)

    async def _generate(
        self, answer: Answering, evidence: Evidence
    ) -> AsyncGenerator[str | KeepAlive | Notice, None]:
        """Guarded text; an answer without one becomes an abstention, one that a guard stops ends with a refusal."""
        guard = self._output_guards(answer, evidence)
        begun = answer.since()
        begins = _Beginning()
        async with aclosing(self._events(answer, self._task(answer, evidence))) as events:
            async for event in events:
                if isinstance(event, KeepAlive):
                    yield event
                elif isinstance(event, StartOver):
                    guard, begins, answer.text = self._output_guards(answer, evidence), _Beginning(), ""
                elif isinstance(event, Finished):
                    answer.finish_reason = event.reason
                    answer.prompt_tokens = event.prompt_tokens
                    answer.completion_tokens = event.completion_tokens
                else:
                    for piece in self._released(answer, await guard.feed(begins.take(event.text))):
                        yield piece
                    if guard.stopped:
                        break
        for piece in self._released(answer, await guard.end(begins.rest())):
            yield piece
        answer.verdicts += guard.verdicts
        answer.timings["generate_s"] = answer.since() - begun
        for piece in self._ended(answer, guard):
            yield piece

    def _ended(self, answer: Answering, guard: OutputGuards) -> list[str]:
        """What is said when guards ended the answer or left nothing of it."""
        if guard.stopped == "block":
            self._refuse(answer)
            answer.finish_reason = "content_filter"
            parting = ("\n\n" if answer.text.strip() else "") + answer.assistant.refuse_message
            return [self._sent(answer, parting)]
        if guard.stopped == "abstain" and answer.text.strip():
            parting = "\n\n" + answer.assistant.abstain_message
            answer.outcome, answer.reason, answer.finish_reason = (
                "abstained",
                "not_grounded",
                "content_filter",
            )
            return [self._sent(answer, parting)]
        if not answer.text.strip():
            is_guarded = guard.has_dropped_all or guard.stopped
            self._abstain(answer, "not_grounded" if is_guarded else "generator_found_no_answer")
            return [answer.text]
        return []

    def _released(self, answer: Answering, released: OutputPiece) -> list[str | Notice]:
        """Text to send and notices, in this order."""
        pieces: list[str | Notice] = []
        # White space alone begins no answer.
        if released.text and (answer.text or released.text.strip()):
            pieces.append(self._sent(answer, released.text))
        answer.notices += released.notices
        return [*pieces, *released.notices]

    @staticmethod
    def _sent(answer: Answering, piece: str) -> str:
        if not answer.text:
            answer.timings["first_token_s"] = answer.since()
        answer.text += piece
        return piece

    def _task(self, answer: Answering, evidence: Evidence) -> Task:
        sampling = answer.variant.sampling
        ask = answer.ask
        chosen = Sampling(
            temperature=sampling.temperature if ask.temperature is None else ask.temperature,
            max_tokens=sampling.max_tokens if ask.max_tokens is None else ask.max_tokens,
        )
        nonce = new_nonce() if answer.variant.marking == "fence" else None
        marking = Marking(nonce, self._parts.canary)
        return Task(answer.question, answer.history, evidence, chosen, answer.variant.adapter, marking)

    def _output_guards(self, answer: Answering, evidence: Evidence) -> OutputGuards:
        conversation = (answer.question, *(m["content"] for m in answer.history))
        context = AnswerContext(evidence.hits, conversation, answer.ask.groups, answer.originals)
        return self._parts.guards[answer.ask.assistant].output(context)

    async def _events(self, answer: Answering, task: Task) -> AsyncGenerator[Event, None]:
        """The generator's events; the extractive generator's when the server fails before it began."""
        wanted = answer.variant.generator
        if wanted == "auto":
            wanted = "openai" if "openai" in self._parts.generators else "extractive"
        is_held_back = answer.is_extractive and wanted != "extractive"
        if is_held_back:
            wanted = "extractive"
        fallback = self._parts.generators["extractive"]
        generator = self._parts.generators.get(wanted)
        if generator is not None and generator is not fallback:
            try:
                async with aclosing(generator.generate(task)) as events:
                    async for event in events:
                        answer.generator = generator.name
                        yield event
                return
            except GeneratorError as exc:
                log.warning("generator_failed", reason=exc.message, request_id=answer.ask.request_id)
                if answer.text and answer.ask.is_streamed:
                    raise  # the client has read a part of it
                yield StartOver()
        answer.degraded = generator is not fallback or is_held_back
        answer.generator = fallback.name
        async for event in fallback.generate(task):
            yield event

    def _reply(self, answer: Answering) -> Reply:
        if answer.evidence is not None and answer.outcome == "answered":
            hits = answer.evidence.hits
            language = hits[0].chunk.language if hits else "en"
            citations, answer.sentences = cite(answer.text, hits, language)
            masks = self._parts.guards[answer.ask.assistant].passages
            scrubbed_under = answer.evidence.release.manifest.pii_policies
            read = partial(masks.read, groups=answer.ask.groups, scrubbed_under=scrubbed_under)
            answer.citations, masked = readable(citations, read)
            answer.verdicts += masked
        token = None if answer.ask.dry_run else self._parts.sign(answer.id)
        return reply_of(answer, self._scope_digest, token)


class _Beginning:
    """Holds the first words back while they may become `NO_ANSWER`, which is then swallowed."""

    def __init__(self) -> None:
        self._held: str | None = ""

    def take(self, text: str) -> str:
        if self._held is None:
            return text
        self._held += text
        if NO_ANSWER.startswith(self._held.strip()[: len(NO_ANSWER)]):
            return ""
        held, self._held = self._held, None
        return held

    def rest(self) -> str:
        held = self._held or ""
        return "" if held.strip().startswith(NO_ANSWER) else held
