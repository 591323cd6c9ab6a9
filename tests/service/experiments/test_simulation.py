"""Synthetic subjects over HTTP: what was planted is found, an A/A stays undecided, and the counts are those planted."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from sqlalchemy import Engine

from service.database import open_database
from service.errors import InvalidRequestError
from service.experiments.lifecycle import Actor, start
from service.experiments.report import Question, report_of
from service.experiments.simulate import Simulated, Simulation, read_behaviour, simulate
from service.experiments.store import read_experiment
from service.scope import load_scope
from tests.conftest import Gateway, StartGateway, wait_until
from tests.service.experiments.conftest import declared, scope_of

NAME = "simulated"
# What people say at once: the test can't wait for a week.
NOW: dict[str, Any] = {
    "resolved_now": {"numerator": "resolved", "denominator": "conversations", "better": "higher"}
}
# Who gets which arm depends on it: with one that is made anew, an A/A is found better once in 500 runs.
SECRET = "the same subjects in the same arms"
PLAN = {"effect": 0.3, "ends": "2027-12-24", "method": "sequence"}


def scope_file(folder: Path) -> Path:
    experiment = declared(stages=["ab"], primary="resolved_now", plan=PLAN)
    path = folder / "simulated.yaml"
    path.write_text(yaml.safe_dump(scope_of({NAME: experiment}, metrics=NOW), sort_keys=False))
    return path


@pytest.fixture
def gateway(start_gateway: StartGateway, tmp_path: Path) -> Iterator[Gateway]:
    with start_gateway(scope_file=scope_file(tmp_path), secret_key=SECRET) as gateway:
        yield gateway


@pytest.fixture
def engine(gateway: Gateway) -> Iterator[Engine]:
    engine = open_database(gateway.settings.database())
    start(engine, load_scope(gateway.settings.scope_file), NAME, Actor("tester", "a test", 0.0))
    wait_until(
        lambda: (
            gateway.ask("What does Plus cost?", user="first", rag={"dry_run": True}).json()["rag"][
                "experiment"
            ]
            == NAME
        )
    )
    yield engine
    engine.dispose()


def report(gateway: Gateway, engine: Engine) -> dict[str, Any]:
    running = read_experiment(engine, NAME)
    assert running
    metrics = load_scope(gateway.settings.scope_file).all_metrics
    return report_of(engine, Question(running, metrics, datetime.now(UTC) + timedelta(minutes=2)))


async def come(gateway: Gateway, subjects: int, **resolved: float) -> Simulated:
    return await simulate(Simulation(gateway.url, "support", resolved, subjects))


def primary(found: dict[str, Any]) -> dict[str, Any]:
    return dict(found["metrics"][0]["arms"])


async def test_the_report_counts_what_the_subjects_did(gateway: Gateway, engine: Engine) -> None:
    planted = await come(gateway, 24, control=0.5, treatment=0.5)
    assert (planted.failed, planted.outside) == (0, 0)
    wanted = {arm: (planted.units[arm], planted.resolved[arm]) for arm in ("control", "treatment")}

    def counted() -> dict[str, tuple[int, int]]:
        figures = primary(report(gateway, engine))
        return {
            arm: (one["units"], round(one["value"] * one["observations"])) for arm, one in figures.items()
        }

    # The last answers reach the database a moment after their outcomes.
    wait_until(lambda: counted() == wanted)


@pytest.mark.slow
async def test_a_better_arm_wins_and_nothing_else_is_found(gateway: Gateway, engine: Engine) -> None:
    await come(gateway, 300, control=0.3, treatment=0.8)
    found = report(gateway, engine)
    assert [one["code"] for one in found["conclusions"]] == ["better"]
    others = [one for one in found["metrics"] if one["role"] != "primary" and "thumbs" not in one["metric"]]
    assert all(one["differences"]["treatment"]["verdict"] not in ("better", "worse") for one in others)
    assert not found["integrity"]["problem"]


@pytest.mark.slow
async def test_an_a_a_over_http_stays_undecided(gateway: Gateway, engine: Engine) -> None:
    await come(gateway, 300, control=0.5, treatment=0.5)
    assert [one["code"] for one in report(gateway, engine)["conclusions"]] == ["running"]


@pytest.mark.parametrize("text", ["control", "control=x", "control=2", "=", "a=-1"])
def test_a_behaviour_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(InvalidRequestError):
        read_behaviour(text)
