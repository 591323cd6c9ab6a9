"""What leaves as JSON: every string through the masks and the judges of an answer, by itself."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import replace

import orjson

from service.guard.chain import Guard, Outcome, SentenceGuard, Verdict, apply_to_json
from service.guard.output import Notice
from service.guard.stream.sentences import Decision, SentenceStream
from service.metrics import GUARD_SECONDS
from service.scope.policy import Rule, Zone


class _Judges:
    """Judges of sentences as a guard of whole texts."""

    name = "sentences"

    def __init__(self, guards: Sequence[SentenceGuard]) -> None:
        self._guards = guards
        self.stopped: Decision | None = None

    def apply(self, text: str, zone: Zone) -> tuple[str, list[Verdict]]:
        """The text without the sentences that are dropped."""
        stream = SentenceStream(self._guards)
        left = stream.feed(text) + stream.close()
        self.stopped = self.stopped or stream.stopped
        return left, stream.verdicts


class ValueGuards:
    """One JSON answer's guards. `words` change words, `sentences` decide about sentences, `last` see what leaves."""

    def __init__(
        self,
        words: Sequence[Guard],
        sentences: Sequence[SentenceGuard],
        last: Sequence[Guard],
        length: Rule,
        *,
        in_thread: bool,
    ) -> None:
        self._judges = _Judges(sentences)
        self._guards = [*words, *([self._judges] if sentences else []), *last]
        self._length = length
        self._in_thread = in_thread
        self.verdicts: list[Verdict] = []
        self._is_too_long = False

    @property
    def stopped(self) -> Decision | None:
        """Why it may not leave: `block`, `abstain`, or None."""
        return "block" if self._is_too_long else self._judges.stopped

    @property
    def notices(self) -> list[Notice]:
        """What was taken out."""
        found = [v for v in self.verdicts if v.verdict not in ("pass", "flag")]
        return [Notice(v.guard, v.verdict, v.rule) for v in found]

    async def guard(self, value: object) -> object:
        """The value as it may leave. Verdicts have no places: they would be of single strings."""
        begun = time.perf_counter()
        self._check_length(value)
        if self._in_thread:
            safe, found = await asyncio.to_thread(apply_to_json, self._guards, value, "output")
        else:
            safe, found = apply_to_json(self._guards, value, "output")
        self.verdicts += [replace(verdict, start=None, end=None) for verdict in found]
        GUARD_SECONDS.labels("output", "all").observe(time.perf_counter() - begun)
        return safe

    def _check_length(self, value: object) -> None:
        rule = self._length
        if not rule.is_on or not rule.limit or len(orjson.dumps(value)) <= rule.limit:
            return
        self._is_too_long = rule.changes_text
        outcome: Outcome = "block" if rule.changes_text else "flag"
        self.verdicts.append(Verdict("length", "output", outcome, "TOO_LONG", 1.0))
