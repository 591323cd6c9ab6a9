"""Answers of treatments that nobody sees: a sample of the questions is asked again after their answers have gone."""

import asyncio
import random
from collections import Counter
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Protocol

from ingestion.releases.release import Release
from service.answer.route import Route
from service.answer.understand import Turn
from service.experiments.book import Assignment
from service.ids import uuid7
from service.logs import get_logger
from service.scope import Scope

log = get_logger()
# Questions that wait; on a busy machine the others are left out.
_WAITING = 8

Serving = Callable[[str, str | None], Awaitable[Release]]


class Answers(Protocol):
    """What answers a turn, piece by piece."""

    def __call__(self, turn: Turn) -> AsyncGenerator[object, None]:
        """Answer it and record it."""
        ...


class Shadows:
    """Asks the treatments within the experiment's share and its budget of a day. Nothing of it holds up an answer."""

    def __init__(self, scope: Scope, serving: Serving, answers: Answers) -> None:
        self._scope = scope
        self._serving = serving
        self._answers = answers
        self._asked: Counter[tuple[str, date]] = Counter()
        self._waiting: asyncio.Queue[tuple[Turn, Assignment]] = asyncio.Queue(_WAITING)
        self._chance = random.Random()

    def offer(self, turn: Turn) -> None:
        """Take a turn that has been answered, if its experiment has treatments to ask and it is drawn."""
        found = turn.route.assignment
        if found is None or found.shadow is None or turn.request.dry_run or turn.disposition != "pass":
            return
        day = (str(found.experiment), datetime.now(UTC).date())
        if self._chance.random() >= found.shadow.share or self._asked[day] >= found.shadow.answers_a_day:
            return
        for arm in found.shadows:
            if self._waiting.full():
                return
            self._asked[day] += 1
            self._waiting.put_nowait((turn, arm))

    async def run(self) -> None:
        """Ask for ever, one question after the other. What fails is logged and left out."""
        while True:
            turn, arm = await self._waiting.get()
            try:
                await self._ask(turn, arm)
            except Exception as exc:  # noqa: BLE001 - a task that dies would end every experiment's shadows
                log.warning("shadow_failed", experiment=arm.experiment, arm=arm.arm, error=type(exc).__name__)

    async def _ask(self, turn: Turn, arm: Assignment) -> None:
        name = str(arm.variant)
        variant, assistant = self._scope.variants[name], turn.route.assistant
        route = Route(turn.route.assistant_name, assistant, name, variant, arm)
        release = await self._serving(assistant.collection, variant.release)
        request = replace(turn.request, conversation_id=turn.request.conversation_id or turn.id)
        shadow = replace(turn, id=uuid7(), request=request, route=route, release=release).begun_now()
        async with aclosing(self._answers(shadow)) as pieces:
            async for _ in pieces:
                pass
