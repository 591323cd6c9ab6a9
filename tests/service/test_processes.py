"""Several processes that serve: two gateways on one data folder, and the workers of one."""

import json
import os
import shutil
import signal
import socket
import time
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest
import yaml
from sqlalchemy import text

from service.database import open_database
from tests.conftest import Demo, scope_with, wait_until
from tests.service.processes import Served, read_all, serving_process
from tests.service.routes.test_documents import CLEARANCE
from tests.upstream import ScriptedUpstream

pytestmark = pytest.mark.slow
HELP = {"collection": "help"}
SECONDS = 5.0


@pytest.fixture
def data(demo: Demo, tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    shutil.copytree(demo.data_dir, folder)
    return folder


@pytest.fixture
def scope_file(tmp_path: Path) -> Path:
    """The demo's scope, whose collection takes uploads."""
    path = scope_with(tmp_path)
    raw = yaml.safe_load(path.read_text())
    raw["collections"]["help"]["clearance"] = CLEARANCE
    path.write_text(yaml.safe_dump(raw))
    return path


def put(served: Served, name: str, words: str) -> int:
    path = f"{served.url}/v1/documents/{name}"
    return httpx.put(path, params=HELP, json={"text": words}, timeout=60).status_code


def found(served: Served, query: str) -> list[str]:
    body = {"query": query, "collection": "help", "top_k": 10}
    reply = httpx.post(f"{served.url}/v1/search", json=body, timeout=60)
    return [one["document_id"] for one in reply.json()["results"]]


def ask(served: Served) -> str:
    body = {"model": "support", "messages": [{"role": "user", "content": "What does Larkmoor Plus cost?"}]}
    reply = httpx.post(f"{served.url}/v1/chat/completions", json=body, timeout=60)
    assert reply.status_code == 200, reply.text
    return str(reply.json()["rag"]["answer_id"])


def recorded(data: Path) -> set[str]:
    engine = open_database(f"sqlite:///{data / 'touchstone.db'}")
    with engine.connect() as connection:
        ids = set(connection.execute(text("select id from answers")).scalars())
    engine.dispose()
    return ids


def test_two_gateways_on_one_folder_serve_the_same_and_one_survives_the_other(
    data: Path, scope_file: Path, tmp_path: Path
) -> None:
    settings = {"scope_file": scope_file, "data_dir": data, "embed_threads": 1}
    with ExitStack() as stack:
        folders = [tmp_path / name for name in ("one", "two")]
        for folder in folders:
            folder.mkdir()
        one, two = (stack.enter_context(serving_process(folder, **settings)) for folder in folders)
        answers = {ask(served) for served in (one, two, one, two)}
        assert put(one, "zoo/quagga", "# Quagga\n\nThe quagga of the zoo eats zinnias on Mondays.") == 201
        wait_until(lambda: "zoo/quagga" in found(two, "quagga zinnias"), SECONDS)
        assert put(two, "zoo/okapi", "# Okapi\n\nThe okapi of the zoo sleeps under umbrellas.") == 201
        wait_until(lambda: "zoo/okapi" in found(one, "okapi umbrellas"), SECONDS)
        gone = httpx.delete(f"{two.url}/v1/documents/zoo/quagga", params=HELP, timeout=60)
        assert gone.status_code == 200
        wait_until(lambda: "zoo/quagga" not in found(one, "quagga zinnias"), SECONDS)
        assert "zoo/quagga" not in found(two, "quagga zinnias")
        wait_until(lambda: answers <= recorded(data), SECONDS)
        last = ask(one)
        one.process.kill()
        one.process.wait(60)
        assert put(two, "zoo/tapir", "# Tapir\n\nThe tapir of the zoo likes tangerines.") == 201
        assert "zoo/tapir" in found(two, "tapir tangerines")
        after = ask(two)
        wait_until(lambda: after in recorded(data), SECONDS)
        with serving_process(folders[0], **settings) as again:
            # What the killed one had acknowledged comes back with whoever starts next.
            wait_until(lambda: {*answers, last} <= recorded(data), SECONDS)
            assert "zoo/tapir" in found(again, "tapir tangerines")


GRACE_S = 1.0


def body(*, stream: bool) -> bytes:
    question = [{"role": "user", "content": "What does Larkmoor Plus cost?"}]
    return json.dumps({"model": "support", "messages": question, "stream": stream}).encode()


def workers_of(served: Served) -> list[int]:
    """Processes below the one that was started."""
    pid = served.process.pid
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_drains_every_worker_and_ends_all_of_them_in_success(
    number: int, data: Path, scope_file: Path, tmp_path: Path, upstream: ScriptedUpstream
) -> None:
    # A sentence that answers, and one that goes on for minutes.
    upstream.tokens = [
        "Larkmoor Plus costs €4.99 a month or €49 a year. [1] ",
        *(f"month {n} " for n in range(1000)),
    ]
    upstream.pause_s, upstream.whole_pause_s = 0.5, 600
    settings = {"scope_file": scope_file, "data_dir": data, "generator_url": upstream.url}
    with serving_process(tmp_path, "--workers=2", stop_grace_s=GRACE_S, **settings) as served:
        processes = workers_of(served)
        assert len(processes) >= 2
        # Enough connections that both workers have some.
        streams = [served.open("/v1/chat/completions", body(stream=True)) for _ in range(8)]
        assert all(b"text/event-stream" in one.recv(65_536) for one in streams)
        wholes = [served.open("/v1/chat/completions", body(stream=False)) for _ in range(4)]
        time.sleep(2)
        served.process.send_signal(number)
        begun = time.monotonic()
        for one in streams:
            events = [line for line in read_all(one).splitlines() if line.startswith("data: ")]
            assert '"code":"stopping"' in events[-2]
            assert events[-1] == "data: [DONE]"
        for one in wholes:
            reply = read_all(one)
            assert reply.startswith("HTTP/1.1 503 ")
            assert '"code":"stopping"' in reply
        assert served.process.wait(GRACE_S + 12) == 0
        assert time.monotonic() - begun < GRACE_S + 12
        assert "Traceback" not in served.log.read_text()
        wait_until(lambda: not any(os.path.exists(f"/proc/{pid}") for pid in processes), 5)


def connections_of(pid: int, port: int) -> int:
    """How many connections to a port a process holds."""
    fields = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    open_ones = {f"socket:[{f[9]}]" for f in fields if f[1].endswith(f":{port:04X}") and f[3] == "01"}
    held = [os.readlink(link) for link in Path(f"/proc/{pid}/fd").iterdir() if link.is_symlink()]
    return sum(one in open_ones for one in held)


def test_clients_that_come_at_once_are_shared_by_the_workers(
    data: Path, scope_file: Path, tmp_path: Path
) -> None:
    head = b"GET /livez HTTP/1.1\r\nhost: localhost\r\n\r\n"
    with serving_process(tmp_path, "--workers=2", scope_file=scope_file, data_dir=data) as served:

        def shares() -> list[int]:
            with ExitStack() as stack:
                clients = [
                    stack.enter_context(socket.create_connection(("127.0.0.1", served.port)))
                    for _ in range(16)
                ]
                for client in clients:
                    client.sendall(head)
                assert all(client.recv(65_536).startswith(b"HTTP/1.1 200") for client in clients)
                found = [connections_of(pid, served.port) for pid in workers_of(served)]
            return sorted(count for count in found if count)

        # The second worker may not have begun.
        wait_until(lambda: shares()[-1] <= 12, 30)


def test_the_workers_of_a_killed_supervisor_end_by_themselves(
    data: Path, scope_file: Path, tmp_path: Path
) -> None:
    with serving_process(tmp_path, "--workers=2", scope_file=scope_file, data_dir=data) as served:
        workers = workers_of(served)
        assert len(workers) >= 2
        os.kill(served.process.pid, signal.SIGKILL)
        wait_until(lambda: not any(_lives(pid) for pid in workers), 60)


def _lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False
