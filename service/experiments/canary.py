"""Watches for harm: more failures than the control has, and guardrails that are surely broken. It may pause, no more."""

import asyncio
import time
from collections import defaultdict
from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from datetime import UTC, datetime
from functools import partial
from typing import Any

from sqlalchemy import Engine, Select, case, func, select
from sqlalchemy.orm import Session

from service.database import without_limit
from service.errors import ConflictError
from service.experiments.book import ExperimentBook
from service.experiments.counting import FAILED
from service.experiments.lifecycle import Actor, pause
from service.experiments.statistics.guardrail import CanaryGuard, Traffic, guard_canary
from service.experiments.store import add_alarm
from service.experiments.timeline import RunningExperiment
from service.logs import get_logger
from service.tables import Answer

log = get_logger()
_EVERY_S = 15.0
_RESTS = 20
_ALPHA = 0.05
_STAGES = ("canary", "ab")


def check_failures(engine: Engine, one: RunningExperiment) -> dict[str, CanaryGuard]:
    """Each treatment's failures held against the control's, epoch by epoch; a unit counts once, however often it fails."""
    counted = _units(engine, one.name)
    control = one.declared.control
    found = {}
    for arm in one.declared.treatments:
        windows = [
            Traffic(*by_arm[arm], *by_arm[control])
            for by_arm in counted.values()
            if arm in by_arm and control in by_arm
        ]
        found[arm] = guard_canary(windows, alpha=_ALPHA / len(one.declared.treatments))
    return found


def _units(engine: Engine, name: str) -> dict[int, dict[str, tuple[int, int]]]:
    """Units and those with a failure, by epoch and arm."""
    failed = func.max(case((FAILED, 1), else_=0)).label("failed")
    inner = (
        select(Answer.epoch, Answer.arm, Answer.unit, failed)
        .where(Answer.experiment == name, Answer.stage.in_(_STAGES))
        .group_by(Answer.epoch, Answer.arm, Answer.unit)
        .subquery()
    )
    query: Select[Any] = select(inner.c.epoch, inner.c.arm, func.count(), func.sum(inner.c.failed)).group_by(
        inner.c.epoch, inner.c.arm
    )
    found: dict[int, dict[str, tuple[int, int]]] = defaultdict(dict)
    with Session(engine) as session:
        without_limit(session.connection())
        for epoch, arm, units, failures in session.execute(query).all():
            found[epoch][arm] = (int(units), int(failures))
    return found


def stop_harm(engine: Engine, one: RunningExperiment) -> str | None:
    """Pause an experiment of which a treatment fails more often than the control; the arm, if there is one."""
    for arm, guard in check_failures(engine, one).items():
        if guard.state != "breached":
            continue
        message = (
            f"The arm {arm!r} failed {guard.canary_errors} times, where {guard.expected_errors:.1f} are expected if it were"
            " like the control."
        )
        try:
            pause(engine, one.name, Actor("canary-watch", message))
        except ConflictError:
            return None  # another process was first
        detail = {"p": guard.p, "failures": guard.canary_errors, "expected": guard.expected_errors}
        add_alarm(engine, one.name, kind="failures", message=message, arm=arm, detail=detail)
        log.error("experiment_paused", experiment=one.name, arm=arm, reason="failures")
        return arm
    return None


class CanaryWatch:
    """Looks at what runs every quarter of a minute."""

    def __init__(self, book: ExperimentBook, engine: Engine, executor: Executor) -> None:
        self._book, self._engine, self._executor = book, engine, executor

    async def run(self) -> None:
        """Look for ever."""
        rest = _EVERY_S
        while True:
            await asyncio.sleep(rest)
            began = time.monotonic()
            try:
                await self._aside(self.look)
            except Exception as exc:  # noqa: BLE001 - a watch that dies would let harm go on
                log.warning("canaries_not_watched", error=type(exc).__name__)
            # A million answers take seconds to count; the database has more to do.
            rest = max(_EVERY_S, _RESTS * (time.monotonic() - began))

    def look(self) -> None:
        """Once, at all that run."""
        now = datetime.now(UTC)
        running: Mapping[str, RunningExperiment] = self._book.running
        stopped = [stop_harm(self._engine, one) for one in running.values() if one.state_at(now) in _STAGES]
        if any(stopped):
            self._book.refresh(self._engine)

    async def _aside(self, work: Callable[[], None]) -> None:
        await asyncio.get_running_loop().run_in_executor(self._executor, partial(work))
