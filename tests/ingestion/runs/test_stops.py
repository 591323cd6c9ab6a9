"""A run that is told to stop: it ends in words and at once, leaves nothing behind, and the next one goes on."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from ingestion.releases.release import active_id, collection_folder, open_active, releases, verify
from ingestion.signals import ToldToStop, stoppable
from tests.conftest import ROOT, wait_until
from tests.ingestion.runs.test_kills import SCOPE, finished, searchable, start, write_docs

STOP_S = 12.0


def processes_of(session: int) -> list[int]:
    """Processes that live, of the session that a command began."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            state, *numbers = (entry / "stat").read_text().rpartition(")")[2].split()[:4]
        except (OSError, ValueError):
            continue
        if entry.name.isdecimal() and int(numbers[2]) == session and state != "Z":
            found.append(int(entry.name))
    return found


def to_the_process(process: subprocess.Popen[bytes], number: int) -> None:
    process.send_signal(number)


def to_everybody(process: subprocess.Popen[bytes], number: int) -> None:
    os.killpg(process.pid, number)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("number", "send", "status"),
    [
        (signal.SIGTERM, to_the_process, 143),
        (signal.SIGTERM, to_everybody, 143),  # as systemd does
        (signal.SIGINT, to_everybody, 130),  # as a terminal does
    ],
)
def test_a_run_that_is_told_to_stop_ends_in_words_and_the_next_one_completes(
    number: signal.Signals,
    send: Callable[[subprocess.Popen[bytes], int], None],
    status: int,
    tmp_path: Path,
) -> None:
    (tmp_path / "scope.yaml").write_text(SCOPE)
    docs, log, folder = tmp_path / "docs", tmp_path / "log", collection_folder(tmp_path / "data", "c")
    write_docs(docs, 4)
    assert start(tmp_path, log).wait() == 0, log.read_text()[-2000:]
    before = active_id(folder)
    write_docs(docs, 160)
    log.unlink()
    process = start(tmp_path, log)
    wait_until(lambda: process.poll() is not None or finished(folder) > 40)
    send(process, number)
    begun = time.monotonic()
    assert process.wait(STOP_S) == status, log.read_text()[-2000:]
    assert time.monotonic() - begun < STOP_S
    said = log.read_text().splitlines()[-1]
    assert said.startswith(f"stopped by {number.name}: the active release is whole")
    assert "Traceback" not in log.read_text()
    wait_until(lambda: not processes_of(process.pid), seconds=5)
    assert active_id(folder) == before
    searchable(open_active(folder))
    log.unlink()
    assert start(tmp_path, log).wait() == 0, log.read_text()[-2000:]
    report = json.loads(log.read_text().splitlines()[-1])
    assert (report["resumed"], report["documents"], report["failures"]) == (True, 160, {})
    assert all(verify(folder / "releases" / one.id) == [] for one in releases(folder))


def test_a_signal_is_raised_where_nothing_else_catches_it_and_old_handlers_come_back() -> None:
    before = signal.getsignal(signal.SIGTERM)

    def work() -> None:
        with stoppable():
            try:
                signal.raise_signal(signal.SIGTERM)
            except Exception:  # noqa: BLE001 - the claim
                pytest.fail("work may not catch it")

    # What ends a hanging command must not end this one.
    timer = "import ingestion.signals as s; s._GRACE_S = 0.2\n"
    hang = (
        "import signal, time\nwith s.stoppable():\n try: signal.raise_signal(15)\n finally: time.sleep(60)\n"
    )
    done = subprocess.run([sys.executable, "-c", timer + hang], cwd=ROOT, timeout=30)
    assert done.returncode == 143
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("ingestion.signals.threading.Timer", _Never)
        with pytest.raises(ToldToStop) as raised:
            work()
    assert raised.value.status == 143
    assert signal.getsignal(signal.SIGTERM) is before


class _Never:
    daemon = False

    def __init__(self, *_: object) -> None:
        pass

    def start(self) -> None:
        pass
