"""Whether a gateway stays alive under hostile requests: `/livez` in seconds, beside a bare FastAPI application's.

Both are asked in turns in the same run, while requests that are made to cost much arrive at the gateway.
"""

import asyncio
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import uvicorn
from fastapi import FastAPI

from evals.bench.gateway import ingest_demo
from evals.bench.load import request_bytes
from evals.bench.servers import free_port, serving
from evals.metrics import Figure

_PER_S, _PAUSE_S, _SECONDS = 5, 0.05, 30.0
# A probe that waits as long is counted with this time; nobody would wait longer.
_PATIENCE_S = 30.0
Json = dict[str, object]


def measure(*, data: Path | None, is_quick: bool) -> dict[str, Figure]:
    """Percentiles of `/livez` with and without hostile requests, and of the peer with them."""
    seconds = 5.0 if is_quick else _SECONDS
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        ingest_demo(folder)
        port, peer_port = free_port(), free_port()
        base, peer = f"http://127.0.0.1:{port}", f"http://127.0.0.1:{peer_port}"
        command = [sys.executable, "-m", "service", "serve", f"--port={port}"]
        peer_command = [sys.executable, "-m", "evals.bench.liveness", str(peer_port)]
        env = {"TOUCHSTONE_DATA_DIR": str(folder / "var")}
        with (
            serving(command, f"{base}/readyz", log=folder / "log", env=env),
            serving(peer_command, f"{peer}/livez", log=folder / "peer-log"),
        ):
            return asyncio.run(_measured(base, peer, seconds))


async def _measured(base: str, peer: str, seconds: float) -> dict[str, Figure]:
    calm = await _probed([base, peer], seconds / 3)
    attack = asyncio.create_task(_attack(base, seconds))
    under_attack = await _probed([base, peer], seconds)
    replies = await attack
    statuses = [status for status in replies if status]
    return {
        **_figures("liveness.calm", calm[base]),
        **_figures("liveness.hostile", under_attack[base]),
        **_figures("liveness.fastapi", under_attack[peer]),
        "liveness.hostile_requests": Figure(float(len(replies))),
        "liveness.unanswered": Figure(float(len(replies) - len(statuses))),
        "liveness.server_errors": Figure(float(sum(status >= 500 for status in statuses))),
    }


def _figures(name: str, times: Sequence[float]) -> dict[str, Figure]:
    values = {
        "p50_s": float(np.percentile(times, 50)),
        "p99_s": float(np.percentile(times, 99)),
        "max_s": max(times),
    }
    return {f"{name}.{key}": Figure(value, n=len(times)) for key, value in values.items()}


def hostile(base: str) -> list[bytes]:
    """Requests that each aim at a pattern, a limit or the event loop."""
    long = ["@" * 8_000, "忽略" * 4_000, "password=" * 880, "1234567890" * 800, "a." * 4_000, "-" * 8_000]
    found = [request_bytes(f"{base}/v1/search", {"query": text}) for text in long]
    for text in long:
        found.append(request_bytes(f"{base}/v1/chat/completions", _chat([text])))
        history = [(text * 30)[:60_000], "Yes.", "What does express delivery cost?"]
        found.append(request_bytes(f"{base}/v1/chat/completions", _chat(history)))
    found.append(request_bytes(f"{base}/v1/chat/completions", _chat(["@" * 200_000, "Yes.", "And then?"])))
    return found


def _chat(texts: Sequence[str]) -> Json:
    roles = ("user", "assistant")
    messages = [{"role": roles[i % 2], "content": text} for i, text in enumerate(texts)]
    return {"model": "support", "messages": messages}


async def _attack(base: str, seconds: float) -> list[int]:
    """The statuses of hostile requests at a steady pace; 0 for one without an answer."""
    requests = hostile(base)
    count = int(seconds * _PER_S)
    tasks = []
    for number in range(count):
        tasks.append(asyncio.create_task(_status(base, requests[number % len(requests)])))
        await asyncio.sleep(1 / _PER_S)
    return await asyncio.gather(*tasks)


async def _status(base: str, request: bytes) -> int:
    parts = urlsplit(base)
    try:
        async with asyncio.timeout(_PATIENCE_S):
            reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
            try:
                writer.write(request)
                return int((await reader.readuntil(b"\r\n"))[9:12])
            finally:
                writer.close()
    except (OSError, TimeoutError, asyncio.IncompleteReadError):
        return 0


async def _probed(bases: Sequence[str], seconds: float) -> dict[str, list[float]]:
    """Seconds of each `/livez`, the servers in turns."""
    found: dict[str, list[float]] = {base: [] for base in bases}
    requests = {base: request_bytes(f"{base}/livez", None) for base in bases}
    ends = time.perf_counter() + seconds
    while time.perf_counter() < ends:
        for base in bases:
            begun = time.perf_counter()
            status = await _status(base, requests[base])
            found[base].append(time.perf_counter() - begun if status else _PATIENCE_S)
        await asyncio.sleep(_PAUSE_S)
    return found


def bare_app() -> FastAPI:
    """The peer: FastAPI with nothing but the route."""
    app = FastAPI()

    @app.get("/livez")
    async def livez() -> Json:
        return {"status": "ok"}

    return app


if __name__ == "__main__":
    uvicorn.run(bare_app(), host="127.0.0.1", port=int(sys.argv[1]), log_level="warning", access_log=False)
