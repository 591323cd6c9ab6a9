"""The text of an answer: a fixed reply, or what a generator makes of the evidence, guarded piece by piece."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from service.answer.draft import Chain, Draft, blamed
from service.answer.generate import Finished, Generator, KeepAlive, StartOver, Task, Text
from service.answer.prompts import NO_ANSWER
from service.answer.structured import misfit_of, read_json, write_json
from service.answer.tools import Calls, ToolCall
from service.answer.understand import Turn
from service.errors import GeneratorError, GeneratorInterruptedError
from service.guard.checks.attribution import Attributed
from service.guard.output import Notice, OutputGuards, OutputPiece
from service.guard.values import ValueGuards
from service.logs import get_logger

log = get_logger()
Piece = str | KeepAlive | Notice | Calls


@dataclass(frozen=True, slots=True)
class _Raw:
    """All that a generator wrote."""

    text: str
    calls: tuple[ToolCall, ...] = ()


@dataclass(frozen=True, slots=True)
class _Read:
    """What was made of it; `has_answer` is False where it said that there is none. `called` is what leaves instead."""

    value: object = None
    has_answer: bool = False
    called: Sequence[Calls | Notice] = ()


class Writer(Draft):
    """Writes one answer by generators; `is_quoted` says that it is made of the passages' own sentences."""

    def __init__(self, turn: Turn) -> None:
        super().__init__(turn)
        self._opening = _Opening()
        self.is_quoted = False

    @property
    def attributed(self) -> list[tuple[int, int, Attributed]] | None:
        """What supports each sentence, with its place in the text; None where nobody asked."""
        return self._guards.attributed if isinstance(self._guards, OutputGuards) else None

    async def write(
        self, task: Task, chain: Chain, guards: Callable[[Generator], OutputGuards]
    ) -> AsyncGenerator[Piece, None]:
        """Guarded text, piece by piece; `guards` makes those of an answer that a generator begins. Calls of tools end it,
        and stand in its place where nothing has left.

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
    ) -> AsyncGenerator[Piece, None]:
        """What one generator writes. Raises `GeneratorError`."""
        called: Sequence[Calls | Notice] = ()
        self._opening = _Opening()
        async with aclosing(generator.generate(task)) as events:
            async for event in events:
                self._name(generator)
                if isinstance(event, Text):
                    for piece in self._sent(await self._guard.feed(self._opening.take(event.text))):
                        yield piece
                    if self._guard.stopped or self._stop.is_reached:
                        break
                elif isinstance(event, Calls):
                    called = await self._called(event.calls)
                elif isinstance(event, KeepAlive):
                    yield event
                else:
                    self._noted(event, generator, guards)
        # What was said to a call's way, and has not left, is no answer.
        if self._written.text or not (self._written.calls or self._stopped_call):
            for piece in self._sent(await self._guard.end(self._opening.rest()), is_last=True):
                yield piece
        for told in called:
            yield told

    def _name(self, generator: Generator) -> None:
        """Note who writes: a server's model is known when it answers."""
        if self._written.generator != generator.name:
            self._written = replace(self._written, generator=generator.name)

    def _noted(
        self, event: Finished | StartOver, generator: Generator, guards: Callable[[Generator], OutputGuards]
    ) -> None:
        if isinstance(event, Finished):
            self._finished(event)
            return
        if self._is_read:
            raise GeneratorInterruptedError("What was written was no answer. Please ask again.")
        self._begin(guards(generator), generator, is_degraded=self._written.degraded)
        self._opening = _Opening()

    async def write_json(
        self, task: Task, chain: Chain, guards: ValueGuards, form: dict[str, Any]
    ) -> AsyncGenerator[Piece, None]:
        """An answer in a form of JSON, guarded and in one piece, or calls of tools; the chain's writers know the form.

        What the masks took out of the form is refused. Raises `GeneratorError` when no generator wrote what fits it.
        """
        self._guards, read = guards, _Read()
        async with aclosing(self._read(task, chain, partial(_read_json, form=form))) as pieces:
            async for piece in pieces:
                if isinstance(piece, KeepAlive):
                    yield piece
                else:
                    read = piece
        for told in self._instead(read):
            yield told
        if self._stopped_call or self._written.calls:
            return
        if not read.has_answer:
            yield self.abstain("generator_found_no_answer")
            return
        safe = await guards.guard(read.value)
        if guards.stopped == "abstain":
            yield self.abstain("not_grounded")
            return
        if guards.stopped or await asyncio.to_thread(misfit_of, safe, form) is not None:
            yield self.refuse(guards.verdicts)
            return
        for sent in self._sent(OutputPiece(write_json(safe), guards.notices), is_last=True):
            yield sent

    async def write_calls(self, task: Task, chain: Chain) -> AsyncGenerator[Piece, None]:
        """Calls of tools and nothing else; text is not told. Where there are none and none were due, nothing is written.

        Raises `GeneratorError` where some were due.
        """
        tools = task.options.tools
        make, read = _must_call if tools is not None and tools.is_forced else _no_text, _Read()
        async with aclosing(self._read(task, chain, make)) as pieces:
            async for piece in pieces:
                if isinstance(piece, KeepAlive):
                    yield piece
                else:
                    read = piece
        for told in self._instead(read):
            yield told

    def _instead(self, read: _Read) -> list[Calls | Notice | str]:
        """What is told in the place of an answer: calls, and a fixed reply where guards ended it for one."""
        told: list[Calls | Notice | str] = [*read.called]
        if self._calls is not None and self._calls.stopped:
            is_blocked = self._calls.stopped == "block"
            told.append(self.refuse(self._calls.verdicts) if is_blocked else self.abstain("not_grounded"))
        elif self._written.calls:
            self._end_with_calls()
        return told

    async def _read(
        self, task: Task, chain: Chain, read: Callable[[str], _Read]
    ) -> AsyncGenerator[_Read | KeepAlive, None]:
        """Signs of life, and what can be read of all that a generator wrote; one that fails is followed by the next."""
        begun = self._turn.since()
        for number, generator in enumerate(chain.writers):
            self._written = replace(self._written, degraded=number > 0, generator=generator.name)
            try:
                async with aclosing(self._raw(generator, task)) as pieces:
                    async for piece in pieces:
                        yield await self._made_of(piece, read) if isinstance(piece, _Raw) else piece
                break
            except GeneratorError as exc:
                self._failed(exc)
                if number == len(chain.writers) - 1:
                    raise
        self._written = replace(self._written, generate_s=self._turn.since() - begun)

    async def _made_of(self, raw: _Raw, read: Callable[[str], _Read]) -> _Read:
        called = await self._called(raw.calls)
        if self._written.calls or self._stopped_call:
            return _Read(called=called)
        return replace(await asyncio.to_thread(read, raw.text), called=called)

    async def _raw(self, generator: Generator, task: Task) -> AsyncGenerator[_Raw | KeepAlive, None]:
        """All that a generator writes, behind signs of life."""
        text = ""
        calls: tuple[ToolCall, ...] = ()
        async with aclosing(generator.generate(task)) as events:
            async for event in events:
                if isinstance(event, KeepAlive):
                    yield event
                elif isinstance(event, StartOver):
                    text = ""
                elif isinstance(event, Finished):
                    self._finished(event)
                elif isinstance(event, Calls):
                    calls = event.calls
                else:
                    text += event.text
        self._written = replace(self._written, generator=generator.name)
        yield _Raw(text, calls)

    def _failed(self, exc: GeneratorError) -> None:
        self._written = replace(self._written, failures=self._written.failures + 1)
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
        is_ended = self._guard.stopped in ("block", "abstain") or self._stopped_call is not None
        is_meant = is_ended or self._stop.is_reached or self._opening.is_no_answer or self._written.calls
        return not (self._written.text.strip() or is_meant)

    def _ended(self) -> list[str]:
        """What is said when guards ended the answer or left nothing of it."""
        guard = self._guard
        assistant = self._turn.route.assistant
        has_text = bool(self._written.text.strip())
        stopped = self._stopped_call or guard.stopped
        if self._written.calls:
            self._end_with_calls()
            return []
        if self._stop.is_reached:
            self._written = replace(self._written, finish_reason="stop")
            return []
        if stopped == "block":
            self._written = replace(self._written, outcome="refused", reason=blamed(self.written.verdicts))
            return self._part(self._turn.said(assistant.refuse_message), has_text=has_text)
        if stopped == "abstain" and has_text:
            self._written = replace(self._written, outcome="abstained", reason="not_grounded")
            return self._part(self._turn.said(assistant.abstain_message), has_text=True)
        if not has_text:
            is_guarded = (
                guard.has_dropped_all or stopped or (guard.says_nothing and not self._opening.is_no_answer)
            )
            return [self.abstain("not_grounded" if is_guarded else "generator_found_no_answer")]
        return []

    def _part(self, message: str, *, has_text: bool) -> list[str]:
        """The last words of an answer that a guard stopped."""
        self._written = replace(self._written, finish_reason="content_filter")
        parting = OutputPiece(f"\n\n{message}" if has_text else message)
        return [piece for piece in self._sent(parting, is_last=True) if isinstance(piece, str)]


def _no_text(text: str) -> _Read:
    """Where the documents are too unlikely to answer, so is what is said of them."""
    return _Read()


def _must_call(text: str) -> _Read:
    """Raises `GeneratorError`."""
    raise GeneratorError("The generator called no tool that fits, and `tool_choice` asks for one. Try again.")


def _read_json(text: str, form: dict[str, Any]) -> _Read:
    """Raises `GeneratorError`."""
    if text.strip().startswith(NO_ANSWER):
        return _Read()
    return _Read(read_json(text, form), has_answer=True)


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
