"""Processes that note exposures and answers until they are killed: one a line of standard input, forked from this one.

Each tells its process id, then the unit and the answer of what it acknowledged. Run as
`python -m tests.service.experiments.exposing FOLDER DATABASE_URL UNITS`.
"""

import asyncio
import os
import random
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from service.answer.record import AnswerLog, insert_rows
from service.answer.spill import Spill
from service.database import open_database
from service.experiments.book import Assignment
from service.experiments.expose import Exposures
from service.ids import uuid7
from tests.service.experiments.population import a_row

CLIENTS, EPOCHS = 16, 3


def assigned(unit: int, epoch: int) -> Assignment:
    """An arm as the hash would give it: the same in every process."""
    arm = "control" if unit % 2 else "treatment"
    return Assignment(f"s:{unit}", "ab", "killed", arm, epoch, "baseline", "0" * 16, 0.5)


async def expose(folder: Path, url: str, units: int) -> None:
    engine, chance = open_database(url), random.Random(os.getpid())
    with ThreadPoolExecutor(1) as database, ThreadPoolExecutor(1) as disk:
        log = AnswerLog(
            partial(insert_rows, engine), database=database, disk=disk, spill=Spill(folder / "spill")
        )
        log.start()
        exposures = Exposures(log.add, "exposures")

        async def ask() -> None:
            while True:
                found = assigned(chance.randrange(units), chance.randrange(EPOCHS))
                answer_id, now = uuid7(), datetime.now(UTC)
                noted = exposures.note(found, answer_id=answer_id, caller="c", now=now)
                if noted is not None:
                    await noted
                told = {"experiment": "killed", "arm": found.arm, "epoch": found.epoch, "unit": found.unit}
                await log.add(a_row(id=answer_id, created_at=now, stage="ab", **told))
                os.write(1, f"kept {found.unit} {found.epoch} {answer_id}\n".encode())

        await asyncio.gather(*(ask() for _ in range(CLIENTS)))


def main() -> None:
    """Fork a process for each line, and wait until it is killed."""
    for _ in sys.stdin:
        child = os.fork()
        if child == 0:
            asyncio.run(expose(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])))
        os.write(1, f"process {child}\n".encode())
        os.waitpid(child, 0)
        os.write(1, b"gone\n")


if __name__ == "__main__":
    main()
