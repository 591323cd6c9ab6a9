"""An experiment over HTTP: who asks meets an arm and keeps it, and that is written down before anything is sent."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from service.database import open_database
from service.experiments.lifecycle import Actor, ramp, start
from service.scope import load_scope
from service.tables import Answer, Exposure
from tests.conftest import Gateway, StartGateway, wait_until
from tests.service.experiments.conftest import declared, scope_of

QUESTION, NAME = "How many recovery codes do I get?", "short-answers"
BASE = f"/v1/experiments/{NAME}"


def write_scope(folder: Path, **changes: Any) -> Path:
    path = folder / "experiments.yaml"
    path.write_text(yaml.safe_dump(scope_of({NAME: declared(**changes)}), sort_keys=False))
    return path


@pytest.fixture
def gateway(start_gateway: StartGateway, tmp_path: Path) -> Iterator[Gateway]:
    shadow = {"share": 1, "answers_a_day": 3}
    with start_gateway(scope_file=write_scope(tmp_path, shadow=shadow)) as gateway:
        yield gateway


@pytest.fixture
def engine(gateway: Gateway) -> Iterator[Engine]:
    engine = open_database(gateway.settings.database())
    yield engine
    engine.dispose()


def act(gateway: Gateway, what: str, **body: Any) -> dict[str, Any]:
    with gateway.client() as client:
        reply = client.post(f"{BASE}:{what}", json={"reason": "a test", **body})
    assert reply.status_code == 200, reply.text
    done: dict[str, Any] = reply.json()
    return done


def state_of(gateway: Gateway) -> dict[str, Any]:
    with gateway.client() as client:
        found: dict[str, Any] = client.get(BASE).raise_for_status().json()
    return found


def reach(gateway: Gateway, stage: str) -> None:
    """Begin, and go on until a stage rules; epochs begin at once, and the gateway reads them within two seconds."""
    engine, actor = open_database(gateway.settings.database()), Actor("tester", "a test", lead_s=0)
    epoch = start(engine, load_scope(gateway.settings.scope_file), NAME, actor)
    while epoch.stage != stage:
        epoch = ramp(engine, NAME, actor)
    engine.dispose()
    wait_until(lambda: ask(gateway, "first", rag={"dry_run": True})["experiment"] == NAME)


def told(gateway: Gateway) -> list[str]:
    """What the metrics say of the treatment's variant."""
    with gateway.client() as client:
        return [line for line in client.get("/metrics").text.splitlines() if 'variant="short"' in line]


def ask(gateway: Gateway, user: str | None, **extra: Any) -> dict[str, Any]:
    reply = gateway.ask(QUESTION, user=user, **extra)
    assert reply.status_code == 200, reply.text
    rag: dict[str, Any] = reply.json()["rag"]
    return rag


def rows(engine: Engine, table: Any) -> list[Any]:
    with Session(engine, expire_on_commit=False) as session:
        return list(session.scalars(select(table)))


def test_subjects_keep_their_arms_and_each_exposure_is_written_once(gateway: Gateway, engine: Engine) -> None:
    reach(gateway, "ab")
    users = [f"user-{number}" for number in range(12)]
    first = {user: ask(gateway, user) for user in users}
    again = {user: ask(gateway, user) for user in users}
    assert {rag["experiment"] for rag in first.values()} == {NAME}
    assert {rag["arm"] for rag in first.values()} == {"control", "treatment"}
    assert [rag["arm"] for rag in first.values()] == [rag["arm"] for rag in again.values()]
    assert {(rag["arm"], rag["variant"]) for rag in first.values()} == {
        ("control", "baseline"),
        ("treatment", "short"),
    }
    wait_until(lambda: len(rows(engine, Answer)) == 2 * len(users))
    exposures = {one.unit: one for one in rows(engine, Exposure)}
    assert len(rows(engine, Exposure)) == len(exposures) == len(users)
    assert {one.answer_id for one in exposures.values()} == {rag["answer_id"] for rag in first.values()}
    for answer in rows(engine, Answer):
        exposure = exposures[answer.unit]
        written = (answer.arm, answer.epoch, answer.stage, answer.propensity, answer.variant_digest)
        assert written == (exposure.arm, exposure.epoch, "ab", 0.5, exposure.variant_digest)
        assert answer.sentences > 0
        assert answer.total_s > answer.first_token_s > 0


def test_who_names_a_variant_or_tries_dry_is_not_counted(gateway: Gateway, engine: Engine) -> None:
    reach(gateway, "ab")
    named = ask(gateway, "tester", rag={"variant": "short"})
    dry = ask(gateway, "tester", rag={"dry_run": True})
    assert (named["experiment"], named["arm"], named["variant"]) == (None, None, "short")
    assert dry["experiment"] == NAME
    anonymous = ask(gateway, None)
    wait_until(lambda: len(rows(engine, Answer)) == 2)
    assert [one.unit for one in rows(engine, Exposure)] == [f"c:{anonymous['conversation_id']}"]


def test_shadows_are_asked_unseen_within_their_budget(gateway: Gateway, engine: Engine) -> None:
    reach(gateway, "shadow")
    before = told(gateway)
    for number in range(5):
        assert ask(gateway, f"user-{number}")["variant"] == "baseline"
        wait_until(lambda asked=number + 1: len(rows(engine, Answer)) >= asked + min(asked, 3))  # type: ignore[misc]
    counts = Counter((one.stage, one.arm, one.variant) for one in rows(engine, Answer))
    assert counts == {("shadow", "control", "baseline"): 5, ("unseen", "treatment", "short"): 3}
    assert rows(engine, Exposure) == []
    assert told(gateway) == before


def test_what_a_person_wrote_needs_no_shadow(gateway: Gateway, engine: Engine) -> None:
    reach(gateway, "shadow")
    with gateway.client() as client:
        client.put("/v1/curated/codes", json={"question": QUESTION, "answer": "Ten."}).raise_for_status()
    assert ask(gateway, "anna")["reason"] == "curated"
    with gateway.client() as client:
        client.delete("/v1/curated/codes").raise_for_status()
    assert ask(gateway, "ben")["reason"] != "curated"
    wait_until(lambda: len(rows(engine, Answer)) == 3)
    assert Counter(one.stage for one in rows(engine, Answer)) == {"shadow": 2, "unseen": 1}


def test_a_pause_takes_everybody_out_and_the_history_says_why(gateway: Gateway) -> None:
    reach(gateway, "ab")
    assert ask(gateway, "anna")["experiment"] == NAME
    act(gateway, "pause", reason="Too many errors")
    assert ask(gateway, "anna")["experiment"] is None
    found = state_of(gateway)
    assert found["state"] == "paused"
    assert found["epochs"][-1]["reason"] == "Too many errors"
    act(gateway, "stop")
    with gateway.client() as client:
        reply = client.post(f"{BASE}:resume", json={"reason": "x"})
        assert (reply.status_code, reply.json()["error"]["code"]) == (409, "conflict")


def test_the_list_and_the_errors_of_the_api(gateway: Gateway) -> None:
    with gateway.client() as client:
        (one,) = client.get("/v1/experiments").json()["data"]
        assert (one["name"], one["state"], one["differs_from_scope"]) == (NAME, "declared", False)
        assert client.get("/v1/experiments/other").status_code == 404
        assert client.post(f"{BASE}:ramp", json={"reason": "x"}).status_code == 404
        assert client.post(f"{BASE}:start", json={}).json()["error"]["param"] == "reason"
        said = client.get("/v1/variants/baseline/diff/short").json()["differences"]
        assert "retrieval.top_k: 5 in 'baseline', 2 in 'short'" in said
        assert client.get("/v1/variants/baseline/diff/x").status_code == 404


def test_an_experiment_is_declared_by_the_api(gateway: Gateway) -> None:
    body = {"name": "by-api", "experiment": declared(stages=["ab"], layer={"name": "l", "end": 50})}
    with gateway.client() as client:
        made = client.post("/v1/experiments", json=body)
        assert (made.status_code, made.json()["state"]) == (201, "declared")
        assert client.post("/v1/experiments/by-api:start", json={"reason": "go"}).status_code == 200
        wrong = {**body, "name": "wrong", "experiment": declared(primary="happiness")}
        reply: httpx.Response = client.post("/v1/experiments", json=wrong)
        assert (reply.status_code, reply.json()["error"]["param"]) == (400, "experiment")
        assert "happiness" in reply.json()["error"]["message"]
        taken = client.post("/v1/experiments", json={**body, "name": NAME})
        assert (taken.status_code, taken.json()["error"]["param"]) == (400, "name")


def test_a_change_that_is_sent_again_is_done_once(gateway: Gateway) -> None:
    with gateway.client() as client:
        for what, body in (("start", {"reason": "go"}), ("ramp", {"reason": "next"})):
            first, again = (
                client.post(f"{BASE}:{what}", json=body, headers={"idempotency-key": what}) for _ in range(2)
            )
            assert (first.status_code, first.json()) == (200, again.json())
    assert [epoch["stage"] for epoch in state_of(gateway)["epochs"]] == ["shadow", "canary"]
