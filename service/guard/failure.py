"""Guards that break or are late: counted, told, and answered as the policy wants. No guard fails in silence."""

import time
from collections.abc import Sequence
from concurrent.futures import Executor, Future

from service.guard.chain import ModelGuard, Outcome, SentenceGuard, Verdict
from service.logs import get_logger
from service.metrics import GUARD_ERRORS
from service.scope.policy import Rule, Zone

log = get_logger()
# What becomes of a text whose guard failed, where the policy says `closed`; in what is said, `degrade` means the same.
_CLOSED: dict[Zone, Outcome] = {"input": "block", "retrieved": "drop", "output": "drop"}


def failed(name: str, zone: Zone, rule: Rule, exc: Exception) -> Verdict:
    """The verdict of a guard that raised, or that was not there in time (`TimeoutError`)."""
    is_late = isinstance(exc, TimeoutError)
    reason = "deadline" if is_late else type(exc).__name__
    GUARD_ERRORS.labels(name, zone, reason).inc()
    log.warning("guard_failed", guard=name, zone=zone, reason=reason, fail=rule.fail)
    is_closed = rule.fail == "closed" or (rule.fail == "degrade" and zone == "output")
    return Verdict(name, zone, _CLOSED[zone] if is_closed else "flag", "LATE" if is_late else "FAILED", 1.0)


class SafeJudge:
    """A sentence guard that may fail."""

    def __init__(self, guard: SentenceGuard, rule: Rule) -> None:
        self.name = guard.name
        self._guard = guard
        self._rule = rule

    def judge(self, sentence: str) -> list[Verdict]:
        """The guard's verdicts, or the one on its failure."""
        try:
            return self._guard.judge(sentence)
        except Exception as exc:  # noqa: BLE001 - any failure of a guard is the policy's to answer
            return [failed(self.name, "output", self._rule, exc)]


class TimedJudges:
    """Sentence guards that ask models: each has its rule's deadline for a sentence, all together have one more.

    A judgement that is late goes on in its thread and is not waited for; those behind it are late in their turn.
    """

    name = "models"

    def __init__(
        self, guards: Sequence[tuple[Rule, ModelGuard]], executor: Executor, deadline_s: float
    ) -> None:
        self._guards = guards
        self._executor = executor
        self._deadline_s = deadline_s

    def judge(self, sentence: str) -> list[Verdict]:
        """What all of them say."""
        ends = time.monotonic() + self._deadline_s
        return [
            verdict
            for rule, guard in self._guards
            for verdict in self._one(rule, guard, sentence, min(rule.deadline_s, ends - time.monotonic()))
        ]

    def _one(self, rule: Rule, guard: ModelGuard, sentence: str, left_s: float) -> list[Verdict]:
        future: Future[list[Verdict]] | None = None
        try:
            if not guard.is_asked(sentence):
                return []
            future = self._executor.submit(guard.judge, sentence)
            return future.result(timeout=max(left_s, 0))
        except Exception as exc:  # noqa: BLE001 - any failure of a guard is the policy's to answer
            if future is not None:
                future.cancel()
            return [failed(guard.name, "output", rule, exc)]
