"""What an experiment costs a request on its way to an arm: the choice, and the look whether the unit was noted before."""

import asyncio
import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np

from evals.metrics import Figure
from service.experiments.book import Asker, ExperimentBook
from service.experiments.expose import Exposures
from service.experiments.timeline import Epoch, RunningExperiment
from service.ids import uuid7
from service.scope import Scope

_REQUESTS = 100_000
_UNITS = 5_000
_HALVES = {"control": 50.0, "treatment": 50.0}


def measure_assignment(scope: Mapping[str, Any], *, requests: int = _REQUESTS) -> dict[str, Figure]:
    """`assign_{p50,p99}_s` in a conversation that goes on, with a holdout and three epochs behind it."""
    seconds = asyncio.run(_timed(_scope(scope), requests))
    return {
        "assign_p50_s": Figure(float(np.percentile(seconds, 50)), n=requests),
        "assign_p99_s": Figure(float(np.percentile(seconds, 99)), n=requests),
    }


def _scope(raw: Mapping[str, Any]) -> Scope:
    """The demo's scope with a second variant and an experiment."""
    variants = {**raw["variants"], "short": {"retrieval": {"top_k": 2}}}
    experiment = {
        "hypothesis": "It costs next to nothing.",
        "assistant": "support",
        "arms": {
            "control": {"variant": "baseline", "weight": 50},
            "treatment": {"variant": "short", "weight": 50},
        },
        "primary": "answered_rate",
        "plan": {"effect": 0.05, "ends": "2099-01-01"},
        "layer": {"name": "answers", "start": 0, "end": 100},
    }
    return Scope.model_validate(
        {**raw, "variants": variants, "experiments": {"timed": experiment}, "holdout": {"percent": 5}}
    )


async def _timed(scope: Scope, requests: int) -> list[float]:
    book, now = ExperimentBook(scope, lambda subject: subject), datetime.now(UTC)
    book.show({"timed": _running(scope, now)})

    async def record(_: dict[str, Any]) -> None:
        """Keeps nothing: the journal has a benchmark of its own."""

    exposures = Exposures(record, "exposures")
    conversations = [uuid7() for _ in range(_UNITS)]
    seconds = []
    for number in range(requests):
        asker = Asker("caller", conversations[number % _UNITS], f"{number % _UNITS:032x}")
        began = time.perf_counter()
        found = book.choose("support", asker, now)
        exposures.note(found, answer_id="a", caller="caller", now=now)
        seconds.append(time.perf_counter() - began)
        if number < _UNITS:
            await asyncio.sleep(0)
    return seconds


def _running(scope: Scope, now: datetime) -> RunningExperiment:
    declared = scope.experiments["timed"]
    variants = {arm: scope.variants[one.variant].digest for arm, one in declared.arms.items()}
    epochs = tuple(
        Epoch(number, "ab", 100.0, _HALVES, now - timedelta(days=4 - number), now, "bench", "")
        for number in (1, 2, 3)
    )
    return RunningExperiment("timed", declared, declared.digest, variants, epochs)
