"""The text of an answer: a fixed reply, or what a generator makes of the evidence, guarded piece by piece."""

from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import Any

from service.answer.generate import Finished, Generator, KeepAlive, StartOver, Task
from service.answer.prompts import NO_ANSWER
from service.answer.stop import StopWords, before_stop
from service.answer.structured import read_json, write_json
from service.answer.understand import Turn
from service.errors import GeneratorError, GeneratorInterruptedError
from service.guard.chain import Verdict
from service.guard.checks.attribution import Attributed
from service.guard.output import Notice, OutputGuards, OutputPiece
from service.guard.values import ValueGuards
from service.logs import get_logger

log = get_logger()


@dataclass(frozen=True, slots=True)
class Written:
    """What has been written so far. `first_token_s` and `generate_s` are seconds since the question and for the text."""

    text: str = ""
    outcome: str = "answered"
    reason: str | None = None
    finish_reason: str = "cancelled"
    generator: str = ""
    degraded: bool = False
    prompt_tokens: int = 0
    completion_tokens: int = 0
    notices: tuple[Notice, ...] = ()
    verdicts: tuple[Verdict, ...] = ()
    first_token_s: float | None = None
    generate_s: float | None = None


@dataclass(frozen=True, slots=True)
class Chain:
    """Who may write, in order; the last never fails. `is_degraded`: even the first is less than the variant promises."""

    writers: tuple[Generator, ...]
    is_degraded: bool = False


class Writer:
    """Writes one answer. `written` is what is known of it, at any moment and however it ends; `is_quoted` says that it is
    made of the passages' own sentences."""

    def __init__(self, turn: Turn) -> None:
        self._turn = turn
        self._written = Written()
        self._guards: OutputGuards | ValueGuards | None = None
        self._opening = _Opening()
        self._stop = self._new_stop()
        self.is_quoted = False

    @property
    def attributed(self) -> list[tuple[int, int, Attributed]] | None:
        """What supports each sentence, with its place in the text; None where nobody asked."""
        return self._guards.attributed if isinstance(self._guards, OutputGuards) else None

    @property
    def written(self) -> Written:
        """What has been written so far, with the verdicts on it."""
        found = self._guards.verdicts if self._guards else []
        verdicts = tuple(_within(verdict, len(self._written.text)) for verdict in found)
        return replace(self._written, verdicts=verdicts)

    def _new_stop(self) -> StopWords:
        return StopWords(self._turn.request.options.stop)

    # Fixed replies.

    def say(self, text: str) -> str:
        """A fixed reply, which ends before a stop word like any other."""
        text = before_stop(text, self._turn.request.options.stop)
        first_token_s = self._written.first_token_s
        self._written = replace(
            self._written,
            text=text,
            finish_reason="stop",
            generator=self._written.generator or "none",
            first_token_s=self._turn.since() if first_token_s is None else first_token_s,
        )
        return text

    def refuse(self, verdicts: Sequence[Verdict]) -> str:
        """The reply to what a guard blocks: the guard is named, and what it saw is in its verdict."""
        self._written = replace(self._written, outcome="refused", reason=_blamed(verdicts))
        return self.say(self._turn.route.assistant.refuse_message)

    def chat(self) -> str:
        """The reply to small talk."""
        self._written = replace(self._written, reason="small_talk")
        return self.say(self._turn.route.assistant.small_talk_message or "")

    def abstain(self, reason: str) -> str:
        """The reply where the documents don't answer."""
        self._written = replace(self._written, outcome="abstained", reason=reason)
        return self.say(self._turn.route.assistant.abstain_message)

    def interrupt(self) -> None:
        """Note that the generator went away after text had been sent."""
        self._written = replace(self._written, finish_reason="interrupted")

    # Generated text.

    async def write(
        self, task: Task, chain: Chain, guards: Callable[[Generator], OutputGuards]
    ) -> AsyncGenerator[str | KeepAlive | Notice, None]:
        """Guarded text, piece by piece; `guards` makes those of an answer that a generator begins.

        A generator that fails, or of whose text nothing is left, is followed by the next. An answer of which nothing is
        left at last becomes an abstention; one that a guard stops ends with a refusal.
        Raises `GeneratorError` when text had been sent and can't be continued.
        """
        begun = self._turn.since()
        for number, generator in enumerate(chain.writers):
            is_last = number == len(chain.writers) - 1
            self._begin(guards(generator), generator, is_degraded=chain.is_degraded or number > 0)
            try:
                async with aclosing(self._written_by(generator, task, guards)) as pieces:
                    async for piece in pieces:
                        yield piece
            except GeneratorError as exc:
                self._failed(exc)
                if is_last or self._is_read:
                    raise
                continue
            if is_last or not self._is_void:
                break
            log.info("answer_unsupported", generator=generator.name, request_id=self._turn.request.request_id)
        self._written = replace(self._written, generate_s=self._turn.since() - begun)
        for parting in self._ended():
            yield parting

    async def _written_by(
        self, generator: Generator, task: Task, guards: Callable[[Generator], OutputGuards]
    ) -> AsyncGenerator[str | KeepAlive | Notice, None]:
        """What one generator writes. Raises `GeneratorError`."""
        opening = self._opening = _Opening()
        async with aclosing(generator.generate(task)) as events:
            async for event in events:
                if self._written.generator != generator.name:  # a server's model is known when it answers
                    self._written = replace(self._written, generator=generator.name)
                if isinstance(event, KeepAlive):
                    yield event
                elif isinstance(event, StartOver):
                    if self._is_read:
                        raise GeneratorInterruptedError("What was written was no answer. Please ask again.")
                    self._begin(guards(generator), generator, is_degraded=self._written.degraded)
                    opening = self._opening = _Opening()
                elif isinstance(event, Finished):
                    self._finished(event)
                else:
                    for piece in self._sent(await self._guard.feed(opening.take(event.text))):
                        yield piece
                    if self._guard.stopped or self._stop.is_reached:
                        break
        for piece in self._sent(await self._guard.end(opening.rest()), is_last=True):
            yield piece

    async def write_json(
        self, task: Task, chain: Chain, guards: ValueGuards, form: dict[str, Any]
    ) -> AsyncGenerator[str | KeepAlive | Notice, None]:
        """An answer in a form of JSON, guarded and in one piece; the chain's writers know the form.

        Raises `GeneratorError` for what is no JSON.
        """
        begun, text = self._turn.since(), ""
        self._guards = guards
        for number, generator in enumerate(chain.writers):
            is_last = number == len(chain.writers) - 1
            self._written = replace(self._written, degraded=number > 0, generator=generator.name)
            try:
                async with aclosing(self._raw(generator, task)) as pieces:
                    async for piece in pieces:
                        text = piece if isinstance(piece, str) else text
                        if not isinstance(piece, str):
                            yield piece
                break
            except GeneratorError as exc:
                self._failed(exc)
                if is_last:
                    raise
        self._written = replace(self._written, generate_s=self._turn.since() - begun)
        if text.strip().startswith(NO_ANSWER):
            yield self.abstain("generator_found_no_answer")
            return
        safe = await guards.guard(read_json(text, form))
        if guards.stopped:
            blocked = guards.stopped == "block"
            yield self.refuse(guards.verdicts) if blocked else self.abstain("not_grounded")
            return
        for sent in self._sent(OutputPiece(write_json(safe), guards.notices), is_last=True):
            yield sent

    async def _raw(self, generator: Generator, task: Task) -> AsyncGenerator[str | KeepAlive, None]:
        """The whole text of a generator, behind signs of life."""
        text = ""
        async with aclosing(generator.generate(task)) as events:
            async for event in events:
                if isinstance(event, KeepAlive):
                    yield event
                elif isinstance(event, StartOver):
                    text = ""
                elif isinstance(event, Finished):
                    self._finished(event)
                else:
                    text += event.text
        self._written = replace(self._written, generator=generator.name)
        yield text

    def _failed(self, exc: GeneratorError) -> None:
        log.warning("generator_failed", reason=exc.message, request_id=self._turn.request.request_id)

    def _begin(self, guards: OutputGuards, generator: Generator, *, is_degraded: bool) -> None:
        """Begin an answer: what was written before is void, with what was told of it and when it began."""
        self._guards, self._stop = guards, self._new_stop()
        self.is_quoted = generator.quotes
        self._written = replace(
            self._written,
            text="",
            notices=(),
            first_token_s=None,
            degraded=is_degraded,
            generator=generator.name,
        )

    @property
    def _guard(self) -> OutputGuards:
        """The guards of the answer that is being written."""
        assert isinstance(self._guards, OutputGuards)
        return self._guards

    @property
    def _is_read(self) -> bool:
        """Whether the client has read a part of it."""
        return bool(self._written.text) and self._turn.request.is_streamed

    @property
    def _is_void(self) -> bool:
        """Whether nothing was left of what a generator wrote, although it didn't say that there is no answer."""
        is_ended = self._guard.stopped in ("block", "abstain")
        is_meant = is_ended or self._stop.is_reached or self._opening.is_no_answer
        return not (self._written.text.strip() or is_meant)

    def _finished(self, event: Finished) -> None:
        self._written = replace(
            self._written,
            finish_reason=event.reason,
            prompt_tokens=event.prompt_tokens,
            completion_tokens=event.completion_tokens,
        )

    def _sent(self, piece: OutputPiece, *, is_last: bool = False) -> list[str | Notice]:
        """Text to send and notices, in this order."""
        text = self._stop.feed(piece.text) + (self._stop.close() if is_last else "")
        if text or piece.notices:
            first = self._written.first_token_s
            self._written = replace(
                self._written,
                text=self._written.text + text,
                notices=(*self._written.notices, *piece.notices),
                first_token_s=self._turn.since() if text and first is None else first,
            )
        return [*([text] if text else []), *piece.notices]

    def _ended(self) -> list[str]:
        """What is said when guards ended the answer or left nothing of it."""
        guard = self._guard
        assistant = self._turn.route.assistant
        has_text = bool(self._written.text.strip())
        if self._stop.is_reached:
            self._written = replace(self._written, finish_reason="stop")
            return []
        if guard.stopped == "block":
            self._written = replace(self._written, outcome="refused", reason=_blamed(guard.verdicts))
            return self._part(assistant.refuse_message, has_text=has_text)
        if guard.stopped == "abstain" and has_text:
            self._written = replace(self._written, outcome="abstained", reason="not_grounded")
            return self._part(assistant.abstain_message, has_text=True)
        if not has_text:
            is_guarded = (
                guard.has_dropped_all
                or guard.stopped
                or (guard.says_nothing and not self._opening.is_no_answer)
            )
            return [self.abstain("not_grounded" if is_guarded else "generator_found_no_answer")]
        return []

    def _part(self, message: str, *, has_text: bool) -> list[str]:
        """The last words of an answer that a guard stopped."""
        self._written = replace(self._written, finish_reason="content_filter")
        parting = OutputPiece(f"\n\n{message}" if has_text else message)
        return [piece for piece in self._sent(parting, is_last=True) if isinstance(piece, str)]


def _within(verdict: Verdict, chars: int) -> Verdict:
    """The verdict; without its place where that lies behind the answer's end, before a stop word."""
    return verdict if (verdict.end or 0) <= chars else replace(verdict, start=None, end=None)


def _blamed(verdicts: Sequence[Verdict]) -> str:
    """Which guard refused."""
    return f"guard:{next((v.guard for v in verdicts if v.verdict == 'block'), 'guards')}"


class _Opening:
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

    @property
    def is_no_answer(self) -> bool:
        """Whether the answer is `NO_ANSWER`."""
        return (self._held or "").strip().startswith(NO_ANSWER)

    def rest(self) -> str:
        held = self._held or ""
        return "" if self.is_no_answer else held
