"""An acknowledged answer ends in the database exactly once, whatever fails on the way."""

import asyncio
import random
import shutil
import sqlite3
import threading
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import orjson
import pytest
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from service.answer.record import AnswerLog, insert_answers
from service.answer.spill import Row, Spill, read_rows
from service.database import migrate, open_database
from tests.conftest import Demo, StartGateway, wait_until
from tests.service.conftest import open_file

QUESTION = "How many recovery codes do I get?"

NOW = datetime.now(UTC)


class Database:
    """Takes each id once, as the table does; fails, or waits within a write, as it is told."""

    def __init__(self) -> None:
        self.rows: Counter[str] = Counter()
        self.is_away = False
        self.gate = threading.Event()
        self.gate.set()
        self.is_writing = threading.Event()

    def write(self, rows: Sequence[Row]) -> None:
        self.is_writing.set()
        self.gate.wait(60)
        if self.is_away:
            raise OperationalError("insert", {}, Exception("away"))
        for row in rows:
            self.rows[row["id"]] = 1


def row(number: int) -> Row:
    return {"id": f"answer-{number}", "created_at": NOW}


async def settled(log: AnswerLog, database: Database) -> None:
    """The database is there: everything is written, as the log does it by itself."""
    database.is_away = False
    while log._waiting:
        assert await log._batch()
    assert await log._recover()


class Walk:
    """A log that is used at random: steps by name."""

    def __init__(self, seed: int, folder: Path, executor: ThreadPoolExecutor) -> None:
        self.chance = random.Random(seed)
        self.folder, self.executor = folder, executor
        self.database = Database()
        self.added = 0
        self.log = self.start()

    def start(self) -> AnswerLog:
        spill = Spill(self.folder / "spill")
        return AnswerLog(self.database.write, self.executor, spill, most=self.chance.choice((3, 7, 20)))

    async def add(self, most: int = 6) -> None:
        for _ in range(self.chance.randint(1, most)):
            self.log.add(row(self.added))
            self.added += 1

    async def write(self) -> None:
        await self.log._batch()

    async def write_while_adding(self) -> None:
        self.database.gate.clear()
        writing = asyncio.create_task(self.log._batch())
        await asyncio.sleep(0)
        await self.add(30)
        if self.chance.random() < 0.3:
            writing.cancel()
        self.database.gate.set()
        await asyncio.gather(writing, return_exceptions=True)

    async def recover(self) -> None:
        await self.log._recover()

    async def restart(self) -> None:
        await self.log.close()
        self.log = self.start()

    async def away(self) -> None:
        self.database.is_away = True

    async def back(self) -> None:
        self.database.is_away = False


STEPS = (
    Walk.add,
    Walk.add,
    Walk.write,
    Walk.write_while_adding,
    Walk.recover,
    Walk.restart,
    Walk.away,
    Walk.back,
)


@pytest.mark.parametrize("seed", range(40))
async def test_every_answer_ends_in_the_database(seed: int, tmp_path: Path) -> None:
    with ThreadPoolExecutor(1) as executor:
        walk = Walk(seed, tmp_path, executor)
        for _ in range(60):
            await walk.chance.choice(STEPS)(walk)
        await settled(walk.log, walk.database)
    assert sorted(walk.database.rows) == sorted(row(n)["id"] for n in range(walk.added))
    assert Spill(tmp_path / "spill").files() == []


async def test_rows_in_flight_are_not_dropped_when_waiting_ones_are_spilled(tmp_path: Path) -> None:
    database = Database()
    database.gate.clear()
    with ThreadPoolExecutor(1) as executor:
        log = AnswerLog(database.write, executor, Spill(tmp_path / "spill"), most=4)
        for number in range(4):
            log.add(row(number))
        writing = asyncio.create_task(log._batch())
        await asyncio.to_thread(database.is_writing.wait, 60)
        for number in range(4, 10):
            log.add(row(number))
        database.gate.set()
        assert await writing
        await settled(log, database)
    assert len(database.rows) == 10


async def test_rows_that_are_spilled_while_others_are_recovered_are_written_too(tmp_path: Path) -> None:
    database, spill = Database(), Spill(tmp_path / "spill")
    spill.put([row(0)])
    database.gate.clear()
    with ThreadPoolExecutor(1) as executor:
        log = AnswerLog(database.write, executor, spill, most=4)
        log.start()
        await asyncio.to_thread(database.is_writing.wait, 60)
        for number in range(1, 6):
            log.add(row(number))
        database.gate.set()
        async with asyncio.timeout(60):
            while len(database.rows) < 6:
                await asyncio.sleep(0.01)
        await log.close()
    assert spill.files() == []


def test_two_processes_share_a_folder_and_neither_takes_what_the_other_writes(tmp_path: Path) -> None:
    one, other = Spill(tmp_path / "spill"), Spill(tmp_path / "spill")
    one.put([row(1)])
    other.put([row(2)])
    assert len(one.files()) == 2
    taken: list[str] = []

    def write(rows: Sequence[Row]) -> None:
        # While this process writes a file's rows, the other one leaves that file alone.
        other.drain(lambda rest: taken.extend(f"other:{one['id']}" for one in rest))
        taken.extend(f"one:{each['id']}" for each in rows)

    one.drain(write)
    assert sorted(name.split(":")[1] for name in taken) == ["answer-1", "answer-2"]
    assert one.files() == []


def test_rows_that_the_database_did_not_take_stay(tmp_path: Path) -> None:
    spill = Spill(tmp_path / "spill")
    spill.put([row(1)])

    def refuse(rows: Sequence[Row]) -> None:
        raise OperationalError("insert", {}, Exception("away"))

    with pytest.raises(OperationalError):
        spill.drain(refuse)
    assert len(spill.files()) == 1


def test_a_full_disk_leaves_no_part_of_a_file(tmp_path: Path) -> None:
    spill = Spill(tmp_path / "spill")
    with pytest.raises(TypeError):
        spill.put([row(1), {"id": object()}])
    assert list(tmp_path.iterdir()) == []


def test_a_spill_file_of_a_crashed_process_is_read_and_half_lines_are_passed_over(tmp_path: Path) -> None:
    names = "id request_id conversation_id caller assistant variant outcome finish_reason question answer"
    row = {name: name for name in names.split()}
    row |= {name: "x" for name in ("collection", "release_id", "release_digest", "prompt_digest")}
    row |= {"generator": "x", "scope_digest": "x", "created_at": "2026-01-01T00:00:00+00:00"}
    more = {"citations": [], "verdicts": [], "timings": {}, "prompt_tokens": 1, "completion_tokens": 1}
    nothing = dict.fromkeys(("subject", "experiment", "reason", "adapter"))
    line = orjson.dumps({**row, **more, **nothing, "degraded": False})
    spill = tmp_path / "spill"
    spill.write_bytes(line + b"\n" + line[:40])
    rows = read_rows(spill.read_bytes())
    engine = open_database(f"sqlite:///{tmp_path}/db")
    migrate(engine)
    insert_answers(engine, rows)
    insert_answers(engine, rows)
    with engine.connect() as connection:
        assert connection.execute(text("select count(*) from answers")).scalar() == 1
    engine.dispose()


def test_a_spill_file_is_written_into_the_database_at_the_next_start(
    start_gateway: StartGateway, demo: Demo, tmp_path: Path
) -> None:
    data_dir = tmp_path / "data"
    shutil.copytree(demo.data_dir / "collections", data_dir / "collections")
    with start_gateway(data_dir=data_dir) as gateway:
        first = gateway.ask(QUESTION).json()["rag"]["answer_id"]
    path = gateway.settings.database().removeprefix("sqlite:///")
    with closing(sqlite3.connect(path)) as db:
        db.row_factory = sqlite3.Row
        row = dict(db.execute("select * from answers").fetchone())
    for name in ("citations", "verdicts", "timings"):
        row[name] = orjson.loads(row[name])
    row |= {"id": first.replace(first[:4], "ffff", 1), "degraded": False}
    wrong = row | {"id": "wrong"}  # its time has no zone, which the table refuses
    row["created_at"] += "+00:00"
    spill = data_dir / "answer-log-spill.12345"
    spill.write_bytes(orjson.dumps(wrong) + b"\n" + orjson.dumps(row) + b"\n")
    with start_gateway(data_dir=data_dir) as gateway:
        wait_until(lambda: open_file(gateway).count('INSERT INTO "answers"') == 2)
        wait_until(lambda: not spill.exists())
