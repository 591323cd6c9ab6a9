"""Gateways as processes of their own: started, asked over sockets, told to stop."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from tests.conftest import ROOT, wait_until


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def environment(**settings: object) -> dict[str, str]:
    """This process's environment without Touchstone's settings but the given ones."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith("TOUCHSTONE_")}  # noqa: TID251
    return {**kept, **{f"TOUCHSTONE_{name.upper()}": str(value) for name, value in settings.items()}}


@dataclass(frozen=True)
class Served:
    process: subprocess.Popen[bytes]
    port: int
    log: Path

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def is_ready(self) -> bool:
        assert self.process.poll() is None, self.log.read_text()[-2000:]
        try:
            return httpx.get(f"{self.url}/readyz", timeout=60).status_code == 200
        except httpx.TransportError:
            return False

    def open(
        self, path: str, body: bytes, *, method: str = "POST", announced: int | None = None
    ) -> socket.socket:
        """A connection on which a request was sent; `announced` may be more than the body has."""
        connection = socket.create_connection(("127.0.0.1", self.port), timeout=120)
        size = len(body) if announced is None else announced
        head = f"{method} {path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: {size}\r\n\r\n"
        connection.sendall(head.encode() + body)
        return connection


@contextmanager
def serving_process(folder: Path, *options: str, **settings: object) -> Iterator[Served]:
    """A gateway on a free port, ready; it is killed at the end if it still runs."""
    port, log = free_port(), folder / "gateway.log"
    command = [sys.executable, "-m", "service", "serve", f"--port={port}", *options]
    with log.open("ab") as out:
        process = subprocess.Popen(command, cwd=ROOT, env=environment(**settings), stdout=out, stderr=out)
    served = Served(process, port, log)
    try:
        wait_until(served.is_ready, seconds=400)
        yield served
    finally:
        process.kill()
        process.wait(60)


def read_all(connection: socket.socket) -> str:
    """Everything until the other side closes."""
    found = b""
    while piece := connection.recv(65_536):
        found += piece
    connection.close()
    return found.decode("utf-8", "replace")
