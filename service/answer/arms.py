"""Looks whether each arm's model is what it should be, at every server: at the start, and every five minutes.

A faulty arm pauses its experiment; its epoch is left out of the analysis.
"""

import asyncio
from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import TypeVar

import aiohttp
import orjson
from sqlalchemy import Engine

from service.answer.generate import Generator
from service.answer.generate.chunks import MalformedError
from service.answer.generate.openai import OpenAIGenerator
from service.answer.generate.replica import Replica, read_whole
from service.errors import ConflictError, GeneratorError
from service.experiments.book import ExperimentBook
from service.experiments.lifecycle import Actor, pause
from service.experiments.probe import (
    PROMPTS,
    WORDS,
    Fingerprint,
    Probe,
    distance,
    fault_of,
    read_words,
    register,
)
from service.experiments.store import add_alarm
from service.experiments.timeline import Epoch, RunningExperiment
from service.logs import get_logger
from service.metrics import EXPERIMENT_ARM
from service.scope import Scope, Variant
from service.scope.file import AUTO, EXTRACTIVE, SERVER

log = get_logger()
T = TypeVar("T")
EVERY_S, _LOOK_S, _PROBE_S = 300.0, 2.0, 30.0


class _Missing(Exception):
    """The server doesn't serve the model."""


@dataclass(frozen=True, slots=True)
class _Arm:
    """An arm of a running experiment, in its epoch, whose variant a server answers."""

    experiment: RunningExperiment
    epoch: Epoch
    name: str
    variant: Variant
    generator: OpenAIGenerator


class ArmWatch:
    """Probes the arms of what runs. Every process that serves does it by itself."""

    def __init__(
        self,
        scope: Scope,
        generators: Mapping[str, Generator],
        book: ExperimentBook,
        engine: Engine,
        executor: Executor,
    ) -> None:
        self._scope, self._generators, self._book = scope, generators, book
        self._engine, self._executor = engine, executor
        self._probed: dict[tuple[str, int, str], float] = {}

    async def run(self) -> None:
        """Look for ever: soon at arms that are new, and every five minutes at all."""
        while True:
            try:
                await self.look()
            except Exception as exc:  # noqa: BLE001 - a watch that dies would let a faulty arm go on
                log.warning("arms_not_probed", error=type(exc).__name__)
            await asyncio.sleep(_LOOK_S)

    async def look(self) -> None:
        """Probe the arms whose time has come."""
        now = asyncio.get_running_loop().time()
        for arm in self._arms():
            key = (arm.experiment.name, arm.epoch.number, arm.name)
            if now - self._probed.get(key, -EVERY_S) >= EVERY_S:
                self._probed[key] = now
                await self._check(arm)

    def _arms(self) -> list[_Arm]:
        now, found = datetime.now(UTC), []
        for one in self._book.running.values():
            epoch = one.epoch_at(now)
            if epoch is None or not (epoch.is_live or epoch.stage == "shadow"):
                continue
            for name, arm in one.declared.arms.items():
                variant = self._scope.variants.get(arm.variant)
                generator = self._generators.get(_wanted(variant, self._generators)) if variant else None
                if variant and isinstance(generator, OpenAIGenerator) and epoch.weights.get(name):
                    found.append(_Arm(one, epoch, name, variant, generator))
        return found

    async def _check(self, arm: _Arm) -> None:
        faults = [await self._fault(arm, replica) for replica in arm.generator.replicas]
        fault = next((one for one in faults if one), "")
        EXPERIMENT_ARM.labels(arm.experiment.name, arm.name).set(0 if fault else 1)
        if fault:
            await self._stop(arm, fault)

    async def _fault(self, arm: _Arm, replica: Replica) -> str:
        """What is wrong with an arm at a server; nothing where the server can't be asked, which its health tells."""
        try:
            probe = await _probe(arm.variant, replica)
        except _Missing as exc:
            return f"server {replica.number} doesn't serve {exc}"
        except (GeneratorError, aiohttp.ClientError, TimeoutError, MalformedError, ValueError) as exc:
            log.info(
                "arm_not_probed", experiment=arm.experiment.name, arm=arm.name, reason=type(exc).__name__
            )
            return ""
        first = fault_of(probe, None)
        if first:
            return first
        name = f"{replica.generator}:{probe.model}"
        registered = await self._aside(partial(register, self._engine, name, probe.found))
        return fault_of(probe, registered)

    async def _stop(self, arm: _Arm, fault: str) -> None:
        message = f"The arm {arm.name!r} is faulty: {fault}."
        log.error("experiment_arm_faulty", experiment=arm.experiment.name, arm=arm.name)
        detail = {"epoch": arm.epoch.number, "fault": fault}

        def stop() -> None:
            try:
                epoch = pause(self._engine, arm.experiment.name, Actor("arm-watch", message))
            except ConflictError:
                return  # another process was first
            if epoch.number == arm.epoch.number + 1:
                add_alarm(
                    self._engine,
                    arm.experiment.name,
                    kind="arm",
                    message=message,
                    arm=arm.name,
                    detail=detail,
                )

        await self._aside(stop)
        await self._aside(partial(self._book.refresh, self._engine))

    async def _aside(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._executor, work)


def _wanted(variant: Variant, generators: Mapping[str, Generator]) -> str:
    if variant.generator != AUTO:
        return variant.generator
    return SERVER if SERVER in generators else EXTRACTIVE


async def _probe(variant: Variant, replica: Replica) -> Probe:
    """Ask a server for the fixed prompts, and with an adapter for those of the model below it, twice."""
    base = await replica.model()
    model = variant.adapter or variant.model or base
    found = await _fingerprint(replica, model)
    if variant.adapter is None:
        return Probe(model, found)
    plain, again = await _fingerprint(replica, base), await _fingerprint(replica, base)
    return Probe(model, found, plain, distance(plain, again))


async def _fingerprint(replica: Replica, model: str) -> Fingerprint:
    body = {
        "model": model,
        "prompt": list(PROMPTS),
        "max_tokens": 1,
        "temperature": 0.0,
        "logprobs": WORDS,
    }
    reply = await replica.post("/completions", body, silence_s=_PROBE_S)
    try:
        if reply.status == 404:
            raise _Missing(repr(model))
        if reply.status != 200:
            raise GeneratorError(f"The generator answered {reply.status} to a probe.")
        return read_words(orjson.loads(await read_whole(reply)))
    finally:
        reply.close()
