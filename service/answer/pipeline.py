"""The way of an answer: guard, retrieve, judge, generate, guard, cite, record. The only file that
knows the order."""

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any, Protocol

from ingestion.release import Release
from service import metrics
from service.answer.answering import Answering, Ask, Reply, Sought, count, record_of, reply_of
from service.answer.cite import CitationGuard, cite
from service.answer.evidence import Evidence, EvidenceFinder
from service.answer.generate import Event, Finished, Generator, KeepAlive, StartOver, Task
from service.answer.prompts import NO_ANSWER, Message
from service.answer.rewrite import Completer, by_generator, is_follow_up, standalone, without_masks
from service.answer.small_talk import is_small_talk
from service.errors import (
    GeneratorError,
    InvalidRequestError,
    UnknownModelError,
)
from service.guard.chain import Guard, Verdict, apply_all
from service.guard.numbers import NumberGuard
from service.guard.stream import StreamGuard
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
class Parts:
    """What the pipeline is made of. `generators` by name: `extractive`, and `openai` when there is one."""

    scope: Scope
    live: Releases
    finder: EvidenceFinder
    generators: Mapping[str, Generator]
    input_guards: Mapping[str, Sequence[Guard]]
    output_guards: Mapping[str, Sequence[Guard]]
    record: Callable[[dict[str, Any]], None]
    sign: Callable[[str], str]
    max_question_chars: int
    sought: Mapping[str, Callable[[str], Sought]] = field(default_factory=dict)
    completer: Completer | None = None


class AnswerPipeline:
    """Answers questions. `begin` refuses what can't be answered; `stream` answers."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._scope_digest = parts.scope.digest

    async def begin(self, ask: Ask) -> Answering:
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
        question = self._question(ask)
        size = sum(len(message["content"]) for message in ask.messages)
        if size > _INLINE_CHARS:
            safe_question, history, verdicts = await asyncio.to_thread(self._guard, ask, question)
        else:
            safe_question, history, verdicts = self._guard(ask, question)
        answer = Answering(
            id=uuid7(),
            ask=ask,
            assistant=assistant,
            variant_name=name,
            variant=variant,
            question=safe_question,
            sought=self._sought(ask.assistant, question, safe_question),
            history=history,
            release=self._parts.live.current(assistant.collection, variant.release),
            started=started,
            verdicts=verdicts,
        )
        answer.timings["guard_input_s"] = answer.since()
        return answer

    def _sought(self, assistant: str, question: str, safe_question: str) -> Sought:
        seek = self._parts.sought.get(assistant)
        return seek(question) if seek else Sought(safe_question)

    def _guard(self, ask: Ask, question: str) -> tuple[str, tuple[Message, ...], list[Verdict]]:
        """The question and the conversation before it, as they may be used, and what was found."""
        guards = self._parts.input_guards[ask.assistant]
        safe_question, verdicts = apply_all(guards, question, "input")
        history = tuple(
            {"role": m["role"], "content": apply_all(guards, m["content"], "input")[0]}
            for m in ask.messages[:-1]
            if m["role"] in ("user", "assistant")
        )
        return safe_question, history, verdicts

    def _question(self, ask: Ask) -> str:
        if not ask.messages or ask.messages[-1]["role"] != "user":
            raise InvalidRequestError(
                "The last message must have the role 'user': it is the question.", param="messages"
            )
        question = ask.messages[-1]["content"].replace("\0", "").strip()
        if not question:
            raise InvalidRequestError("The question is empty. Write one.", param="messages")
        if len(question) > self._parts.max_question_chars:
            raise InvalidRequestError(
                f"The question has {len(question)} characters; at most "
                f"{self._parts.max_question_chars} are allowed. Shorten it.",
                param="messages",
            )
        return question

    async def stream(self, answer: Answering) -> AsyncGenerator[str | KeepAlive | Reply, None]:
        """Text that is safe to send, piece by piece, and at last the `Reply`.

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

    async def _pieces(self, answer: Answering) -> AsyncGenerator[str | KeepAlive, None]:
        """The text of the answer: a fixed reply, an abstention, or what the generator makes of the evidence."""
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
        if answer.outcome == "abstained":
            yield answer.text

    @staticmethod
    def _is_small_talk(answer: Answering) -> bool:
        return bool(answer.assistant.small_talk_message) and is_small_talk(answer.question)

    @staticmethod
    def _chat(answer: Answering) -> str:
        answer.reason, answer.finish_reason, answer.generator = "small_talk", "stop", "none"
        answer.text = answer.assistant.small_talk_message or ""
        answer.timings["first_token_s"] = answer.since()
        return answer.text

    async def _query(self, answer: Answering) -> str:
        """What is searched for: the question, made to stand alone where it leans on the conversation."""
        earlier = [m["content"] for m in answer.history if m["role"] == "user"]
        mode = answer.variant.rewrite
        if mode == "none" or not earlier or not is_follow_up(answer.sought.text):
            return without_masks(answer.sought.text)
        completer = self._parts.completer if mode == "auto" else None
        if completer is not None and answer.variant.generator != "extractive":
            begun = answer.since()
            deadline_s = answer.variant.rewrite_deadline_s
            written = await by_generator(answer.question, answer.history, completer, deadline_s=deadline_s)
            answer.timings["rewrite_s"] = answer.since() - begun
            if written:
                return written
        return standalone(answer.sought.text, earlier)

    async def _find(self, answer: Answering) -> None:
        query = await self._query(answer)
        settings = answer.variant.retrieval
        if answer.ask.top_k is not None:
            settings = settings.model_copy(update={"top_k": answer.ask.top_k})
        begun = answer.since()
        answer.evidence = await self._parts.finder.find(
            answer.release, query, settings, answer.sought.hints, answer.ask.view
        )
        answer.timings["retrieve_s"] = answer.since() - begun
        for stage, seconds in answer.evidence.timings.items():
            metrics.STAGE_SECONDS.labels(stage).observe(seconds)

    @staticmethod
    def _is_hopeless(answer: Answering, evidence: Evidence) -> bool:
        return evidence.relevance.probability < answer.variant.retrieval.relevance_floor

    @staticmethod
    def _abstain(answer: Answering, reason: str) -> str:
        answer.outcome, answer.reason, answer.finish_reason = "abstained", reason, "stop"
        answer.text = answer.assistant.abstain_message
        answer.generator = answer.generator or "none"
        answer.timings.setdefault("first_token_s", answer.since())
        return answer.text

    async def _generate(self, answer: Answering, evidence: Evidence) -> AsyncGenerator[str | KeepAlive, None]:
        """Guarded text; an answer without one becomes an abstention."""
        guard = self._output_guard(answer, evidence)
        begun = answer.since()
        begins = _Beginning()
        async with aclosing(self._events(answer, self._task(answer, evidence))) as events:
            async for event in events:
                if isinstance(event, KeepAlive):
                    yield event
                elif isinstance(event, StartOver):
                    guard, begins, answer.text = self._output_guard(answer, evidence), _Beginning(), ""
                elif isinstance(event, Finished):
                    answer.finish_reason = event.reason
                    answer.prompt_tokens = event.prompt_tokens
                    answer.completion_tokens = event.completion_tokens
                else:
                    piece = guard.feed(begins.take(event.text))
                    if piece:
                        yield self._sent(answer, piece)
        piece = guard.feed(begins.rest()) + guard.close()
        if piece.strip():
            yield self._sent(answer, piece)
        answer.verdicts += guard.verdicts
        answer.timings["generate_s"] = answer.since() - begun
        if not answer.text.strip():
            self._abstain(answer, "generator_found_no_answer")

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
        return Task(answer.question, answer.history, evidence, chosen, answer.variant.adapter)

    def _output_guard(self, answer: Answering, evidence: Evidence) -> StreamGuard:
        guards: list[Guard] = [CitationGuard(len(evidence.hits))]
        guards += self._parts.output_guards[answer.ask.assistant]
        if "numbers" in answer.assistant.guards:
            sources = [hit.chunk.embedded_text for hit in evidence.hits]
            sources += [answer.question, *(m["content"] for m in answer.history)]
            guards.append(NumberGuard(sources))
        return StreamGuard(guards)

    async def _events(self, answer: Answering, task: Task) -> AsyncGenerator[Event, None]:
        """The generator's events; the extractive generator's when the server fails before it began."""
        wanted = answer.variant.generator
        if wanted == "auto":
            wanted = "openai" if "openai" in self._parts.generators else "extractive"
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
        answer.degraded = generator is not fallback
        answer.generator = fallback.name
        async for event in fallback.generate(task):
            yield event

    def _reply(self, answer: Answering) -> Reply:
        if answer.evidence is not None and answer.outcome == "answered":
            hits = answer.evidence.hits
            language = hits[0].chunk.language if hits else "en"
            answer.citations, answer.sentences = cite(answer.text, hits, language)
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
