"""An answer while it is written: what is known of it at any moment, and the fixed replies."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from service.answer.calls import CallGuards
from service.answer.generate import Finished, Generator
from service.answer.stop import StopWords, before_stop
from service.answer.tools import Calls, ToolCall
from service.answer.understand import Turn
from service.guard.chain import Verdict
from service.guard.output import Notice, OutputGuards, OutputPiece
from service.guard.stream.sentences import Decision
from service.guard.values import ValueGuards


@dataclass(frozen=True, slots=True)
class Written:
    """What has been written so far. `first_token_s` and `generate_s` are seconds since the question and for the text;
    `failures` counts the generators that failed before; `calls` are those of tools, guarded."""

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
    failures: int = 0
    calls: tuple[ToolCall, ...] = ()


@dataclass(frozen=True, slots=True)
class Chain:
    """Who may write, in order. `is_degraded`: even the first is less than the variant promises."""

    writers: tuple[Generator, ...]
    is_degraded: bool = False


class Draft:
    """One answer that is being written. `written` is what is known of it, at any moment and however it ends."""

    def __init__(self, turn: Turn) -> None:
        self._turn = turn
        self._written = Written()
        self._guards: OutputGuards | ValueGuards | None = None
        self._calls: CallGuards | None = None
        self._stop = self._new_stop()

    @property
    def written(self) -> Written:
        """What has been written so far, with the verdicts on it."""
        found = [
            *(self._guards.verdicts if self._guards else ()),
            *(self._calls.verdicts if self._calls else ()),
        ]
        verdicts = tuple(_within(verdict, len(self._written.text)) for verdict in found)
        return replace(self._written, verdicts=verdicts)

    def offer(self, calls: CallGuards) -> None:
        """Tools may be called instead of an answer, as far as these guards let the calls leave."""
        self._calls = calls

    def _new_stop(self) -> StopWords:
        return StopWords(self._turn.request.options.stop)

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
        self._written = replace(self._written, outcome="refused", reason=blamed(verdicts))
        return self.say(self._turn.said(self._turn.route.assistant.refuse_message))

    def chat(self) -> str:
        """The reply to small talk."""
        self._written = replace(self._written, reason="small_talk")
        return self.say(self._turn.said(self._turn.route.assistant.small_talk_message or ""))

    def explain(self, reason: str) -> None:
        """Say why the answer is what it is, before it is written; what ends it otherwise has reasons of its own."""
        self._written = replace(self._written, reason=reason)

    def abstain(self, reason: str) -> str:
        """The reply where the documents don't answer."""
        self._written = replace(self._written, outcome="abstained", reason=reason)
        return self.say(self._turn.said(self._turn.route.assistant.abstain_message))

    def interrupt(self) -> None:
        """Note that the generator went away after text had been sent."""
        self._written = replace(self._written, finish_reason="interrupted")

    def _finished(self, event: Finished) -> None:
        is_called = event.reason in (
            "tool_calls",
            "function_call",
        )  # of what is left of them, the writer tells
        self._written = replace(
            self._written,
            finish_reason="stop" if is_called else event.reason,
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

    async def _called(self, calls: Sequence[ToolCall]) -> list[Calls | Notice]:
        """Calls that may leave in the place of an answer, and notices of the others."""
        if self._calls is None or not calls:
            return []
        found = await self._calls.guard(calls)
        first = self._written.first_token_s
        self._written = replace(
            self._written,
            calls=found.calls,
            notices=(*self._written.notices, *found.notices),
            first_token_s=self._turn.since() if found.calls and first is None else first,
        )
        return [*([Calls(found.calls)] if found.calls else []), *found.notices]

    @property
    def _stopped_call(self) -> Decision | None:
        """Why no call may leave, where guards ended the answer for one."""
        return self._calls.stopped if self._calls else None

    def _end_with_calls(self) -> None:
        self._written = replace(
            self._written, outcome="answered", reason="tool_calls", finish_reason="tool_calls"
        )


def blamed(verdicts: Sequence[Verdict]) -> str:
    """Which guard refused: the first that blocks, else the first that took something away."""
    found = [v.guard for kind in ("block", "redact", "drop") for v in verdicts if v.verdict == kind]
    return f"guard:{next(iter(found), 'guards')}"


def _within(verdict: Verdict, chars: int) -> Verdict:
    """The verdict; without its place where that lies behind the answer's end, before a stop word."""
    return verdict if (verdict.end or 0) <= chars else replace(verdict, start=None, end=None)
