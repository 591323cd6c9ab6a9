"""A server of our own is there for as long as it is needed, and no longer."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from finetune.lora.served import served
from finetune.yaml_file import TrainingDataError
from tests.conftest import ROOT

# Answers as vLLM does when it is asked for its models, and says which process it is.
SERVER = """#!{python}
import os, pathlib, sys
from http.server import BaseHTTPRequestHandler, HTTPServer
class Models(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(os.environ["MODEL"].encode())
    def log_message(self, *_):
        pass
pathlib.Path({pid!r}).write_text(str(os.getpid()))
HTTPServer(("127.0.0.1", int(os.environ["VLLM_PORT"])), Models).serve_forever()
"""
OWNER = """
import sys, time
from pathlib import Path
from finetune.lora.served import served
with served(Path("model"), Path(sys.argv[1]), command=Path(sys.argv[2])):
    print("served", flush=True)
    time.sleep(60)
"""


def command_in(folder: Path, text: str) -> Path:
    path = folder / "serve"
    path.write_text(text)
    path.chmod(0o755)
    return path


def is_running(pid: int) -> bool:
    """Whether there is such a process that isn't only waiting to be read."""
    try:
        return ") Z " not in Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False


def gone(pid: int) -> bool:
    for _ in range(200):
        if not is_running(pid):
            return True
        time.sleep(0.05)
    return False


def test_it_serves_within_the_block(tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    command = command_in(tmp_path, SERVER.format(python=sys.executable, pid=str(pid)))
    with served(Path("model"), tmp_path / "log", command=command) as url:
        assert url.startswith("http://127.0.0.1:")
        assert is_running(int(pid.read_text()))
    assert gone(int(pid.read_text()))


@pytest.mark.skipif(
    sys.platform != "linux", reason="elsewhere no process can ask to be told of its parent's end"
)
@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_it_ends_with_a_process_that_is_killed(tmp_path: Path, how: signal.Signals) -> None:
    pid = tmp_path / "pid"
    command = command_in(tmp_path, SERVER.format(python=sys.executable, pid=str(pid)))
    arguments = [sys.executable, "-c", OWNER, str(tmp_path / "log"), str(command)]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True, cwd=ROOT) as owner:
        assert owner.stdout is not None
        assert owner.stdout.readline() == "served\n"
        os.kill(owner.pid, how)
        owner.wait(10)
    assert gone(int(pid.read_text()))


def test_a_server_that_does_not_come_up_is_told_with_its_last_words(tmp_path: Path) -> None:
    command = command_in(tmp_path, "#!/bin/sh\necho 'no such model'\nexit 3\n")
    with (
        pytest.raises(TrainingDataError, match="ended with 3 before it served: no such model"),
        served(Path("model"), tmp_path / "log", command=command),
    ):
        pass
    with (
        pytest.raises(TrainingDataError, match="isn't there, which starts a vLLM"),
        served(Path("model"), tmp_path / "log", command=tmp_path / "none"),
    ):
        pass
