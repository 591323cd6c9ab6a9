"""What it costs that an answer is on the disk before its end is told: the seconds that each waits for the flush."""

import asyncio
import statistics
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from evals.metrics import Figure
from service.answer.record import AnswerLog, insert_rows
from service.answer.rows import Row
from service.answer.spill import SPILL, Spill
from service.database import migrate, open_database
from service.ids import uuid7
from service.tables import Answer

_CLIENTS = (1, 8, 32)
_ANSWERS, _QUICK_ANSWERS = 1_000, 100
_TEXT = "The answer of a customer's question has about this many words. " * 20


def measure(*, data: Path | None, is_quick: bool) -> dict[str, Figure]:
    """`journal.added_{p50,p99}_s@N` for N clients that answer as fast as they can, and answers a second."""
    count = _QUICK_ANSWERS if is_quick else _ANSWERS
    figures: dict[str, Figure] = {}
    for clients in _CLIENTS:
        with tempfile.TemporaryDirectory() as folder:
            started = time.perf_counter()
            times = asyncio.run(_kept(Path(folder), clients, count))
            took = time.perf_counter() - started
        centiles = statistics.quantiles(times, n=100)
        figures[f"journal.added_p50_s@{clients}"] = Figure(centiles[49], n=len(times))
        figures[f"journal.added_p99_s@{clients}"] = Figure(centiles[98], n=len(times))
        figures[f"journal.answers_per_s@{clients}"] = Figure(len(times) / took, n=len(times))
    return figures


async def _kept(folder: Path, clients: int, count: int) -> Sequence[float]:
    """Seconds until each of `count` answers was durable, while the database takes them too."""
    engine = open_database(f"sqlite:///{folder / 'db'}")
    migrate(engine)
    times: list[float] = []
    with ThreadPoolExecutor(1) as database, ThreadPoolExecutor(1) as disk:
        write = partial(insert_rows, engine)
        log = AnswerLog(write, database=database, disk=disk, spill=Spill(folder / SPILL))
        log.start()

        async def answer() -> None:
            for _ in range(count // clients):
                row = _row()
                started = time.perf_counter()
                await log.add(row)
                times.append(time.perf_counter() - started)

        await asyncio.gather(*(answer() for _ in range(clients)))
        await log.close()
    engine.dispose()
    return times


def _row() -> Row:
    """A row of about the size that an answer's has."""
    row: Row = {column.name: "x" for column in Answer.__table__.columns}
    row |= {"id": uuid7(), "created_at": datetime.now(UTC), "degraded": False, "answer": _TEXT}
    row |= {"prompt_tokens": 800, "completion_tokens": 90, "timings": {"total_s": 1.5}, "verdicts": []}
    return {**row, "citations": [{"chunk_id": "x", "quote": _TEXT[:300]}] * 4}
