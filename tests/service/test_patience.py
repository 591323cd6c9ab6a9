"""Nobody is waited for without a bound: heads, bodies, readers, and requests of a process that was told to stop."""

import asyncio
import json
import shutil
import signal
import socket
import time
from collections.abc import AsyncIterator, Iterator
from functools import partial
from pathlib import Path

import pytest
from fastapi import FastAPI, Request
from fastapi.responses import PlainTextResponse

from service.handlers import add_error_handlers
from service.middleware import Observe
from service.patience import Patience, TimedProtocol
from service.routes.disconnect import ClosingStream
from tests.conftest import Demo, serving, wait_until
from tests.service.processes import Served, read_all, serving_process
from tests.upstream import ScriptedUpstream

SHORT_S = 1.0


class Endless:
    """A stream without an end that knows when it was freed."""

    def __init__(self) -> None:
        self.is_freed = False
        self.pieces = 0

    async def __aiter__(self) -> AsyncIterator[bytes]:
        try:
            while True:
                self.pieces += 1
                yield b"x" * 65_536
                await asyncio.sleep(0)
        finally:
            self.is_freed = True


@pytest.fixture
def endless() -> Endless:
    return Endless()


@pytest.fixture
def port(endless: Endless) -> Iterator[int]:
    async def stream() -> ClosingStream:
        return ClosingStream(endless.__aiter__())

    async def echo(request: Request) -> PlainTextResponse:
        return PlainTextResponse(str(len(await request.body())))

    app = FastAPI()
    app.add_api_route("/stream", stream, response_model=None)
    app.add_api_route("/echo", echo, methods=["POST"], response_model=None)
    add_error_handlers(app)
    app.add_middleware(Patience, body_s=SHORT_S, reader_s=SHORT_S)
    app.add_middleware(Observe)
    with serving(app, http=partial(TimedProtocol, head_s=SHORT_S)) as url:
        yield int(url.rpartition(":")[2])


def say(port: int, text: bytes) -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", port), timeout=60)
    connection.sendall(text)
    return connection


@pytest.mark.parametrize(
    ("sent", "part"),
    [
        (b"", "head"),
        (b"POST /echo HTTP/1.1\r\nhost: local", "head"),
        (b"POST /echo HTTP/1.1\r\nhost: localhost\r\ncontent-length: 100\r\n\r\nhalf", "body"),
        (
            b"POST /echo HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\n\r\n4\r\nhalf\r\n",
            "body",
        ),
    ],
)
def test_half_a_request_is_a_408_and_the_end_of_its_connection(port: int, sent: bytes, part: str) -> None:
    head, _, body = read_all(say(port, sent)).partition("\r\n\r\n")
    error = json.loads(body)["error"]
    assert head.startswith("HTTP/1.1 408 ")
    assert error["code"] == "request_timeout"
    assert part in error["message"]


def test_a_body_that_trickles_is_given_up_too(port: int) -> None:
    connection = say(port, b"POST /echo HTTP/1.1\r\nhost: localhost\r\ncontent-length: 1000000\r\n\r\n")
    connection.settimeout(0.1)
    found = b""
    for _ in range(600):
        try:
            connection.sendall(b"x")
            found += connection.recv(65_536)
        except TimeoutError:
            continue
        except OSError:
            break
        if found:
            break
    assert b" 408 " in found
    connection.close()


def test_a_body_that_keeps_coming_is_taken(port: int) -> None:
    connection = say(port, b"POST /echo HTTP/1.1\r\nhost: localhost\r\ncontent-length: 60000\r\n\r\n")
    for _ in range(6):
        connection.sendall(b"x" * 10_000)
        time.sleep(SHORT_S / 4)
    assert connection.recv(65_536).endswith(b"\r\n\r\n60000")
    connection.close()


def test_a_second_request_on_a_connection_has_its_own_time(port: int) -> None:
    request = b"POST /echo HTTP/1.1\r\nhost: localhost\r\ncontent-length: 4\r\n\r\nfour"
    connection = say(port, request)
    assert connection.recv(65_536).endswith(b"4")
    time.sleep(1.5 * SHORT_S)
    connection.sendall(request)
    assert connection.recv(65_536).endswith(b"4")
    connection.close()


def test_a_reader_that_does_not_read_is_given_up_and_frees_the_stream(port: int, endless: Endless) -> None:
    connection = say(port, b"GET /stream HTTP/1.1\r\nhost: localhost\r\n\r\n")
    wait_until(lambda: endless.is_freed, 30)
    assert not read_all(connection).endswith("0\r\n\r\n")


def test_a_reader_that_reads_slowly_keeps_its_stream(port: int, endless: Endless) -> None:
    connection = say(port, b"GET /stream HTTP/1.1\r\nhost: localhost\r\n\r\n")
    end = time.monotonic() + 4 * SHORT_S
    while time.monotonic() < end:
        assert connection.recv(262_144)
        time.sleep(0.02)
    assert not endless.is_freed
    connection.close()


def asked(stream: bool) -> bytes:
    question = [{"role": "user", "content": "What does Larkmoor Plus cost?"}]
    return json.dumps({"model": "support", "messages": question, "stream": stream}).encode()


GRACE_S = 1.0


@pytest.fixture
def busy(demo: Demo, patient_scope: Path, tmp_path: Path, upstream: ScriptedUpstream) -> Iterator[Served]:
    """A gateway whose generator takes minutes."""
    names = ("".join(chr(97 + int(digit)) for digit in str(number)) for number in range(1000))
    upstream.tokens = ["Larkmoor Plus costs €4.99 a month. [1] ", *(f"So says Mr {name}. " for name in names)]
    upstream.pause_s = 0.5
    upstream.whole_pause_s = 600
    data = tmp_path / "data"
    shutil.copytree(demo.data_dir, data)
    settings = {"scope_file": patient_scope, "data_dir": data, "generator_url": upstream.url}
    with serving_process(tmp_path, stop_grace_s=GRACE_S, **settings) as served:
        yield served


@pytest.mark.slow
def test_on_sigterm_everything_in_flight_ends_in_its_own_words_and_the_process_in_time(busy: Served) -> None:
    stream = busy.open("/v1/chat/completions", asked(stream=True))
    assert b"text/event-stream" in stream.recv(65_536)
    whole = busy.open("/v1/chat/completions", asked(stream=False))
    half = busy.open("/v1/chat/completions", b"{", announced=100)
    text = "The lamp of the hub is yellow while it starts, and green afterwards. " * 60_000
    upload = busy.open("/v1/documents/big", json.dumps({"text": text}).encode(), method="PUT")
    time.sleep(2)
    busy.process.send_signal(signal.SIGTERM)
    begun = time.monotonic()
    events = [line for line in read_all(stream).splitlines() if line.startswith("data: ")]
    assert '"code":"stopping"' in events[-2]
    assert events[-1] == "data: [DONE]"
    for connection in (whole, half, upload):
        reply = read_all(connection)
        assert reply.startswith("HTTP/1.1 503 ")
        assert '"code":"stopping"' in reply
    busy.process.wait(GRACE_S + 12)
    assert time.monotonic() - begun < GRACE_S + 12
