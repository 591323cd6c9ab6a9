"""A database with the schema, a scope with two variants and an experiment on them, and a clock that is told."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from sqlalchemy import Engine

from service.database import migrate, open_database
from service.experiments.book import Asker, Assignment, ExperimentBook
from service.experiments.lifecycle import Actor
from service.experiments.store import read_experiments
from service.scope import Scope
from tests.conftest import SCOPE

DAY = datetime(2026, 11, 1, tzinfo=UTC)
EXPERIMENT: dict[str, Any] = {
    "hypothesis": "Shorter passages answer more.",
    "assistant": "support",
    "arms": {
        "control": {"variant": "baseline", "weight": 50},
        "treatment": {"variant": "short", "weight": 50},
    },
    "primary": "answered_rate",
    "guardrails": {"first_token_s": {"margin": 0.1}},
    "plan": {"effect": 0.05, "ends": "2027-12-24"},
    "stages": ["shadow", "canary", "ab"],
}


def declared(**changes: Any) -> dict[str, Any]:
    return {**EXPERIMENT, **changes}


def scope_of(experiments: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """The demo's scope with a second variant and experiments, as YAML has it."""
    scope: dict[str, Any] = yaml.safe_load(SCOPE.read_text())
    scope["variants"]["short"] = {"retrieval": {"top_k": 2}}
    return {**scope, "experiments": experiments, **changes}


class Bench:
    """An experiment's whole life in one database, with a clock that is told."""

    def __init__(self, engine: Engine, scope: Scope) -> None:
        self.engine, self.scope, self.now = engine, scope, DAY
        self.book = ExperimentBook(scope, lambda subject: f"p-{subject}")

    def actor(self, reason: str = "a test") -> Actor:
        return Actor("tester", reason, 5.0, self.now)

    def after(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)

    def choose(self, subject: str | None, conversation: str = "chat", **changes: Any) -> Assignment | None:
        self.book.show(read_experiments(self.engine))
        asker = Asker("caller", conversation, subject, **changes)
        return self.book.choose("support", asker, self.now)


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    engine = open_database(f"sqlite:///{tmp_path}/experiments.db")
    migrate(engine)
    yield engine
    engine.dispose()


@pytest.fixture
def bench(engine: Engine) -> Bench:
    return bench_of(engine, {"short-answers": EXPERIMENT})


def bench_of(engine: Engine, experiments: dict[str, Any], **changes: Any) -> Bench:
    return Bench(engine, Scope.model_validate(scope_of(experiments, **changes)))
