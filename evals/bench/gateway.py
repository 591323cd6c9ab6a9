"""What the gateway adds to a stream, beside the LiteLLM proxy and beside a bare relay.

Client, gateway, peer and upstream share the machine. Every figure is the median of several rounds in
which all contestants take turns, so that a busy moment hits all of them.
"""

import asyncio
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import yaml

from evals.bench.load import Load, drive, request_bytes
from evals.bench.servers import PEERS, free_port, peer_environment, serving
from evals.bench.upstream import TOKENS
from evals.case import load_cases
from evals.metrics import Figure
from ingestion.settings import load_settings
from service.settings import Settings

LITELLM = "litellm[proxy]==1.106.2"
_ROUNDS = 5
_STREAMS = {1: 150, 8: 400, 32: 640}
_LITELLM_STREAMS = {1: 20, 8: 40}
# Processes of those that are started with several, and how many streams they get.
_WORKERS, _WORKERS_STREAMS = 2, {"workers": {8: 400, 32: 640}, "litellm-workers": {8: 40}}
_SERVE = (sys.executable, "-m", "service", "serve")
_PACED_CLIENTS, _PACED_PAUSE_S, _PACED_STREAMS = 64, 0.02, 192
_FEW = 8
_TOLD_S = 30
_EXPERIMENT, _USERS = "alike", 5_000


@dataclass(frozen=True, slots=True)
class Contestant:
    """An endpoint and the bodies to send to it."""

    url: str
    bodies: Sequence[dict[str, object]]
    key: str | None = None

    def requests(self, count: int) -> list[bytes]:
        """`count` requests, the bodies in turn."""
        return [request_bytes(self.url, self.bodies[i % len(self.bodies)], self.key) for i in range(count)]


def measure(*, data: Path | None, is_quick: bool) -> dict[str, Figure]:
    """Start everything, let them take turns, stop everything."""
    rounds = 1 if is_quick else _ROUNDS
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        ingest_demo(folder)
        fast = _serve(stack, folder, "upstream", lambda port: _scripted(port, 0.0))
        paced = _serve(stack, folder, "paced", lambda port: _scripted(port, _PACED_PAUSE_S))
        gateway, _ = _gateway(stack, folder, "gateway", fast)
        trying, _ = _gateway(stack, folder, "experiment", fast, scope=_scope_with_experiment(folder))
        slow_gateway, _ = _gateway(stack, folder, "slow-gateway", paced)
        relay = _serve(stack, folder, "relay", lambda port: _relay(port, fast))
        litellm = _litellm(stack, folder, fast)
        workers, _ = _gateway(stack, folder, "workers", fast, (*_SERVE, f"--workers={_WORKERS}"))
        litellm_workers = _litellm(stack, folder, fast, workers=_WORKERS)
        contestants = {
            "direct": Contestant(f"{fast}/chat/completions", _questions("scripted")),
            "gateway": Contestant(f"{gateway}/chat/completions", _questions("support")),
            "users": Contestant(f"{gateway}/chat/completions", _of_users()),
            "experiment": Contestant(f"{trying}/chat/completions", _of_users()),
            "litellm": Contestant(f"{litellm}/chat/completions", _questions("scripted"), "sk-bench"),
            "workers": Contestant(f"{workers}/chat/completions", _questions("support")),
            "litellm-workers": Contestant(
                f"{litellm_workers}/chat/completions", _questions("scripted"), "sk-bench"
            ),
            "forward": Contestant(f"{gateway}/completions", _prompts("support")),
            "bare": Contestant(f"{relay}/completions", _prompts("support")),
            "paced": Contestant(f"{paced}/chat/completions", _questions("scripted")),
            "paced-gateway": Contestant(f"{slow_gateway}/chat/completions", _questions("support")),
        }
        for name, contestant in contestants.items():
            count = 40 if "litellm" in name else 260
            _go(contestant, count, 8)  # warm: connections, caches, JITs of all contestants
        figures = _figures(contestants, rounds)
    return figures | _cpu_by_stage()


def _cpu_by_stage() -> dict[str, Figure]:
    """CPU milliseconds of one answer by stage, with one client, in a gateway that nobody else uses."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        ingest_demo(folder)
        upstream = _serve(stack, folder, "upstream", lambda port: _scripted(port, 0.0))
        told = folder / "stages.json"
        command = [sys.executable, "-m", "evals.bench.stages", str(told), "serve"]
        base, pid = _gateway(stack, folder, "gateway", upstream, command)
        contestant = Contestant(f"{base}/chat/completions", _questions("support"))
        count = _STREAMS[1]
        _go(contestant, 2 * count, 1)
        before = _spent(pid, told)
        _go(contestant, count, 1)
        after = _spent(pid, told)
    each = {stage: (spent - before.get(stage, 0.0)) / count for stage, spent in after.items()}
    each["total"] = sum(each.values())
    return {f"gateway.cpu_ms.{stage}": Figure(spent, n=count) for stage, spent in sorted(each.items())}


def _spent(pid: int, told: Path) -> dict[str, float]:
    """What the measured gateway has used so far."""
    told.unlink(missing_ok=True)
    os.kill(pid, signal.SIGUSR1)
    deadline = time.monotonic() + _TOLD_S
    while not told.is_file():
        if time.monotonic() > deadline:
            raise RuntimeError("the measured gateway doesn't tell what it has used")
        time.sleep(0.05)
    found: dict[str, float] = json.loads(told.read_text())
    return found


def _turns(clients: int, count: int) -> Iterator[tuple[str, int]]:
    """Who is asked by so many clients, in this order, and how often."""
    yield from ((name, count) for name in ("direct", "gateway"))
    if clients == 1:
        yield from ((name, count) for name in 2 * ("users", "experiment", "experiment", "users"))
    if clients in _LITELLM_STREAMS:
        yield "litellm", _LITELLM_STREAMS[clients]
    yield from ((name, streams[clients]) for name, streams in _WORKERS_STREAMS.items() if clients in streams)
    if clients == _FEW:
        yield from ((name, count) for name in ("bare", "forward", "bare", "forward"))


def _rounds(contestants: dict[str, Contestant], rounds: int) -> dict[tuple[str, int], list[Load]]:
    """All contestants in turns, several times."""
    loads: dict[tuple[str, int], list[Load]] = {}
    for _ in range(rounds):
        for clients, streams in _STREAMS.items():
            for name, count in _turns(clients, streams):
                _note(loads, name, clients, contestants[name], count)
        for name in ("paced", "paced-gateway"):
            # 64 people don't ask in the same millisecond: they begin over the time of one stream.
            spread_s = TOKENS * _PACED_PAUSE_S
            _note(loads, name, _PACED_CLIENTS, contestants[name], _PACED_STREAMS, spread_s)
        _note(loads, "paced-gateway", _FEW, contestants["paced-gateway"], _PACED_STREAMS // 2, spread_s)
        for name in ("paced", "paced-gateway"):
            _note(loads, f"{name}-herd", _PACED_CLIENTS, contestants[name], _PACED_CLIENTS)
    return loads


def _figures(contestants: dict[str, Contestant], rounds: int) -> dict[str, Figure]:
    loads = _rounds(contestants, rounds)
    for (name, clients), runs in loads.items():
        if not any(load.first_token_s for load in runs):
            raise RuntimeError(f"{name!r} answered none of {clients} clients: nothing can be compared")
    errors = sum(load.errors for runs in loads.values() for load in runs)

    def median(name: str, clients: int, take: Callable[[Load], float]) -> float:
        return statistics.median(take(load) for load in loads[name, clients])

    def added(name: str, q: float, clients: int = 1, base: str = "direct") -> float:
        runs = zip(loads[name, clients], loads[base, clients], strict=True)
        return statistics.median(a.percentile(q) - b.percentile(q) for a, b in runs)

    def rate(name: str, clients: int) -> float:
        return median(name, clients, lambda load: load.per_s)

    values = {
        "gateway.added_first_token_p50_s": added("gateway", 50),
        "gateway.added_first_token_p99_s": added("gateway", 99),
        **{f"gateway.requests_per_s@{clients}": rate("gateway", clients) for clients in _STREAMS},
        **{f"direct.requests_per_s@{clients}": rate("direct", clients) for clients in _STREAMS},
        "litellm.requests_per_s@8": rate("litellm", 8),
        "litellm.added_first_token_p50_s": added("litellm", 50),
        "gateway.vs_litellm.requests_per_s": rate("gateway", 8) / rate("litellm", 8),
        **{
            f"gateway.workers2.requests_per_s@{clients}": rate("workers", clients)
            for clients in _WORKERS_STREAMS["workers"]
        },
        "litellm.workers2.requests_per_s@8": rate("litellm-workers", 8),
        "gateway.workers2.vs_litellm.requests_per_s": rate("workers", 8) / rate("litellm", 8),
        "gateway.workers2.vs_litellm_workers2.requests_per_s": rate("workers", 8)
        / rate("litellm-workers", 8),
        "gateway.vs_litellm.added_p50": added("gateway", 50) / added("litellm", 50),
        "gateway.vs_litellm.added_p99": added("gateway", 99) / added("litellm", 99),
        "gateway.vs_bare.requests_per_s": rate("forward", 8) / rate("bare", 8),
        "bare.requests_per_s@8": rate("bare", 8),
        "gateway.paced64.added_first_token_p99_s": added("paced-gateway", 99, _PACED_CLIENTS, "paced"),
        # A client gets whole sentences, so that it waits for the first one's last word whatever the load: what 64 streams
        # wait longer than a few do.
        "gateway.paced64.over_paced8_first_token_p99_s": statistics.median(
            many.percentile(99) - few.percentile(99)
            for many, few in zip(
                loads["paced-gateway", _PACED_CLIENTS], loads["paced-gateway", _FEW], strict=True
            )
        ),
        "gateway.herd64.added_first_token_p99_s": added(
            "paced-gateway-herd", 99, _PACED_CLIENTS, "paced-herd"
        ),
        "gateway.experiment.p50_growth": median("experiment", 1, _first_p50) / median("users", 1, _first_p50)
        - 1,
        # Half of the turns without an experiment against the other half: what a growth of nothing looks like.
        "gateway.experiment.p50_noise": abs(
            statistics.median(load.percentile(50) for load in loads["users", 1][::2])
            / statistics.median(load.percentile(50) for load in loads["users", 1][1::2])
            - 1
        ),
        "gateway.errors": float(errors),
    }
    return {name: Figure(value, n=rounds) for name, value in values.items()}


def _first_p50(load: Load) -> float:
    return load.percentile(50)


def _note(
    loads: dict[tuple[str, int], list[Load]],
    name: str,
    clients: int,
    contestant: Contestant,
    count: int,
    spread_s: float = 0.0,
) -> None:
    loads.setdefault((name, clients), []).append(_go(contestant, count, clients, spread_s))


def _go(contestant: Contestant, count: int, clients: int, spread_s: float = 0.0) -> Load:
    requests = contestant.requests(count)
    return asyncio.run(drive(contestant.url, requests, clients, spread_s=spread_s))


def _questions(model: str) -> list[dict[str, object]]:
    """The demo's answerable questions, each a different one, as a stream."""
    return [
        {"model": model, "stream": True, "messages": [{"role": "user", "content": case.question}]}
        for case in load_cases()
        if case.answerable
    ]


def _of_users() -> list[dict[str, object]]:
    """The same, of so many people that each is new: every answer of an experiment is an exposure too."""
    asked = _questions("support")
    return [{**asked[i % len(asked)], "user": f"user-{i}"} for i in range(_USERS)]


def _scope_with_experiment(folder: Path) -> Path:
    """The demo's scope, where everybody meets one of two arms that answer alike."""
    raw = yaml.safe_load(load_settings(Settings).scope_file.read_text("utf-8"))
    plain = raw["variants"]["baseline"]
    raw["variants"]["other"] = {**plain, "sampling": {**plain["sampling"], "max_tokens": 401}}
    raw["experiments"] = {
        _EXPERIMENT: {
            "hypothesis": "They are alike.",
            "assistant": "support",
            "arms": {
                "control": {"variant": "baseline", "weight": 50},
                "treatment": {"variant": "other", "weight": 50},
            },
            "primary": "resolved_rate",
            "plan": {"effect": 0.05, "ends": (datetime.now(UTC) + timedelta(days=30)).date().isoformat()},
            "stages": ["ab"],
        }
    }
    path = folder / "experiment.yaml"
    path.write_text(yaml.safe_dump(raw, sort_keys=False))
    return path


def _prompts(model: str) -> list[dict[str, object]]:
    return [
        {"model": model, "stream": True, "prompt": case.question, "max_tokens": 100} for case in load_cases()
    ]


def _serve(stack: ExitStack, folder: Path, name: str, command: Callable[[int], list[str]]) -> str:
    port = free_port()
    base = f"http://127.0.0.1:{port}/v1"
    stack.enter_context(serving(command(port), f"{base}/models", log=folder / f"{name}.log"))
    return base


def _scripted(port: int, pause_s: float) -> list[str]:
    module = "evals.bench.upstream"
    return [sys.executable, "-m", module, "scripted", f"--port={port}", f"--pause={pause_s}"]


def _relay(port: int, upstream: str) -> list[str]:
    module = "evals.bench.upstream"
    return [sys.executable, "-m", module, "relay", f"--port={port}", f"--upstream={upstream}"]


def ingest_demo(folder: Path) -> None:
    """The demo, into a folder of its own."""
    env = {**os.environ, "TOUCHSTONE_DATA_DIR": str(folder / "var")}  # noqa: TID251
    subprocess.run([sys.executable, "-m", "ingestion", "run"], env=env, check=True, stdout=subprocess.DEVNULL)


def _gateway(
    stack: ExitStack,
    folder: Path,
    name: str,
    upstream: str,
    command: Sequence[str] = _SERVE,
    scope: Path | None = None,
) -> tuple[str, int]:
    """Our gateway as `make run` starts it, with the scope's relevance floor and all guards: its base URL and process id."""
    port = free_port()
    base = f"http://127.0.0.1:{port}"
    command = [*command, f"--port={port}"]
    env = {
        "TOUCHSTONE_DATA_DIR": str(folder / "var"),
        "TOUCHSTONE_GENERATOR_URL": upstream,
        "TOUCHSTONE_DATABASE_URL": f"sqlite:///{folder / name}.db",
    }
    if scope is not None:
        env |= {"TOUCHSTONE_SCOPE_FILE": str(scope)}
        start = [sys.executable, "-m", "service", "experiments", "start", _EXPERIMENT, "--reason", "measured"]
        subprocess.run(start, env={**os.environ, **env}, check=True, stdout=subprocess.DEVNULL)  # noqa: TID251
    pid = stack.enter_context(serving(command, f"{base}/readyz", log=folder / f"{name}.log", env=env))
    return f"{base}/v1", pid


def _litellm(stack: ExitStack, folder: Path, upstream: str, workers: int = 1) -> str:
    python = peer_environment(PEERS / "litellm", [LITELLM])
    config = folder / "litellm.yaml"
    config.write_text(
        "model_list:\n  - model_name: scripted\n    litellm_params:\n"
        f"      model: openai/scripted\n      api_base: {upstream}\n      api_key: none\n"
        "general_settings:\n  master_key: sk-bench\n"
    )
    port = free_port()
    command = [str(python.parent / "litellm"), "--config", str(config), "--port", str(port)]
    command += ["--host", "127.0.0.1", "--telemetry", "False", "--num_workers", str(workers)]
    base = f"http://127.0.0.1:{port}"
    env = {"LITELLM_LOG": "ERROR", "LITELLM_LOCAL_MODEL_COST_MAP": "True"}
    url = f"{base}/health/liveliness"
    stack.enter_context(serving(command, url, log=folder / "litellm.log", env=env))
    return f"{base}/v1"
