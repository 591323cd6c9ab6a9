"""Nothing that was acknowledged is lost when the process is killed, however often."""

import os
import random
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import httpx
import pytest
from sqlalchemy import text

from service.answer.record import insert_answers
from service.answer.spill import Spill
from service.database import open_database
from tests.conftest import ROOT, Demo, wait_until
from tests.service.test_postgres import free_port


def ids(url: str) -> set[str]:
    engine = open_database(url)
    with engine.connect() as connection:
        found = connection.execute(text("select id from answers union all select event_id from feedback"))
        known = set(found.scalars())
    engine.dispose()
    return known


@pytest.mark.parametrize("kills", [20, pytest.param(200, marks=pytest.mark.slow)])
def test_a_killed_process_loses_no_acknowledged_answer_and_no_feedback(kills: int, tmp_path: Path) -> None:
    chance, acknowledged = random.Random(kills), set()
    command = [sys.executable, "-m", "tests.service.answer.killed", str(tmp_path)]
    with subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as nursery:
        assert nursery.stdin
        assert nursery.stdout
        for _ in range(kills):
            nursery.stdin.write("one\n")
            nursery.stdin.flush()
            child, left = None, chance.randint(1, 120)
            for line in nursery.stdout:
                word, _, found = line.strip().partition(" ")
                if word == "gone":
                    break
                if word == "process":
                    child = int(found)
                if word == "kept":
                    acknowledged.add(found)
                    left -= 1
                if child is not None and left <= 0:
                    os.kill(child, signal.SIGKILL)
                    left = sys.maxsize
        nursery.stdin.close()
    engine = open_database(f"sqlite:///{tmp_path / 'db'}")
    Spill(tmp_path / "spill").drain(partial(insert_answers, engine))
    engine.dispose()
    assert len(acknowledged) > 10 * kills
    assert acknowledged - ids(f"sqlite:///{tmp_path / 'db'}") == set()


def ready(client: httpx.Client) -> bool:
    try:
        return client.get("/readyz").status_code == 200
    except httpx.TransportError:
        return False


def load(url: str, acknowledged: set[str]) -> None:
    """Ask and rate until the gateway is gone."""
    body = {"model": "support", "messages": [{"role": "user", "content": "What does Plus cost?"}]}
    with httpx.Client(base_url=url, timeout=60) as client:
        while True:
            try:
                rag = client.post("/v1/chat/completions", json=body).json()["rag"]
                acknowledged.add(rag["answer_id"])
                event = {"answer_id": rag["answer_id"], "token": rag["feedback_token"], "kind": "thumb"}
                acknowledged.add(
                    client.post("/v1/feedback", json={**event, "value": "up"}).json()["event_id"]
                )
            except httpx.TransportError:
                return


@pytest.mark.slow
def test_a_killed_gateway_loses_nothing_that_was_acknowledged(demo: Demo, tmp_path: Path) -> None:
    url, port = f"sqlite:///{tmp_path / 'db'}", free_port()
    data_dir, acknowledged = tmp_path / "data", set[str]()
    data_dir.mkdir()
    (data_dir / "collections").symlink_to(demo.data_dir / "collections")
    env = {**os.environ, "TOUCHSTONE_DATA_DIR": str(data_dir), "TOUCHSTONE_DATABASE_URL": url}  # noqa: TID251
    command = [sys.executable, "-m", "service", "serve", f"--port={port}"]
    for kill in range(4):
        process = subprocess.Popen(command, cwd=ROOT, env=env, stderr=subprocess.DEVNULL)
        try:
            with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60) as client:
                wait_until(partial(ready, client), seconds=400)
            if kill == 3:
                wait_until(lambda: acknowledged <= ids(url))
                break
            with ThreadPoolExecutor(3) as clients:
                before = len(acknowledged)
                for _ in range(3):
                    clients.submit(load, f"http://127.0.0.1:{port}", acknowledged)
                wait_until(lambda before=before: len(acknowledged) > before + 20)
                process.kill()
        finally:
            process.kill()
            process.wait()
    assert acknowledged - ids(url) == set()
