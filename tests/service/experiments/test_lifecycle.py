"""Epochs open one after the other; who met an arm keeps it; what runs can't be changed."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from service.errors import ConflictError, InvalidRequestError, NotFoundError
from service.experiments.book import Assignment
from service.experiments.describe import summary
from service.experiments.lifecycle import pause, promote, ramp, resume, start, stop
from service.experiments.store import declare, read_experiment
from service.scope import Experiment, Scope
from service.tables import Exposure
from tests.service.experiments.conftest import DAY, EXPERIMENT, Bench, bench_of, declared, scope_of

NAME = "short-answers"
SUBJECTS = [f"subject-{number}" for number in range(400)]


def begun(bench: Bench, stage: str) -> None:
    start(bench.engine, bench.scope, NAME, bench.actor())
    while (one := read_experiment(bench.engine, NAME)) and one.epochs[-1].stage != stage:
        bench.after(10)
        ramp(bench.engine, NAME, bench.actor())
    bench.after(10)


def arms(bench: Bench) -> dict[str, str]:
    found = {subject: bench.choose(subject) for subject in SUBJECTS}
    return {subject: str(one.arm) for subject, one in found.items() if one}


def conversation_of(bench: Bench) -> str:
    """An id as the service gives one at this moment."""
    milliseconds = int(bench.now.timestamp() * 1_000)
    return str(UUID(int=milliseconds << 80 | 0x7 << 76 | 0b10 << 62 | 12345))


def test_an_epoch_begins_after_its_lead_in_every_process_at_once(bench: Bench) -> None:
    start(bench.engine, bench.scope, NAME, bench.actor())
    assert bench.choose("anna") is None
    bench.after(4.9)
    assert bench.choose("anna") is None
    bench.after(0.1)
    found = bench.choose("anna")
    assert found
    assert (found.stage, found.arm, [one.arm for one in found.shadows]) == (
        "shadow",
        "control",
        ["treatment"],
    )
    assert not found.is_exposure


def test_stages_follow_each_other_and_who_is_in_keeps_the_arm(bench: Bench) -> None:
    begun(bench, "canary")
    canary = arms(bench)
    assert 0 < len(canary) < len(SUBJECTS) / 5
    ramp(bench.engine, NAME, bench.actor(), coverage=50)
    bench.after(10)
    half = arms(bench)
    assert canary.items() <= half.items()
    assert len(canary) < len(half) < len(SUBJECTS)
    ramp(bench.engine, NAME, bench.actor())
    bench.after(10)
    everybody = arms(bench)
    assert half.items() <= everybody.items()
    assert len(everybody) == len(SUBJECTS)
    with pytest.raises(ConflictError, match="last stage 'ab'"):
        ramp(bench.engine, NAME, bench.actor())


def test_a_pause_holds_at_once_and_is_resumed_as_it_was(bench: Bench) -> None:
    begun(bench, "ab")
    before = arms(bench)
    pause(bench.engine, NAME, bench.actor("errors"))
    assert arms(bench) == {}
    with pytest.raises(ConflictError, match="paused"):
        ramp(bench.engine, NAME, bench.actor(), coverage=10)
    resume(bench.engine, NAME, bench.actor())
    bench.after(10)
    assert arms(bench) == before
    stop(bench.engine, NAME, bench.actor())
    assert arms(bench) == {}
    with pytest.raises(ConflictError, match="stopped"):
        resume(bench.engine, NAME, bench.actor())


def test_promotion_gives_everybody_the_arm(bench: Bench) -> None:
    begun(bench, "ab")
    promote(bench.engine, NAME, bench.actor(), "treatment")
    bench.after(10)
    assert set(arms(bench).values()) == {"treatment"}
    assert len(arms(bench)) == len(SUBJECTS)
    found = bench.choose("anna")
    assert found
    assert not found.is_exposure
    assert found.variant == "short"


def test_a_conversation_never_changes_its_arm(bench: Bench) -> None:
    begun(bench, "ab")
    before, conversation = arms(bench), conversation_of(bench)
    bench.after(60)
    ramp(bench.engine, NAME, bench.actor(), weights={"control": 5, "treatment": 95})
    bench.after(60)
    now = arms(bench)
    moved = [subject for subject in SUBJECTS if before[subject] != now[subject]]
    assert moved
    for subject in moved:
        found = bench.choose(subject, conversation)
        assert found
        assert (found.arm, found.epoch) == (before[subject], 3)
    pause(bench.engine, NAME, bench.actor())
    assert bench.choose(moved[0], conversation) is None, "a fault takes everybody out"


def test_a_conversation_from_before_the_experiment_stays_out(bench: Bench) -> None:
    old = conversation_of(bench)
    begun(bench, "ab")
    assert bench.choose("anna", old) is None
    assert bench.choose("anna") is not None


def test_who_has_no_name_is_his_conversation_and_a_tenant_is_its_key(engine: Engine) -> None:
    bench = bench_of(engine, {NAME: declared(stages=["ab"])})
    begun(bench, "ab")
    assert unit(bench.choose("anna")) == "s:anna"
    assert unit(bench.choose(None, "chat-7")) == "c:chat-7"
    other = bench_of(engine, {"tenants": declared(unit="tenant", stages=["ab"])})
    stop(engine, NAME, bench.actor())
    other.now = bench.now
    start(engine, other.scope, "tenants", other.actor())
    other.after(10)
    assert unit(other.choose("anna")) == "t:caller"


def unit(found: Assignment | None) -> str | None:
    return found.unit if found else None


def test_a_cohort_is_its_subjects_and_its_groups(engine: Engine) -> None:
    pilot = {"subjects": ["subject-1"], "groups": ["staff"]}
    bench = bench_of(engine, {NAME: declared(stages=["ab"], cohort=pilot)})
    begun(bench, "ab")
    assert bench.choose("p-subject-1")
    assert not bench.choose("p-subject-2")
    assert bench.choose("anna", groups=frozenset({"staff", "legal"}))
    assert not bench.choose("anna", groups=frozenset({"legal"}))
    assert not bench.choose("anna", groups=None)


def test_the_held_out_meet_no_arm_and_are_marked(engine: Engine) -> None:
    bench = bench_of(engine, {NAME: declared(stages=["ab"])}, holdout={"percent": 20})
    begun(bench, "ab")
    stages = [one.stage for subject in SUBJECTS if (one := bench.choose(subject))]
    assert 40 < stages.count("holdout") < 120
    assert stages.count("ab") == len(SUBJECTS) - stages.count("holdout")


def test_two_experiments_on_the_same_people_need_parts_of_a_layer(engine: Engine) -> None:
    bench = bench_of(engine, {NAME: EXPERIMENT, "second": EXPERIMENT})
    start(engine, bench.scope, NAME, bench.actor())
    with pytest.raises(ConflictError, match="'short-answers' runs for the same assistant"):
        start(engine, bench.scope, "second", bench.actor())
    stop(engine, NAME, bench.actor())
    halves = {
        "left": declared(stages=["ab"], layer={"name": "l", "end": 50}),
        "right": declared(stages=["ab"], layer={"name": "l", "start": 50}),
    }
    bench = bench_of(engine, halves)
    for name in halves:
        start(engine, bench.scope, name, bench.actor())
    bench.after(10)
    found = [bench.choose(subject) for subject in SUBJECTS]
    counts = [sum(one is not None and one.experiment == name for one in found) for name in halves]
    assert sum(counts) == len(SUBJECTS)
    assert min(counts) > 150
    with pytest.raises(ValueError, match="overlap in the layer"):
        bench_of(engine, {**halves, "right": declared(layer={"name": "l", "start": 40})})


def test_a_plan_that_somebody_met_cant_be_changed(bench: Bench) -> None:
    start(bench.engine, bench.scope, NAME, bench.actor())
    other = Experiment.model_validate(declared(primary="blocked_rate"))
    variants = {"control": "x", "treatment": "y"}
    declare(bench.engine, NAME, other, variants, actor="tester")
    with Session(bench.engine) as session, session.begin():
        session.add(
            Exposure(
                experiment=NAME,
                epoch=1,
                unit="s:a",
                created_at=DAY,
                stage="ab",
                arm="control",
                variant="baseline",
                variant_digest="x",
                propensity=0.5,
                answer_id="a",
                caller="c",
            )
        )
    declare(bench.engine, NAME, other, variants, actor="tester")
    with pytest.raises(ConflictError, match="can't be changed"):
        declare(bench.engine, NAME, Experiment.model_validate(EXPERIMENT), variants, actor="tester")


def test_a_variant_that_changed_leaves_the_experiment(bench: Bench) -> None:
    begun(bench, "ab")
    assert bench.choose("anna")
    raw = scope_of({NAME: EXPERIMENT})
    raw["variants"]["short"]["retrieval"]["top_k"] = 3
    changed = Bench(bench.engine, Scope.model_validate(raw))
    changed.now = bench.now
    assert changed.choose("anna") is None
    (one,) = changed.book.running.values()
    assert changed.book.changed_variants(one) == ["treatment"]
    assert summary(changed.scope, NAME, one, changed.now)["changed_variants"] == ["treatment"]
    assert summary(bench.scope, NAME, one, changed.now)["changed_variants"] == []


def test_the_book_is_read_anew_after_a_change_alone(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    reads: list[int] = []
    shown = bench.book.show
    monkeypatch.setattr(bench.book, "show", lambda found: (reads.append(len(found)), shown(found)))
    bench.book.refresh(bench.engine)
    bench.book.refresh(bench.engine)
    start(bench.engine, bench.scope, NAME, bench.actor())
    bench.book.refresh(bench.engine)
    bench.book.refresh(bench.engine)
    pause(bench.engine, NAME, bench.actor())
    bench.book.refresh(bench.engine)
    assert reads == [0, 1, 1]
    assert bench.book.running[NAME].epochs[-1].stage == "paused"


def test_an_arm_needs_an_adapter_that_is_named_by_its_content(engine: Engine) -> None:
    raw = scope_of({NAME: EXPERIMENT})
    raw["variants"]["short"]["adapter"] = "returns"
    with pytest.raises(ValueError, match="the adapter 'returns' is not named by its content"):
        Scope.model_validate(raw)
    raw["variants"]["short"]["adapter"] = "returns@0f3a9c21d4e5"
    Scope.model_validate(raw)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"arms": {"a": {"variant": "baseline", "weight": 50}, "b": {"variant": "short", "weight": 40}}},
            "90 percent",
        ),
        ({"arms": {"a": {"variant": "baseline", "weight": 100}}}, "arms"),
        (
            {"arms": {"a": {"variant": "x", "weight": 50}, "b": {"variant": "short", "weight": 50}}},
            "variant 'x'",
        ),
        ({"primary": "happiness"}, "metric 'happiness'"),
        ({"assistant": "x"}, "assistant 'x'"),
        ({"stages": ["ab", "canary"]}, "not in the order"),
        ({"coverage": 101}, "coverage"),
        ({"layer": {"name": "l", "start": 50, "end": 40}}, "empty"),
        ({"plan": {"effect": 0, "ends": "2027-01-01"}}, "effect"),
        ({"hypothesis": ""}, "hypothesis"),
        ({"surprise": 1}, "surprise"),
    ],
    ids=str,
)
def test_a_wrong_declaration_is_refused_by_name(engine: Engine, change: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        bench_of(engine, {NAME: declared(**change)})


def test_what_cant_be_done_is_refused_with_the_remedy(bench: Bench) -> None:
    with pytest.raises(NotFoundError, match="was not started"):
        ramp(bench.engine, NAME, bench.actor())
    with pytest.raises(NotFoundError, match="no experiment 'other'"):
        start(bench.engine, bench.scope, "other", bench.actor())
    begun(bench, "canary")
    with pytest.raises(ConflictError, match="started already"):
        start(bench.engine, bench.scope, NAME, bench.actor())
    with pytest.raises(InvalidRequestError, match="don't add up to 100"):
        ramp(bench.engine, NAME, bench.actor(), weights={"control": 50})
    with pytest.raises(InvalidRequestError, match="no arm 'x'"):
        ramp(bench.engine, NAME, bench.actor(), weights={"x": 100})
    with pytest.raises(InvalidRequestError, match="no arm 'x'"):
        promote(bench.engine, NAME, bench.actor(), "x")
    with pytest.raises(InvalidRequestError, match="above 0"):
        ramp(bench.engine, NAME, bench.actor(), coverage=0)


def test_an_experiment_whose_end_is_over_doesnt_start(bench: Bench) -> None:
    bench.now = DAY + timedelta(days=900)
    with pytest.raises(InvalidRequestError, match="is over"):
        start(bench.engine, bench.scope, NAME, bench.actor())
