"""An acknowledged answer ends in the database exactly once, whatever fails on the way."""

import asyncio
import os
import random
import shutil
import sqlite3
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import orjson
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from service.answer.journal import Journal
from service.answer.record import AnswerLog, insert_rows
from service.answer.rows import Row, storable
from service.answer.spill import REFUSED, Spill, read_rows
from service.database import migrate, open_database
from service.errors import NotReadyError
from service.metrics import LOG_REFUSED
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
    await log.keep()
    assert await log.store()
    assert await log.recover()


class Walk:
    """A log that is used at random: steps by name. `acknowledged` are the answers whose end was told."""

    def __init__(
        self, seed: int, folder: Path, threads: tuple[ThreadPoolExecutor, ThreadPoolExecutor]
    ) -> None:
        self.chance = random.Random(seed)
        self.folder, self.threads = folder, threads
        self.database = Database()
        self.added: list[asyncio.Future[None]] = []
        self.log = self.start()

    def start(self) -> AnswerLog:
        database, disk = self.threads
        return AnswerLog(
            self.database.write, database=database, disk=disk, spill=Spill(self.folder / "spill")
        )

    async def add(self, most: int = 6) -> None:
        for _ in range(self.chance.randint(1, most)):
            self.added.append(self.log.add(row(len(self.added))))

    async def keep(self) -> None:
        await self.log.keep()

    async def write(self) -> None:
        await self.log.keep()
        await self.log.store()

    async def write_while_adding(self) -> None:
        self.database.gate.clear()
        writing = asyncio.create_task(self.log.store())
        await asyncio.sleep(0)
        await self.add(30)
        await self.log.keep()
        self.database.gate.set()
        await writing

    async def recover(self) -> None:
        await self.log.recover()

    async def restart(self) -> None:
        await self.log.close()
        self.log = self.start()

    async def killed(self) -> None:
        """The process dies: what it had in memory is gone, and so are its locks."""
        sealed = await self.log._in(self.threads[1], self.log._journal.seal)
        if sealed:
            sealed.release()
        self.log = self.start()

    async def away(self) -> None:
        self.database.is_away = True

    async def back(self) -> None:
        self.database.is_away = False

    def acknowledged(self) -> list[str]:
        return [
            row(n)["id"]
            for n, kept in enumerate(self.added)
            if kept.done() and not kept.cancelled() and not kept.exception()
        ]


STEPS = (
    Walk.add,
    Walk.add,
    Walk.keep,
    Walk.write,
    Walk.write_while_adding,
    Walk.recover,
    Walk.restart,
    Walk.killed,
    Walk.away,
    Walk.back,
)


@pytest.fixture
def threads() -> Iterator[tuple[ThreadPoolExecutor, ThreadPoolExecutor]]:
    with ThreadPoolExecutor(1) as database, ThreadPoolExecutor(1) as disk:
        yield database, disk


Threads = tuple[ThreadPoolExecutor, ThreadPoolExecutor]


@pytest.mark.parametrize("seed", range(40))
async def test_every_acknowledged_answer_ends_in_the_database(
    seed: int, tmp_path: Path, threads: Threads
) -> None:
    walk = Walk(seed, tmp_path, threads)
    for _ in range(60):
        await walk.chance.choice(STEPS)(walk)
    walk.log._has_spilled = True
    await settled(walk.log, walk.database)
    assert len(walk.acknowledged()) > 20
    assert set(walk.acknowledged()) <= set(walk.database.rows)
    await walk.log.close()
    assert Spill(tmp_path / "spill").files() == []


def log_of(database: Database, folder: Path, threads: Threads) -> AnswerLog:
    return AnswerLog(database.write, database=threads[0], disk=threads[1], spill=Spill(folder / "spill"))


async def test_an_answer_is_on_the_disk_when_it_is_acknowledged(tmp_path: Path, threads: Threads) -> None:
    database = Database()
    database.gate.clear()
    log = log_of(database, tmp_path, threads)
    log.start()
    await asyncio.gather(*(log.add(row(number)) for number in range(9)))
    lines = b"".join(path.read_bytes() for path in Spill(tmp_path / "spill").files())
    assert [one["id"] for one in read_rows(lines)] == [row(number)["id"] for number in range(9)]
    database.gate.set()
    await log.close()
    assert len(database.rows) == 9


async def test_rows_that_are_kept_while_others_are_recovered_are_written_too(
    tmp_path: Path, threads: Threads
) -> None:
    database, spill = Database(), Spill(tmp_path / "spill")
    (tmp_path / "spill.1").write_bytes(orjson.dumps(row(0)) + b"\n")
    database.gate.clear()
    log = log_of(database, tmp_path, threads)
    log.start()
    await asyncio.to_thread(database.is_writing.wait, 60)
    kept = [log.add(row(number)) for number in range(1, 6)]
    await asyncio.gather(*kept)
    database.gate.set()
    async with asyncio.timeout(60):
        while len(database.rows) < 6:
            await asyncio.sleep(0.01)
    await log.close()
    assert spill.files() == []


async def test_a_disk_that_is_full_leaves_the_answer_to_the_database(
    tmp_path: Path, threads: Threads
) -> None:
    database, folder = Database(), tmp_path / "file"
    folder.write_text("in the way")  # no folder can be made here
    log = log_of(database, folder, threads)
    kept = log.add(row(1))
    await log.keep()
    assert not kept.done()
    assert await log.store()
    await kept
    assert list(database.rows) == [row(1)["id"]]


async def test_a_row_that_the_journal_cannot_write_holds_up_no_later_answer(
    tmp_path: Path, threads: Threads
) -> None:
    class Odd(datetime):
        """A kind of value that JSON has no form for."""

    database = Database()
    log = log_of(database, tmp_path, threads)
    log.start()
    first = log.add({**row(1), "created_at": Odd.now(UTC)})
    await asyncio.wait_for(first, 30)
    await asyncio.wait_for(log.add(row(2)), 30)
    await log.close()
    assert set(database.rows) == {row(1)["id"], row(2)["id"]}


async def test_an_answer_that_nobody_can_keep_is_not_acknowledged(tmp_path: Path, threads: Threads) -> None:
    database, folder = Database(), tmp_path / "file"
    folder.write_text("in the way")
    database.is_away = True
    log = log_of(database, folder, threads)
    kept = log.add(row(1))
    await log.keep()
    assert not await log.store()
    with pytest.raises(NotReadyError, match="Try again"):
        await kept


def a_row(**changes: object) -> Row:
    names = "id request_id conversation_id caller assistant variant outcome finish_reason question answer"
    values: Row = {name: name for name in names.split()}
    values |= {name: "x" for name in ("collection", "release_id", "release_digest", "prompt_digest")}
    values |= {"generator": "x", "scope_digest": "x", "created_at": NOW, "degraded": False}
    values |= {"citations": [], "verdicts": [], "timings": {}, "prompt_tokens": 1, "completion_tokens": 1}
    return {**values, **dict.fromkeys(("subject", "experiment", "reason", "adapter")), **changes}


ANY_TEXT = st.text("a\x00\ud800\udfff\N{SNOWMAN}", max_size=80)


@given(
    ANY_TEXT,
    st.integers(),
    st.lists(st.dictionaries(ANY_TEXT, st.integers() | ANY_TEXT, max_size=3), max_size=3),
)
@example("\x00\ud800", 10**30, [{"\x00": 10**30}])
def test_a_storable_row_fits_its_table_and_staying_storable_changes_nothing(
    words: str, count: int, nested: list[dict[str, object]]
) -> None:
    texts = dict.fromkeys(("conversation_id", "finish_reason", "reason", "question", "answer"), words)
    found = storable(a_row(**texts, prompt_tokens=count, citations=nested))
    assert storable(found) == found
    assert b"\\u0000" not in orjson.dumps(found)
    assert len(found["finish_reason"]) <= 32
    assert 0 <= found["prompt_tokens"] < 2**31


async def test_a_row_that_the_database_refuses_is_kept_aside_and_its_neighbours_are_written(
    tmp_path: Path, threads: Threads
) -> None:
    engine = open_database(f"sqlite:///{tmp_path}/db")
    migrate(engine)
    spill = Spill(tmp_path / "spill")
    log = AnswerLog(partial(insert_rows, engine), database=threads[0], disk=threads[1], spill=spill)
    naive = a_row(id="wrong", created_at=datetime(2026, 1, 1))
    refused = LOG_REFUSED._value.get()
    for one in (a_row(id="first"), naive, a_row(id="last")):
        log.add(one)
    await log.keep()
    assert await log.store()
    assert LOG_REFUSED._value.get() == refused + 1
    with engine.connect() as connection:
        ids = connection.execute(text("select id from answers order by id")).scalars().all()
    assert ids == ["first", "last"]
    assert orjson.loads((tmp_path / REFUSED).read_bytes())["id"] == "wrong"
    assert spill.files() == []
    engine.dispose()


def test_two_processes_share_a_folder_and_neither_takes_what_the_other_writes(tmp_path: Path) -> None:
    one, other = Spill(tmp_path / "spill"), Spill(tmp_path / "spill")
    for number in (1, 2):
        (tmp_path / f"spill.{number}").write_bytes(orjson.dumps(row(number)) + b"\n")
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
    (tmp_path / "spill.1").write_bytes(orjson.dumps(row(1)) + b"\n")

    def refuse(rows: Sequence[Row]) -> None:
        raise OperationalError("insert", {}, Exception("away"))

    with pytest.raises(OperationalError):
        spill.drain(refuse)
    assert len(spill.files()) == 1


def test_a_failed_append_leaves_no_line_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    journal = Journal(tmp_path / "spill")
    journal.append([row(1)])
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", lambda _: (_ for _ in ()).throw(OSError(28, "No space left")))
        with pytest.raises(OSError, match="No space"):
            journal.append([row(2)])
    journal.append([row(3)])
    sealed = journal.seal()
    assert sealed is not None
    assert [one["id"] for one in read_rows(sealed.path.read_bytes())] == ["answer-1", "answer-3"]
    assert [one["id"] for one in sealed.rows] == ["answer-1", "answer-3"]
    sealed.release()


def test_a_journal_of_a_living_process_is_left_alone(tmp_path: Path) -> None:
    journal, taken = Journal(tmp_path / "spill"), []
    journal.append([row(1)])
    assert Spill(tmp_path / "spill").drain(taken.append) == 0
    sealed = journal.seal()
    assert sealed is not None
    sealed.release()
    assert Spill(tmp_path / "spill").drain(taken.append) == 1


def test_a_spill_file_of_a_crashed_process_is_read_and_half_lines_are_passed_over(tmp_path: Path) -> None:
    line = orjson.dumps(a_row())
    spill = tmp_path / "spill"
    spill.write_bytes(line + b"\n" + line[:40])
    rows = read_rows(spill.read_bytes())
    engine = open_database(f"sqlite:///{tmp_path}/db")
    migrate(engine)
    insert_rows(engine, rows)
    insert_rows(engine, rows)
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
