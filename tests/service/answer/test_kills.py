"""Nothing that was acknowledged is lost when the process is killed, however often."""

import os
import random
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import httpx
import pytest

from ingestion.embed import Embedder
from service.answer.record import insert_rows
from service.answer.spill import Spill
from service.database import open_database
from tests.conftest import ROOT, wait_until
from tests.service.faults import QUESTION, how_often, small_collection, stored
from tests.service.processes import environment, free_port

CLIENTS = 3


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
    Spill(tmp_path / "spill").drain(partial(insert_rows, engine))
    engine.dispose()
    assert len(acknowledged) > 10 * kills
    assert acknowledged - stored(f"sqlite:///{tmp_path / 'db'}") == set()


def is_ready(url: str) -> bool:
    try:
        return httpx.get(f"{url}/readyz", timeout=60).status_code == 200
    except httpx.TransportError:
        return False


def load(url: str, acknowledged: set[str]) -> None:
    """Ask and rate until the gateway is gone."""
    body = {"model": "support", "messages": [{"role": "user", "content": QUESTION}]}
    with httpx.Client(base_url=url, timeout=60) as client:
        while True:
            try:
                rag = client.post("/v1/chat/completions", json=body).raise_for_status().json()["rag"]
                acknowledged.add(rag["answer_id"])
                event = {"answer_id": rag["answer_id"], "token": rag["feedback_token"], "kind": "thumb"}
                rated = client.post("/v1/feedback", json={**event, "value": "up"}).raise_for_status()
                acknowledged.add(rated.json()["event_id"])
            except httpx.TransportError:
                return


@pytest.mark.slow
def test_a_killed_gateway_loses_nothing_that_was_acknowledged(tmp_path: Path, embedder: Embedder) -> None:
    small_collection(tmp_path, tmp_path / "data", embedder)
    database, url = f"sqlite:///{tmp_path / 'db'}", f"http://127.0.0.1:{(port := free_port())}"
    env = environment(
        scope_file=tmp_path / "scope.yaml", data_dir=tmp_path / "data", database_url=database, embed_threads=1
    )
    kills, acknowledged = how_often(4, long=200), set[str]()
    chance = random.Random(kills)
    command = [sys.executable, "-m", "tests.service.answer.forked", f"--port={port}"]
    with forking(command, env) as start:
        for _ in range(kills):
            gateway = start()
            wait_until(partial(is_ready, url))
            enough = len(acknowledged) + chance.randint(2, 60)
            with ThreadPoolExecutor(CLIENTS) as executor:
                clients = [executor.submit(load, url, acknowledged) for _ in range(CLIENTS)]
                try:
                    wait_until(lambda enough=enough: len(acknowledged) >= enough)
                finally:
                    os.kill(gateway, signal.SIGKILL)
                for client in clients:
                    client.result()
        gateway = start()
        try:
            wait_until(lambda: acknowledged <= stored(database))
        finally:
            os.kill(gateway, signal.SIGKILL)
    assert len(acknowledged) > 20 * kills
    assert acknowledged - stored(database) == set()


@contextmanager
def forking(command: list[str], env: Mapping[str, str]) -> Iterator[Callable[[], int]]:
    """What starts the next process, once the last one is gone; its process id."""
    with subprocess.Popen(
        command, cwd=ROOT, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as nursery:
        assert nursery.stdin
        assert nursery.stdout
        has_started = False

        def start() -> int:
            nonlocal has_started
            if has_started:
                assert nursery.stdout.readline() == b"gone\n"
            nursery.stdin.write(b"one\n")
            nursery.stdin.flush()
            has_started = True
            return int(nursery.stdout.readline())

        yield start
        nursery.stdin.close()
