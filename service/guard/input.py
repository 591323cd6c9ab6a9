"""What a caller sends, before anything is searched, generated from or recorded: rules at once, models within a deadline."""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from typing import Literal

from ingestion.detect.decodings import decodings_of
from ingestion.detect.injection import by_rules
from service.guard.chain import Guard, Verdict, apply_all, apply_to_json, outcome_of
from service.guard.failure import failed
from service.guard.models.tier import Scores
from service.guard.texts import MaskedText, RawText
from service.metrics import GUARD_SECONDS
from service.scope.policy import GuardPolicy, Rule

Disposition = Literal["pass", "degrade", "block"]
# The rule of a verdict on a text that may be an attack: it passes, and no generator reads it.
SUSPECTED = "SUSPECTED"


@dataclass(frozen=True, slots=True)
class ScreenResult:
    """A text as it may be used, and what was found in it."""

    text: MaskedText
    verdicts: tuple[Verdict, ...]

    @property
    def is_blocked(self) -> bool:
        """Whether the question is refused."""
        return any(verdict.verdict == "block" for verdict in self.verdicts)


@dataclass(frozen=True, slots=True)
class Judgement:
    """What the models said, and how it goes on: `degrade` leaves the answer to the documents' own sentences."""

    verdicts: tuple[Verdict, ...]
    disposition: Disposition


class InputGuards:
    """The guards of the input zone for one assistant. `redactors` makes those that mask, anew for each text."""

    def __init__(
        self,
        policy: GuardPolicy,
        redactors: Callable[[dict[str, set[str]] | None], Sequence[Guard]],
        judges: Mapping[str, Scores],
        executor: Executor,
        ready: asyncio.Future[None] | None = None,
    ) -> None:
        self._policy = policy
        self._redactors = redactors
        self._judges = dict(judges)
        self._executor = executor
        self._ready = ready

    def screen(self, text: RawText, originals: dict[str, set[str]] | None = None) -> ScreenResult:
        """The deterministic tier: length, injection, secrets, personal data. Pure CPU work.

        No pattern reads a text that is refused for its length, and nothing of it is kept.
        """
        begun = time.perf_counter()
        verdicts = self._by_length(text)
        if any(verdict.verdict == "block" for verdict in verdicts):
            return ScreenResult(MaskedText(""), tuple(verdicts))
        verdicts += self._injections(text)
        # What masks personal data must not fail in silence: its errors end the request.
        safe, found = apply_all(self._redactors(originals), text, "input")
        GUARD_SECONDS.labels("input", "rules").observe(time.perf_counter() - begun)
        return ScreenResult(MaskedText(safe), (*verdicts, *found))

    def screen_json(
        self, value: object, text: str, originals: dict[str, set[str]] | None = None
    ) -> tuple[object, list[Verdict]]:
        """The same for a JSON value, of which `text` is all that it says: each of its strings is masked by itself."""
        verdicts = self._injections(text)
        safe, found = apply_to_json(self._redactors(originals), value, "input")
        return safe, verdicts + found

    def screen_result(self, text: RawText, originals: dict[str, set[str]] | None = None) -> ScreenResult:
        """The result of a tool: masked like a question, and read for orders as documents are, by the retrieved zone's rule."""
        rule = self._policy.retrieved["injection"]
        try:
            found = by_rules(text, decodings_of(text), is_document=True) if rule.is_on else []
            verdicts = [
                Verdict("injection", "retrieved", outcome_of(rule), one.rule.upper(), one.score)
                for one in found
                if not _is_allowed(one.rule, rule)
            ]
        except Exception as exc:  # noqa: BLE001 - a guard that fails must not fail open
            verdicts = [failed("injection", "retrieved", rule, exc)]
        safe, masked = apply_all(self._redactors(originals), text, "input")
        return ScreenResult(MaskedText(safe), (*verdicts, *masked))

    def _injections(self, text: str) -> list[Verdict]:
        try:
            return self._by_rules(text)
        except Exception as exc:  # noqa: BLE001 - a guard that fails must not fail open
            return [failed("injection", "input", self._policy.input["injection"], exc)]

    def _by_length(self, text: str) -> list[Verdict]:
        rule = self._policy.input["length"]
        if not rule.is_on or not rule.limit or len(text) <= rule.limit:
            return []
        return [Verdict("length", "input", outcome_of(rule), "TOO_LONG", 1.0, rule.limit, len(text))]

    def _by_rules(self, text: str) -> list[Verdict]:
        rule = self._policy.input["injection"]
        if not rule.is_on:
            return []
        return [
            Verdict("injection", "input", outcome_of(rule), f.rule.upper(), f.score, f.start, f.end)
            for f in by_rules(text, decodings_of(text), is_document=False)
            if not _is_allowed(f.rule, rule)
        ]

    async def judge(self, texts: Sequence[str]) -> Judgement:
        """The model tier on what the user said in this conversation, within the deadlines.

        The first questions wait until the models are there: a deadline is for those that are.
        """
        if self._ready is not None and not self._ready.done():
            await asyncio.shield(self._ready)
        begun = time.perf_counter()
        verdicts: list[Verdict] = []
        disposition: Disposition = "pass"
        for name, score in self._judges.items():
            rule = self._policy.input[name]
            left = self._policy.deadline_s - (time.perf_counter() - begun)
            try:
                value, text = await self._worst(score, texts, min(rule.deadline_s, left))
            except TimeoutError as exc:
                verdicts.append(failed(name, "input", rule, exc))
                disposition = _worse(disposition, rule)
                continue
            except Exception as exc:  # noqa: BLE001 - any failure of a model is the policy's to answer
                verdicts.append(failed(name, "input", rule, exc))
                disposition = _worse(disposition, rule)
                continue
            if value >= rule.threshold:
                verdicts.append(
                    Verdict(name, "input", outcome_of(rule), "MODEL", round(value, 4), 0, len(text))
                )
                disposition = "block" if rule.action == "block" else disposition
            elif rule.degrade_threshold is not None and value >= rule.degrade_threshold:
                verdicts.append(Verdict(name, "input", "flag", SUSPECTED, round(value, 4), 0, len(text)))
                disposition = "degrade" if disposition == "pass" else disposition
        GUARD_SECONDS.labels("input", "models").observe(time.perf_counter() - begun)
        return Judgement(tuple(verdicts), disposition)

    async def _worst(self, score: Scores, texts: Sequence[str], deadline_s: float) -> tuple[float, str]:
        if deadline_s <= 0:
            raise TimeoutError
        loop = asyncio.get_running_loop()
        ends = time.monotonic() + deadline_s

        def judged(text: str) -> tuple[float, str]:
            # Nobody waits any longer, and other questions need the thread.
            if time.monotonic() > ends:
                raise TimeoutError
            return score(text), text

        def work() -> tuple[float, str]:
            return max(map(judged, texts), default=(0.0, ""))

        return await asyncio.wait_for(loop.run_in_executor(self._executor, work), deadline_s)


def _worse(disposition: Disposition, rule: Rule) -> Disposition:
    if rule.fail == "closed" or disposition == "block":
        return "block"
    return "degrade" if rule.fail == "degrade" or disposition == "degrade" else "pass"


def _is_allowed(name: str, rule: Rule) -> bool:
    return name.casefold() in {pattern.casefold() for pattern in rule.allow}


def unblocked(verdicts: Sequence[Verdict]) -> list[Verdict]:
    """Verdicts on earlier turns: they were answered for then, and are only told of now."""
    return [
        replace(verdict, verdict="flag") if verdict.verdict == "block" else verdict for verdict in verdicts
    ]
