"""A hundred clients upload a megabyte each while workers are killed: everybody gets a reply, and the gateway ends in time."""

import asyncio
import os
import random
import signal
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI, Request
from fastapi.responses import PlainTextResponse

from ingestion.embed import Embedder
from service.errors import BusyError
from service.handlers import add_error_handlers
from service.middleware import LimitUploads, Observe
from service.threads import in_turn
from tests.conftest import wait_until
from tests.service.faults import small_collection
from tests.service.processes import Served, serving_process

CLIENTS = 100
MEGABYTE = 1_000_000
# Words that no vocabulary has: the embedder takes a second for a megabyte of them, and half a minute for one of prose.
WORD = b"x" * 400
PROSE = b"The lamp of the hub is yellow while it starts, and green afterwards. "
WAIT_S, GRACE_S, HARD_S = 30.0, 3.0, 8.0


@pytest.fixture
def gateway(tmp_path: Path, embedder: Embedder) -> Iterator[Served]:
    small_collection(tmp_path, tmp_path / "data", embedder)
    settings = {"scope_file": tmp_path / "scope.yaml", "data_dir": tmp_path / "data", "embed_threads": 1}
    with serving_process(tmp_path, stop_grace_s=GRACE_S, change_wait_s=WAIT_S, **settings) as served:
        yield served


def megabyte(number: int, line: bytes) -> bytes:
    text = b"Text %d.\n" % number + (line + b"\n") * (MEGABYTE // len(line) + 1)
    return text[:MEGABYTE]


def upload(served: Served, number: int, line: bytes = WORD) -> httpx.Response:
    files = {"file": (f"text-{number}.txt", megabyte(number, line), "text/plain")}
    return httpx.post(f"{served.url}/v1/documents", files=files, timeout=300)


def workers_of(process: int) -> list[int]:
    """Child processes that read documents."""
    found = []
    for task in Path(f"/proc/{process}/task").iterdir():
        for child in map(int, (task / "children").read_text().split()):
            with suppress(OSError):
                if b"spawn_main" in Path(f"/proc/{child}/cmdline").read_bytes():
                    found.append(child)
    return found


class Killer:
    """Kills workers at random moments until it is told to stop."""

    def __init__(self, process: int) -> None:
        self.kills = 0
        self._process = process
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._work)

    def __enter__(self) -> "Killer":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _work(self) -> None:
        chance = random.Random(1)
        while not self._stop.wait(chance.uniform(1, 9)):
            for pid in workers_of(self._process):
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
                    self.kills += 1


@pytest.mark.slow
def test_a_hundred_uploads_of_a_megabyte_end_in_replies_while_workers_are_killed(gateway: Served) -> None:
    begun = time.monotonic()
    with Killer(gateway.process.pid) as killer, ThreadPoolExecutor(CLIENTS) as clients:
        replies = list(clients.map(lambda number: upload(gateway, number), range(CLIENTS)))
    assert time.monotonic() - begun < WAIT_S + 60, "somebody waited for longer than a turn and a document"
    by_status: dict[int, list[httpx.Response]] = defaultdict(list)
    for reply in replies:
        by_status[reply.status_code].append(reply)
    assert set(by_status) <= {201, 422, 503}
    assert killer.kills
    assert all("crashed" in reply.json()["error"]["message"] for reply in by_status[422])
    assert all(reply.headers["retry-after"] for reply in by_status[503])
    taken = {one["document_id"] for reply in by_status[201] for one in reply.json()["documents"]}
    listed = httpx.get(f"{gateway.url}/v1/documents", params={"limit": 1000}).json()["documents"]
    assert taken
    assert taken <= set(listed)
    assert upload(gateway, CLIENTS).status_code == 201


@pytest.mark.slow
def test_a_gateway_with_long_uploads_in_hand_replies_to_each_and_ends_by_itself(gateway: Served) -> None:
    with ThreadPoolExecutor(8) as clients:
        waiting = [clients.submit(upload, gateway, number, PROSE) for number in range(8)]
        wait_until(lambda: workers_of(gateway.process.pid))
        time.sleep(8)  # it has been read then, and is being embedded
        gateway.process.send_signal(signal.SIGTERM)
        assert gateway.process.wait(GRACE_S + HARD_S) == -signal.SIGTERM, "it had to be ended"
        replies = [one.result(10) for one in waiting]
    assert {reply.status_code for reply in replies} == {503}
    assert all(reply.headers["retry-after"] for reply in replies)


async def test_who_does_not_have_its_turn_in_time_is_told_so_and_nothing_is_done() -> None:
    done: list[str] = []
    go_on = threading.Event()
    with ThreadPoolExecutor(1) as executor:
        first = asyncio.create_task(in_turn(executor, go_on.wait, wait_s=0.05))
        await asyncio.sleep(0)
        with pytest.raises(BusyError, match="Send it again"):
            await in_turn(executor, lambda: done.append("second"), wait_s=0.05)
        go_on.set()
        assert await first, "what has begun is waited for"
    assert done == []


async def test_an_upload_that_comes_while_others_hold_too_much_is_told_to_come_again() -> None:
    go_on = asyncio.Event()

    async def hold(request: Request) -> PlainTextResponse:
        size = len(await request.body())
        await go_on.wait()
        return PlainTextResponse(str(size))

    app = FastAPI()
    app.add_api_route("/v1/documents/{name}", hold, methods=["PUT"], response_model=None)
    add_error_handlers(app)
    app.add_middleware(LimitUploads, max_bytes=2_500)
    app.add_middleware(Observe)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
        held = [
            asyncio.create_task(client.put(f"/v1/documents/{name}", content=b"x" * 1_000)) for name in "ab"
        ]
        await asyncio.sleep(0.1)
        refused = await client.put("/v1/documents/c", content=b"x" * 1_000)
        assert (refused.status_code, refused.json()["error"]["code"]) == (503, "busy")
        assert refused.headers["retry-after"]
        go_on.set()
        assert {(await one).status_code for one in held} == {200}
        assert (await client.put("/v1/documents/c", content=b"x" * 1_000)).status_code == 200
