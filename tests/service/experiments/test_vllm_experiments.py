"""Experiments over a real model in a real vLLM with adapters: the better arm wins, and every broken one is stopped."""

import json
import subprocess
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import yaml
from sqlalchemy import Engine

from service.answer.arms import ArmWatch
from service.answer.generate.openai import OpenAIGenerator
from service.answer.generate.replica import Replica, Upstream
from service.database import open_database
from service.experiments.book import ExperimentBook
from service.experiments.lifecycle import Actor, start
from service.experiments.report import Question, report_of
from service.experiments.simulate import Simulation, simulate
from service.experiments.store import read_alarms, read_experiment
from service.scope import load_scope
from tests.conftest import ROOT, Gateway, StartGateway, wait_until
from tests.service.answer.test_vllm import VENV, Vllm
from tests.service.experiments.conftest import declared, scope_of
from tests.service.experiments.test_simulation import NOW, PLAN, SECRET

pytestmark = pytest.mark.vllm
MODEL = ROOT / "var/smollm2"
GOOD, NOTHING, OTHER = "good@0123456789ab", "nothing@000000000000", "other@ba9876543210"
SIZES = {GOOD: 0.02, NOTHING: 0.0, OTHER: 0.05}
NAME = "adapter"


@pytest.fixture(scope="module")
def adapters(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    if not (VENV / "installed").is_file() or not (MODEL / "config.json").is_file():
        pytest.skip("the model is not there: run `deploy/vllm/serve install`")
    folder = tmp_path_factory.mktemp("adapters")
    made = {name: folder / name for name in SIZES}
    for name, path in made.items():
        script = [str(VENV / "bin/python"), str(Path(__file__).with_name("adapters.py"))]
        subprocess.run([*script, str(MODEL), str(path), str(SIZES[name])], check=True)
    return made


@pytest.fixture(scope="module")
def vllm(tmp_path_factory: pytest.TempPathFactory, adapters: dict[str, Path]) -> Iterator[Vllm]:
    loaded = [f"{name}={adapters[name]}" for name in (GOOD, NOTHING)]
    server = Vllm(tmp_path_factory.mktemp("vllm") / "vllm.log", "smollm2", ("--lora-modules", *loaded))
    server.start()
    yield server
    server.kill()


def scope_file(folder: Path, vllm: Vllm, treatment: dict[str, Any], **changes: Any) -> Path:
    """The control is the plain model; `treatment` is what the other arm has otherwise."""
    experiment = declared(
        **{"stages": ["ab"], "primary": "resolved_now", "plan": PLAN, "guardrails": {}, **changes}
    )
    raw = scope_of({NAME: experiment}, metrics=NOW)
    raw["generators"] = {
        "house": {"kind": "openai", "url": vllm.url, "timeouts": {"first_token_s": 300, "idle_s": 120}},
        "away": {"kind": "openai", "url": "http://127.0.0.1:9/v1", "retries": 0},
    }
    # Few words to read and few to write: two processors do it all.
    plain = {"generator": "house", "sampling": {"temperature": 0, "max_tokens": 24}}
    raw["variants"]["baseline"]["retrieval"]["top_k"] = 1
    raw["variants"]["baseline"] |= plain
    raw["variants"]["short"] = {**raw["variants"]["baseline"], **treatment}
    path = folder / "vllm.yaml"
    path.write_text(yaml.safe_dump(raw, sort_keys=False))
    return path


def begin(gateway: Gateway) -> Engine:
    engine = open_database(gateway.settings.database())
    start(engine, load_scope(gateway.settings.scope_file), NAME, Actor("tester", "a test", 0.0))
    return engine


def state_of(engine: Engine) -> str:
    one = read_experiment(engine, NAME)
    assert one
    return one.epochs[-1].stage


def conclusion(gateway: Gateway, engine: Engine) -> dict[str, Any]:
    """What may be concluded, and what it rests on."""
    running = read_experiment(engine, NAME)
    assert running
    metrics = load_scope(gateway.settings.scope_file).all_metrics
    found = report_of(engine, Question(running, metrics, datetime.now(UTC) + timedelta(minutes=2)))
    return {**found["conclusions"][0], "integrity": found["integrity"], "primary": found["metrics"][0]}


@pytest.mark.parametrize(
    ("resolved", "code"),
    [({"control": 0.2, "treatment": 0.9}, "better"), ({"control": 0.5, "treatment": 0.5}, "running")],
    ids=["a better arm", "A/A"],
)
async def test_what_was_planted_is_found_with_a_real_adapter(
    start_gateway: StartGateway, vllm: Vllm, tmp_path: Path, resolved: dict[str, float], code: str
) -> None:
    path = scope_file(tmp_path, vllm, {"adapter": GOOD})
    with start_gateway(scope_file=path, secret_key=SECRET) as gateway:
        engine = begin(gateway)
        wait_until(lambda: asked(gateway)["experiment"] == NAME)
        plan = Simulation(gateway.url, "support", resolved, subjects=80, questions_each=1, at_once=4)
        planted = await simulate(plan)
        assert planted.failed == 0
        found = conclusion(gateway, engine)
        assert (state_of(engine), read_alarms(engine, NAME)) == ("ab", []), found
        assert found["code"] == code, found
        engine.dispose()


def asked(gateway: Gateway) -> dict[str, Any]:
    rag: dict[str, Any] = gateway.ask("hello", user="first", rag={"dry_run": True}).json()["rag"]
    return rag


@pytest.mark.parametrize(
    ("treatment", "message"),
    [({"adapter": NOTHING}, "does nothing"), ({"adapter": "gone@0123456789ab"}, "doesn't serve")],
    ids=["no-op", "not loaded"],
)
def test_a_faulty_arm_is_stopped_by_its_first_probe(
    start_gateway: StartGateway, vllm: Vllm, tmp_path: Path, treatment: dict[str, Any], message: str
) -> None:
    with start_gateway(scope_file=scope_file(tmp_path, vllm, treatment)) as gateway:
        engine = begin(gateway)
        wait_until(lambda: state_of(engine) == "paused")
        wait_until(lambda: [message in alarm.message for alarm in read_alarms(engine, NAME)] == [True])
        engine.dispose()


async def test_an_adapter_that_was_swapped_is_stopped_by_the_next_probe(
    engine: Engine, vllm: Vllm, adapters: dict[str, Path], tmp_path: Path
) -> None:
    scope = load_scope(scope_file(tmp_path, vllm, {"adapter": GOOD}))
    start(engine, scope, NAME, Actor("tester", "a test", 0.0))
    book = ExperimentBook(scope, lambda subject: subject)
    async with aiohttp.ClientSession() as session:
        with ThreadPoolExecutor(1) as threads:
            replica = Replica("house", session, Upstream(vllm.url))
            generators = {"house": OpenAIGenerator("house", [replica])}

            async def look() -> list[str]:
                book.refresh(engine)
                await ArmWatch(scope, generators, book, engine, threads).look()
                return [alarm.message for alarm in read_alarms(engine, NAME)]

            try:
                assert await look() == []
                load(vllm, GOOD, adapters[OTHER])
                (said,) = await look()
            finally:
                load(vllm, GOOD, adapters[GOOD])
    assert "another model than before" in said
    assert state_of(engine) == "paused"


def load(vllm: Vllm, name: str, folder: Path) -> None:
    """Put another adapter under a name, as nobody should."""
    for path, body in (
        ("unload_lora_adapter", {"lora_name": name}),
        ("load_lora_adapter", {"lora_name": name, "lora_path": str(folder)}),
    ):
        request = urllib.request.Request(
            f"{vllm.url}/{path}", json.dumps(body).encode(), {"content-type": "application/json"}
        )
        urllib.request.urlopen(request, timeout=60).close()


async def test_a_canary_whose_server_is_away_is_paused(
    start_gateway: StartGateway, vllm: Vllm, tmp_path: Path
) -> None:
    path = scope_file(
        tmp_path, vllm, {"generator": "away"}, stages=["canary", "ab"], canary={"coverage": 100}
    )
    with start_gateway(scope_file=path, secret_key=SECRET) as gateway:
        engine = begin(gateway)
        wait_until(lambda: asked(gateway)["experiment"] == NAME)
        await simulate(Simulation(gateway.url, "support", {}, subjects=40, questions_each=1))
        wait_until(lambda: state_of(engine) == "paused")
        assert [alarm.kind for alarm in read_alarms(engine, NAME)] == ["failures"]
        assert asked(gateway)["experiment"] is None
        engine.dispose()
