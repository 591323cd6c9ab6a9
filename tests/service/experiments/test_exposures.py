"""No exposure and no answer that was acknowledged is lost or doubled, whatever is killed."""

import asyncio
import os
import random
import signal
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, func, select
from sqlalchemy.orm import Session

from service.answer.record import insert_rows
from service.answer.spill import Spill
from service.database import migrate, open_database
from service.errors import NotReadyError
from service.experiments.book import Assignment
from service.experiments.expose import Exposures
from service.tables import Answer, Exposure
from tests.conftest import ROOT
from tests.service.experiments.exposing import assigned
from tests.service.test_postgres import Postgres, server  # noqa: F401 - a fixture

NOW = datetime(2026, 11, 1, tzinfo=UTC)


class Nursery:
    """Starts processes, kills each after a random number of acknowledgements, and knows what was acknowledged."""

    def __init__(self, folder: Path, url: str, units: int) -> None:
        self._command = [
            sys.executable,
            "-m",
            "tests.service.experiments.exposing",
            str(folder),
            url,
            str(units),
        ]
        self.met: set[tuple[str, int]] = set()
        self.answers: set[str] = set()

    def run(self, requests: int, chance: random.Random, between: tuple[int, int]) -> int:
        """Let processes live until so many requests were acknowledged; how many were killed."""
        killed = 0
        with subprocess.Popen(
            self._command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as nursery:
            assert nursery.stdin
            assert nursery.stdout
            while len(self.answers) < requests:
                nursery.stdin.write("one\n")
                nursery.stdin.flush()
                self._watch(nursery.stdout, chance.randint(*between))
                killed += 1
            nursery.stdin.close()
        return killed

    def _watch(self, lines: Any, left: int) -> None:
        child = None
        for line in lines:
            word, *found = line.split()
            if word == "gone":
                return
            if word == "process":
                child = int(found[0])
            if word == "kept":
                self.met.add((found[0], int(found[1])))
                self.answers.add(found[2])
                left -= 1
            if child is not None and left <= 0:
                os.kill(child, signal.SIGKILL)
                left = sys.maxsize

    def check(self, engine: Engine, folder: Path) -> None:
        """What was acknowledged is there once, in the arm of its unit."""
        Spill(folder / "spill").drain(partial(insert_rows, engine))
        with Session(engine) as session:
            exposures = session.execute(select(Exposure.unit, Exposure.epoch, Exposure.arm)).all()
            answers = set(session.scalars(select(Answer.id)))
            count = session.scalar(select(func.count()).select_from(Answer))
        found = [(row[0], row[1]) for row in exposures]
        assert len(found) == len(set(found))
        assert self.met <= set(found)
        assert self.answers <= answers
        assert count == len(answers)
        for unit, epoch, arm in exposures:
            assert arm == assigned(int(unit.removeprefix("s:")), epoch).arm


@pytest.mark.parametrize("requests", [4_000, pytest.param(40_000, marks=pytest.mark.slow)])
def test_killed_processes_lose_no_exposure_and_double_none(tmp_path: Path, requests: int) -> None:
    url = f"sqlite:///{tmp_path / 'db'}"
    engine = open_database(url)
    migrate(engine)
    nursery = Nursery(tmp_path, url, units=300)
    assert nursery.run(requests, random.Random(requests), (1, requests // 8)) >= 8
    nursery.check(engine, tmp_path)
    engine.dispose()


@pytest.mark.postgres
def test_a_hundred_thousand_requests_survive_kills_of_workers_and_of_postgres(
    server: Postgres,  # noqa: F811
    tmp_path: Path,
) -> None:
    engine = open_database(server.url)
    nursery, chance, is_over = (
        Nursery(tmp_path, server.url, units=20_000),
        random.Random(5),
        threading.Event(),
    )
    outages: list[float] = []

    def break_postgres() -> None:
        while not is_over.wait(chance.uniform(2, 8)):
            server.kill()
            away = 30.0 if len(outages) == 1 else chance.uniform(0, 3)
            is_over.wait(away)
            server.start()
            outages.append(away)

    breaking = threading.Thread(target=break_postgres)
    breaking.start()
    try:
        kills = nursery.run(100_000, chance, (1, 8_000))
        while len(outages) < 2:
            time.sleep(0.5)
    finally:
        is_over.set()
        breaking.join()
    assert kills > 10
    assert max(outages) == 30
    engine.dispose()
    nursery.check(engine, tmp_path)
    engine.dispose()


@pytest.fixture
def rows() -> list[dict[str, Any]]:
    return []


def noted(exposures: Exposures, found: Assignment | None) -> Any:
    return exposures.note(found, answer_id="a", caller="c", now=NOW)


async def test_a_unit_is_noted_once_and_others_of_it_wait_for_the_same_row(
    rows: list[dict[str, Any]],
) -> None:
    gate = asyncio.Event()

    async def record(row: dict[str, Any]) -> None:
        rows.append(row)
        await gate.wait()

    exposures = Exposures(record, "exposures")
    first, second = noted(exposures, assigned(1, 1)), noted(exposures, assigned(1, 1))
    assert first is second
    assert noted(exposures, assigned(1, 2)) is not first
    gate.set()
    await first
    await asyncio.sleep(0)
    assert noted(exposures, assigned(1, 1)) is None
    assert [(row["unit"], row["epoch"], row["_table"]) for row in rows] == [
        ("s:1", 1, "exposures"),
        ("s:1", 2, "exposures"),
    ]
    for nothing in (None, Assignment("s:1", "holdout"), Assignment("s:1", "shadow", "e", "control", 1)):
        assert noted(exposures, nothing) is None


async def test_an_exposure_that_could_not_be_kept_is_tried_again_by_the_next_request() -> None:
    outcomes = [NotReadyError("no disk"), None]

    async def record(_: dict[str, Any]) -> None:
        outcome = outcomes.pop(0)
        if outcome:
            raise outcome

    exposures = Exposures(record, "exposures")
    with pytest.raises(NotReadyError):
        await noted(exposures, assigned(1, 1))
    await asyncio.sleep(0)
    await noted(exposures, assigned(1, 1))
    assert outcomes == []
