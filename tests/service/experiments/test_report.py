"""The report finds what was planted and nothing else, and refuses a verdict where the data can't be trusted."""

import json
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, text

from service.experiments.canary import check_failures, stop_harm
from service.experiments.lifecycle import ramp, start
from service.experiments.report import Question, report_of
from service.experiments.store import add_alarm, read_alarms, read_experiment
from tests.service.experiments.conftest import DAY, Bench, bench_of, declared
from tests.service.experiments.population import Behaviour, Population, an_event

NAME = "short-answers"
PLAN = {"effect": 0.05, "ends": "2026-11-11"}
LATER = DAY + timedelta(days=40)


def experiment(**changes: Any) -> dict[str, Any]:
    return declared(**{"stages": ["ab"], "primary": "resolved_rate", "plan": PLAN, **changes})


def lived(engine: Engine, population: Population, **changes: Any) -> Bench:
    """An experiment that ran for ten days."""
    bench = bench_of(engine, {NAME: experiment(**changes)})
    start(engine, bench.scope, NAME, bench.actor())
    population.live(engine, bench.book, DAY + timedelta(seconds=10))
    return bench


def report(bench: Bench, as_of: datetime = LATER, stage: str = "ab") -> dict[str, Any]:
    running = read_experiment(bench.engine, NAME)
    assert running
    return report_of(bench.engine, Question(running, bench.scope.all_metrics, as_of, stage))


def metric(found: dict[str, Any], name: str) -> dict[str, Any]:
    (one,) = [one for one in found["metrics"] if one["metric"] == name]
    return dict(one)


def test_a_planted_difference_is_found_with_its_size(engine: Engine) -> None:
    behaviour = {"control": Behaviour(resolved=0.5), "treatment": Behaviour(resolved=0.6)}
    found = report(lived(engine, Population(3_000, behaviour=behaviour)))
    (said,) = found["conclusions"]
    assert said["code"] == "better"
    assert "'treatment' is better than 'control'" in said["sentence"]
    (effect,) = found["effects"]
    assert effect["low"] <= 0.1 <= effect["high"]
    assert metric(found, "abstained_rate")["differences"]["treatment"]["verdict"] == "no difference shown"


def test_an_a_a_stays_undecided(engine: Engine) -> None:
    found = report(lived(engine, Population(3_000)))
    assert [one["code"] for one in found["conclusions"]] == ["no difference shown"]
    verdicts = [one["differences"]["treatment"]["verdict"] for one in found["metrics"]]
    assert not {"better", "worse"} & set(verdicts)
    assert all(one["state"] != "breached" for one in found["guardrails"])


def test_before_the_end_it_runs_and_the_bounds_may_be_looked_at(engine: Engine) -> None:
    bench = lived(engine, Population(600))
    found = report(bench, DAY + timedelta(days=9))
    (said,) = found["conclusions"]
    assert said["code"] == "running"
    assert "Nothing may be concluded yet" in said["sentence"]
    (effect,) = found["effects"]
    assert effect["always_valid"]
    looks = found["sequence"]["treatment"]
    assert 0 < len(looks) <= 60
    assert all(look["low"] < look["difference"] < look["high"] for look in looks)
    assert [look["at"] for look in looks] == sorted(look["at"] for look in looks)


def test_a_broken_guardrail_overrules_a_better_primary(engine: Engine) -> None:
    slow = Behaviour(resolved=0.6, first_token_s=0.6)
    found = report(lived(engine, Population(3_000, behaviour={"treatment": slow})))
    (said,) = found["conclusions"]
    assert said["code"] == "harm"
    assert "first_token_s is worse" in said["sentence"]
    assert found["effects"][0]["verdict"] == "better"


def test_there_is_no_verdict_while_the_sample_ratio_fails(engine: Engine) -> None:
    behaviour = {"treatment": Behaviour(resolved=0.7)}
    found = report(lived(engine, Population(6_000, behaviour=behaviour, lost={"treatment": 0.15})))
    (said,) = found["conclusions"]
    assert said["code"] == "no verdict"
    assert "were lost or are counted twice" in said["sentence"]
    assert found["integrity"]["sample_ratio"]["is_alarm"]
    assert {one["differences"]["treatment"]["verdict"] for one in found["metrics"]} == {"cannot tell"}


def test_there_is_no_verdict_where_units_met_two_arms(engine: Engine) -> None:
    bench = lived(engine, Population(600))
    with engine.begin() as connection:
        swap = "case arm when 'control' then 'treatment' else 'control' end"
        connection.execute(text(f"update answers set arm = {swap} where id like '%-1'"))
    found = report(bench)
    assert found["conclusions"][0]["code"] == "no verdict"
    assert found["integrity"]["units_in_two_arms_of_an_epoch"] > 100


def test_young_outcomes_are_left_out_of_both_arms_and_count_as_nothing(engine: Engine) -> None:
    bench = lived(engine, Population(2_000))
    young = report(bench, DAY + timedelta(days=8))
    old = report(bench)
    assert young["maturity"]["mature"] < young["maturity"]["observations"] / 5
    assert old["maturity"]["mature"] == old["maturity"]["observations"] == 2_000
    for found in (young, old):
        values = metric(found, "resolved_rate")["arms"].values()
        assert all(abs(one["value"] - 0.5) < 0.12 for one in values)
    none = report(bench, DAY + timedelta(days=5))
    assert none["conclusions"][0]["code"] == "cannot tell"


def test_what_is_said_after_the_window_or_taken_back_or_suspect_doesnt_count(engine: Engine) -> None:
    quiet = Behaviour(reports=0, thumb=0)
    bench = lived(engine, Population(50, behaviour={"control": quiet, "treatment": quiet}))
    at = DAY + timedelta(days=10)
    events = [
        an_event(0, "outcome", "resolved", at, "chat-0"),
        an_event(1, "outcome", "resolved", at + timedelta(days=20), "chat-1"),
        an_event(2, "outcome", "resolved", at, "chat-2"),
        {
            **an_event(2, "outcome", "resolved", at + timedelta(hours=1), "chat-2"),
            "event_id": "back",
            "state": "retracted",
        },
        {**an_event(3, "outcome", "resolved", at, "chat-3"), "suspect": "burst"},
        an_event(4, "outcome", "resolved", at, "chat-4"),
        {**an_event(4, "outcome", "reopened", at + timedelta(hours=2), "chat-4"), "event_id": "again"},
    ]
    with engine.begin() as connection:
        connection.execute(text("update answers set created_at = '2026-11-08 00:00:00.000000'"))
        from service.tables import FeedbackEvent

        connection.execute(FeedbackEvent.__table__.insert(), events)
    found = report(bench)

    def total(name: str) -> float:
        arms = metric(found, name)["arms"].values()
        return float(sum(one["value"] * one["observations"] for one in arms))

    assert round(total("resolved_rate")) == 1
    assert round(total("observed_rate")) == 2


def test_arms_of_a_faulty_epoch_are_left_out(engine: Engine) -> None:
    bench = lived(engine, Population(600))
    detail = {"epoch": 1}
    add_alarm(engine, NAME, kind="arm", message="another model", arm="treatment", detail=detail, now=DAY)
    found = report(bench)
    assert found["integrity"]["faulty_arms"] == [{"arm": "treatment", "epoch": 1}]
    assert found["conclusions"][0]["code"] == "cannot tell"
    assert metric(found, "resolved_rate")["arms"]["treatment"]["units"] == 0


def test_several_treatments_are_held_against_the_control_by_holm(engine: Engine) -> None:
    arms = {
        "control": {"variant": "baseline", "weight": 40},
        "one": {"variant": "short", "weight": 30},
        "two": {"variant": "short", "weight": 30},
    }
    behaviour = {"two": Behaviour(resolved=0.65)}
    found = report(lived(engine, Population(3_000, behaviour=behaviour), arms=arms))
    assert {one["arm"]: one["code"] for one in found["conclusions"]} == {
        "one": "no difference shown",
        "two": "better",
    }


def test_a_ramp_is_read_epoch_by_epoch(engine: Engine) -> None:
    """Pooled, the drift of the base rate would show as an effect of the treatment."""
    bench = bench_of(engine, {NAME: experiment(primary="answered_rate", guardrails={})})
    start(engine, bench.scope, NAME, bench.actor())
    bench.after(10)
    before, after = Behaviour(answered=0.5), Behaviour(answered=0.9)
    Population(2_000, days=4, behaviour={"control": before, "treatment": before}).live(
        engine, bench.book, bench.now
    )
    bench.now = DAY + timedelta(days=5)
    ramp(engine, NAME, bench.actor(), weights={"control": 10, "treatment": 90})
    bench.after(10)
    late = Population(2_000, days=4, behaviour={"control": after, "treatment": after}, seed=2, first=2_000)
    late.live(engine, bench.book, bench.now)
    found = report(bench)
    assert found["conclusions"][0]["code"] == "no difference shown"
    arms = metric(found, "answered_rate")["arms"]
    assert abs(arms["control"]["value"] - arms["treatment"]["value"]) < 0.05


def test_the_same_data_give_the_same_bytes(engine: Engine) -> None:
    bench = lived(engine, Population(300))
    one, other = (json.dumps(report(bench)) for _ in range(2))
    assert one == other


def test_an_experiment_that_nobody_met_says_so(engine: Engine) -> None:
    bench = lived(engine, Population(0))
    found = report(bench)
    assert found["conclusions"][0]["code"] == "cannot tell"
    assert "no units yet" in found["conclusions"][0]["sentence"]


@pytest.mark.parametrize(("failing", "is_stopped"), [(0.3, True), (0.02, False)])
def test_a_canary_with_failures_is_paused_and_a_sound_one_goes_on(
    engine: Engine, failing: float, is_stopped: bool
) -> None:
    behaviour = {"control": Behaviour(interrupted=0.02), "treatment": Behaviour(interrupted=failing)}
    bench = lived(engine, Population(500, behaviour=behaviour))
    running = read_experiment(engine, NAME)
    assert running
    assert check_failures(engine, running)["treatment"].state == ("breached" if is_stopped else "cannot tell")
    assert stop_harm(engine, running) == ("treatment" if is_stopped else None)
    after = read_experiment(engine, NAME)
    assert after
    assert (after.epochs[-1].stage == "paused") == is_stopped
    assert len(read_alarms(engine, NAME)) == is_stopped
    assert bench.book


def test_a_verdict_that_was_reached_by_looking_stays(engine: Engine) -> None:
    """People who come later behave the other way round, until the interval holds no difference again."""
    bench = bench_of(engine, {NAME: experiment(primary="answered_rate", guardrails={})})
    start(engine, bench.scope, NAME, bench.actor())
    first = {"control": Behaviour(answered=0.5), "treatment": Behaviour(answered=0.8)}
    Population(600, days=4, behaviour=first).live(engine, bench.book, DAY + timedelta(seconds=10))
    last = {"control": Behaviour(answered=0.8), "treatment": Behaviour(answered=0.5)}
    later = Population(620, days=4, behaviour=last, seed=2, first=600)
    later.live(engine, bench.book, DAY + timedelta(days=5))
    assert report(bench, DAY + timedelta(days=4, hours=12))["conclusions"][0]["code"] == "better"
    found = report(bench)
    (said,) = found["conclusions"]
    assert (said["code"], found["effects"][0]["verdict"]) == ("better", "better")
    assert "a verdict reached by looking stays" in said["sentence"]
    assert found["effects"][0]["low"] < 0 < found["effects"][0]["high"]
