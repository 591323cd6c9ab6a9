"""Experiments that have been lived through: with a ramp and answers from before, with hostile names, with lost answers."""

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Engine

from service.answer.record import insert_rows
from service.experiments.lifecycle import ramp, start
from service.experiments.report import Question, report_of
from service.experiments.store import add_alarm, read_experiment
from tests.service.experiments.conftest import DAY, Bench, bench_of, declared
from tests.service.experiments.population import Behaviour, Population, a_row

NAME = "shorter-passages"
LATER = DAY + timedelta(days=40)
HOSTILE = """<script>alert("1")</script><img src=x onerror='alert(2)'> & "quotes" 'too'"""
BETTER = {"control": Behaviour(resolved=0.4), "treatment": Behaviour(resolved=0.6)}


def bench_with(engine: Engine, **changes: Any) -> Bench:
    plan = {"effect": 0.05, "ends": "2026-11-11"}
    experiment = declared(**{"stages": ["ab"], "primary": "resolved_rate", "plan": plan, **changes})
    return bench_of(engine, {NAME: experiment})


def ramped(engine: Engine, subjects: int = 900, start_at: datetime = DAY) -> Bench:
    """A canary, then everybody, then another split; some subjects asked before, and some answers have texts."""
    ends = (start_at + timedelta(days=11)).date().isoformat()
    bench = bench_with(
        engine, stages=["canary", "ab"], secondary=["thumbs_up_rate"], plan={"effect": 0.05, "ends": ends}
    )
    bench.now = start_at
    start(engine, bench.scope, NAME, bench.actor("the few first"))
    bench.now = start_at + timedelta(days=2)
    ramp(engine, NAME, bench.actor("no failures"))
    bench.now = start_at + timedelta(days=6)
    ramp(engine, NAME, bench.actor("more of it"), weights={"control": 30, "treatment": 70})
    before = [
        a_row(
            id=f"before-{number}",
            created_at=start_at - timedelta(days=3),
            conversation_id=f"before-{number}",
            subject=f"p-{number}",
            outcome="answered" if number % 3 else "abstained",
            question="=cmd|' /C calc'!A0",
            answer="secret text",
            first_token_s=0.3,
            total_s=1.0,
            cost=0.01,
        )
        for number in range(0, subjects, 2)
    ]
    insert_rows(engine, before)
    Population(subjects, behaviour=BETTER).live(engine, bench.book, start_at + timedelta(seconds=10))
    return bench


def hostile(engine: Engine) -> Bench:
    """Everything that people may write is markup, or tries to be."""
    arm = HOSTILE[:60]
    bench = bench_with(
        engine,
        hypothesis=HOSTILE,
        arms={"control": {"variant": "baseline", "weight": 50}, arm: {"variant": "short", "weight": 50}},
    )
    start(engine, bench.scope, NAME, bench.actor(HOSTILE))
    add_alarm(engine, NAME, kind="arm", arm=arm, message=HOSTILE, detail={"epoch": 9}, now=DAY)
    Population(600).live(engine, bench.book, DAY + timedelta(seconds=10))
    return bench


def lossy(engine: Engine) -> Bench:
    """A fifth of one arm's answers was lost."""
    bench = bench_with(engine)
    start(engine, bench.scope, NAME, bench.actor())
    population = Population(3_000, behaviour=BETTER, lost={"treatment": 0.2})
    population.live(engine, bench.book, DAY + timedelta(seconds=10))
    return bench


def report(bench: Bench, as_of: datetime = LATER, stage: str = "ab") -> dict[str, Any]:
    running = read_experiment(bench.engine, NAME)
    assert running
    return report_of(bench.engine, Question(running, bench.scope.all_metrics, as_of, stage))
