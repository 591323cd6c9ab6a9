"""Metrics of several workers: what is gone no longer counts as being at work."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

_COUNT = """
import asyncio
from service.metrics import ANSWERS, IN_FLIGHT, RELEASE
from service.routes.health import metrics
IN_FLIGHT.inc()
ANSWERS.labels("support", "baseline", "answered").inc()
RELEASE.labels("help").set({release})
print(bytes(asyncio.run(metrics()).body).decode())
"""


def run_worker(folder: Path, release: int) -> list[str]:
    """A worker that has one request in flight, shows its metrics, and dies."""
    done = subprocess.run(
        [sys.executable, "-c", _COUNT.format(release=release)],
        env={**os.environ, "PROMETHEUS_MULTIPROC_DIR": str(folder)},  # noqa: TID251
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.splitlines()


@pytest.mark.slow
def test_gauges_of_workers_that_died_are_not_counted_and_counters_are(tmp_path: Path) -> None:
    run_worker(tmp_path, 7)
    shown = run_worker(tmp_path, 3)
    assert "touchstone_requests_in_flight 1.0" in shown
    assert 'touchstone_release_number{collection="help"} 3.0' in shown
    answered = 'touchstone_answers_total{assistant="support",outcome="answered",variant="baseline"} 2.0'
    assert answered in shown
