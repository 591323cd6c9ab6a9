"""Servers that a benchmark needs, started as processes and stopped by their ids."""

import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

# Peers live in environments of their own, made at the first use.
PEERS = Path(".venv-peers")
_START_S = 90.0
_SCOPE = """
version: 1
use_case: A benchmark.
collections:
  c:
    languages: [en]
    clearance: {supplier: benchmark, licence: none, legal_basis: no_personal_data}
variants: {v: {}}
assistants: {a: {collection: c, variant: v}}
"""


def free_port() -> int:
    """A port that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def gateway(folder: Path, database_url: str | None = None) -> Iterator[tuple[str, int]]:
    """Our gateway over the collection `c` in `folder / "var"`: its base URL and process id."""
    (folder / "scope.yaml").write_text(_SCOPE)
    port = free_port()
    base = f"http://127.0.0.1:{port}"
    env = {
        "TOUCHSTONE_SCOPE_FILE": str(folder / "scope.yaml"),
        "TOUCHSTONE_DATA_DIR": str(folder / "var"),
        **({"TOUCHSTONE_DATABASE_URL": database_url} if database_url else {}),
    }
    command = [sys.executable, "-m", "service", "serve", "--port", str(port)]
    with serving(command, f"{base}/readyz", log=folder / "log", env=env) as pid:
        yield base, pid


@contextmanager
def serving(
    command: Sequence[str],
    url: str,
    *,
    log: Path,
    env: Mapping[str, str] | None = None,
    start_s: float = _START_S,
) -> Iterator[int]:
    """A server that answers at `url`; its process id. Raises `RuntimeError` when it doesn't start."""
    with log.open("wb") as output:
        process = subprocess.Popen(
            list(command),
            stdout=output,
            stderr=output,
            env={**os.environ, **(env or {})},  # noqa: TID251
        )
        try:
            _wait(process, url, log, start_s)
            yield process.pid
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _wait(process: subprocess.Popen[bytes], url: str, log: Path, start_s: float) -> None:
    deadline = time.monotonic() + start_s
    while time.monotonic() < deadline:
        if process.poll() is not None:
            break
        try:
            with urllib.request.urlopen(url, timeout=2):
                return
        except urllib.error.HTTPError:
            return
        except OSError:
            time.sleep(0.2)
    tail = log.read_text("utf-8", "replace")[-2_000:]
    raise RuntimeError(f"No answer at {url}: {tail}")


def peer_environment(folder: Path, packages: Sequence[str]) -> Path:
    """The Python of a virtual environment that holds a peer; made at the first use."""
    python = folder / "bin" / "python"
    if not (folder / "installed").is_file():
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
        for package in packages:  # one by one: torch decides what the others find
            subprocess.run([str(python), "-m", "pip", "install", "-q", package], check=True)
        (folder / "installed").write_text("\n".join(packages))
    return python
