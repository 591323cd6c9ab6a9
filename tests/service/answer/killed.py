"""Processes that acknowledge answers and feedback until they are killed: one a line of standard input, forked from this one.

Each tells its process id, then the id of what it acknowledged, a line each. Run as `python -m tests.service.answer.killed`.
"""

import asyncio
import os
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from functools import partial
from itertools import count
from pathlib import Path

from service.answer.record import AnswerLog, insert_rows
from service.answer.spill import Spill
from service.database import migrate, open_database
from service.feedback.record import bound, write
from service.feedback.writer import FeedbackWriter
from service.ids import uuid7
from tests.service.feedback.samples import an_event

CLIENTS = 4
TEXTS = "request_id conversation_id caller assistant variant outcome finish_reason question answer collection"
MORE = "release_id release_digest prompt_digest generator scope_digest"


def row(answer_id: str) -> dict[str, object]:
    """A row of the answer log."""
    texts = dict.fromkeys(f"{TEXTS} {MORE}".split(), "x")
    lists = {"citations": [], "verdicts": [], "timings": {}}
    counts = {"prompt_tokens": 1, "completion_tokens": 1, "degraded": False}
    nothing = dict.fromkeys(("subject", "experiment", "reason", "adapter"))
    return {"id": answer_id, "created_at": datetime.now(UTC), **texts, **lists, **counts, **nothing}


async def acknowledge(folder: Path) -> None:
    """Keep answers and feedback, and tell what was kept."""
    engine = open_database(f"sqlite:///{folder / 'db'}")
    migrate(engine)
    with ThreadPoolExecutor(1) as database, ThreadPoolExecutor(1) as disk, ThreadPoolExecutor(1) as events:
        spill = Spill(folder / "spill")
        log = AnswerLog(partial(insert_rows, engine), database=database, disk=disk, spill=spill)
        log.start()

        async def ask() -> None:
            for _ in count():
                answer_id = uuid7()
                await log.add(row(answer_id))
                tell(f"kept {answer_id}")

        writer = FeedbackWriter(partial(write, engine), events)
        writer.start()

        async def rate() -> None:
            for _ in count():
                event = an_event(idempotency_key=bound("c", uuid7()))
                kept, again = await asyncio.gather(writer.add(event), writer.add(event))
                tell(f"kept {kept.event_id}")
                tell(f"kept {again.event_id}")

        await asyncio.gather(*(ask() for _ in range(CLIENTS)), *(rate() for _ in range(CLIENTS)))


def tell(what: object) -> None:
    """One write, so that no line is half there."""
    os.write(1, f"{what}\n".encode())


def main() -> None:
    """Fork a process for each line, and wait until it is killed."""
    for _ in sys.stdin:
        child = os.fork()
        if child == 0:
            asyncio.run(acknowledge(Path(sys.argv[1])))
        tell(f"process {child}")
        os.waitpid(child, 0)
        tell("gone")


if __name__ == "__main__":
    main()
