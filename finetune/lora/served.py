"""A vLLM of our own for as long as something is measured: a folder in, a base URL out."""

import ctypes
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from finetune.yaml_file import TrainingDataError

SERVE = Path("deploy/vllm/serve")
_START_S = 600.0
_END_S = 30.0
# From linux/prctl.h.
_PR_SET_PDEATHSIG = 1


@contextmanager
def served(model: Path, log: Path, options: Sequence[str] = (), *, command: Path = SERVE) -> Iterator[str]:
    """The base URL of a server for a model's folder, which ends with the block; what it says goes to `log`.

    Raises `TrainingDataError` where the command is not there or the server doesn't come up.
    """
    if not command.is_file():
        raise TrainingDataError(
            f"{str(command)!r} isn't there, which starts a vLLM. Run this in the folder of the repository."
        )
    port = _free_port()
    # All processors: by itself vLLM keeps one free for a gateway, which has nothing to do now.
    processors = {"VLLM_CPU_OMP_THREADS_BIND": _processors()} if _processors() else {}
    env = {**processors, **os.environ, "VLLM_PORT": str(port), "MODEL": str(model)}  # noqa: TID251
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as output:
        process = subprocess.Popen(
            [str(command), *options],
            stdout=output,
            stderr=output,
            env=env,
            start_new_session=True,
            preexec_fn=_end_with_parent if sys.platform == "linux" else None,
        )
    try:
        url = f"http://127.0.0.1:{port}/v1"
        _wait(process, url, log)
        yield url
    finally:
        _end(process)


def _processors() -> str:
    """The processors that this process may use, as vLLM wants them named; empty where they are no range."""
    mine = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
    is_range = bool(mine) and mine == list(range(mine[0], mine[-1] + 1))
    return f"{mine[0]}-{mine[-1]}" if is_range and len(mine) > 1 else ""


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait(process: "subprocess.Popen[bytes]", url: str, log: Path) -> None:
    deadline = time.monotonic() + _START_S
    while time.monotonic() < deadline:
        if process.poll() is not None:
            last = (log.read_text(errors="replace").strip().splitlines() or ["it said nothing"])[-1]
            raise TrainingDataError(
                f"vLLM ended with {process.returncode} before it served: {last}. See {log}."
            )
        try:
            urllib.request.urlopen(f"{url}/models", timeout=2).close()
        except (OSError, urllib.error.URLError):
            time.sleep(0.5)
        else:
            return
    raise TrainingDataError(f"vLLM doesn't serve after {_START_S:.0f} s. See {log}.")


def _end_with_parent() -> None:
    """The server ends also when this process is killed and can't end it."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def _end(process: "subprocess.Popen[bytes]") -> None:
    """The engine's processes too: they share a session."""
    for number, patience_s in ((signal.SIGTERM, _END_S), (signal.SIGKILL, None)):
        with suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with suppress(subprocess.TimeoutExpired):
            process.wait(patience_s)
            break
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
