"""How long a busy installation's analysts wait: a thousand experiments and a million answers, on SQLite and PostgreSQL."""

import json
import statistics
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

from evals.bench.experiments_rows import END, LARGEST, Volume, write
from evals.bench.postgres import binaries, postgres
from evals.bench.servers import gateway
from evals.metrics import Figure
from service.database import migrate, open_database

_QUICK = Volume(experiments=20, answers=20_000)
_ROUNDS = 3
_PATIENCE_S = 120.0


def measure(*, data: Path | None, is_quick: bool) -> dict[str, Figure]:
    """`experiments.{sqlite,postgres}.{list_s,report_s}`: medians of three over HTTP, the report of the largest experiment.

    No report is asked for twice, so that none comes from memory. PostgreSQL is left out where it isn't installed.
    """
    volume = _QUICK if is_quick else Volume()
    figures: dict[str, Figure] = {}
    for name in ("sqlite", "postgres"):
        with tempfile.TemporaryDirectory() as folder, _database(name, Path(folder)) as url:
            if url is not None:
                figures |= _measured(name, url, Path(folder), volume)
    return figures


@contextmanager
def _database(name: str, folder: Path) -> Iterator[str | None]:
    programs = binaries()
    if name == "sqlite":
        yield f"sqlite:///{folder / 'scale.db'}"
    elif programs is None:
        yield None
    else:
        with postgres(programs) as url:
            yield url


def _measured(name: str, url: str, folder: Path, volume: Volume) -> dict[str, Figure]:
    engine = open_database(url)
    migrate(engine)
    write(engine, volume)
    engine.dispose()
    with gateway(folder, url) as (base, _):
        listed = [_seconds(f"{base}/v1/experiments", volume.experiments) for _ in range(_ROUNDS)]
        moments = [END - timedelta(minutes=number) for number in range(_ROUNDS)]
        reports = [
            _seconds(f"{base}/v1/experiments/{LARGEST}/results?as_of={one:%Y-%m-%dT%H:%M:%SZ}")
            for one in moments
        ]
    return {
        f"experiments.{name}.list_s": Figure(statistics.median(listed), n=volume.experiments),
        f"experiments.{name}.report_s": Figure(
            statistics.median(reports), n=round(volume.answers * volume.largest)
        ),
    }


def _seconds(url: str, experiments: int | None = None) -> float:
    """Until the whole reply is there. Raises `RuntimeError` for a list that misses some."""
    started = time.perf_counter()
    with urllib.request.urlopen(url, timeout=_PATIENCE_S) as reply:
        body = reply.read()
    took = time.perf_counter() - started
    if experiments is not None and len(json.loads(body)["data"]) != experiments:
        raise RuntimeError(
            f"{url} lists {len(json.loads(body)['data'])} experiments instead of {experiments}."
        )
    return took
