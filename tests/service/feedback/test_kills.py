"""No accepted event is lost or doubled when workers or PostgreSQL are killed under load, and clients send again what they weren't told of."""

import os
import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from ingestion.embed import Embedder
from service.database import migrate, open_database
from service.feedback.record import bound, write
from service.feedback.tokens import FeedbackSigner
from service.ids import uuid7
from service.tables import FeedbackEvent
from tests.conftest import wait_until
from tests.service.faults import how_often, small_collection
from tests.service.feedback.samples import an_event
from tests.service.feedback.test_record import check_together
from tests.service.processes import serving_process
from tests.service.test_postgres import Postgres, server  # noqa: F401 - a fixture

SECRET, CLIENTS = "0123456789abcdef0123456789abcdef", 4
# Longer than any of the faults: a server that stays away must not keep the test for ever.
GIVES_UP_S = 300.0


@dataclass
class Told:
    """What clients were told: by answer the ids of its event, of every reply; and how often they had to send again."""

    ids: dict[str, set[str]] = field(default_factory=dict)
    statuses: Counter[int] = field(default_factory=Counter)

    @property
    def accepted(self) -> int:
        return len(self.ids)


def rate(url: str, told: Told, is_over: threading.Event, chance: random.Random) -> None:
    """Events with a key each, sent until they are accepted, and now and then once more."""
    signer = FeedbackSigner(SECRET.encode())
    while not is_over.is_set():
        answer_id = uuid7()
        event = {"answer_id": answer_id, "token": signer.sign(answer_id), "kind": "thumb", "value": "up"}
        is_accepted, left = False, chance.choice([1, 1, 2])
        gives_up_at = time.monotonic() + GIVES_UP_S
        while left:
            assert time.monotonic() < gives_up_at, f"{answer_id} was not accepted within {GIVES_UP_S} s"
            # A connection each: another worker may take the next try.
            try:
                reply = httpx.post(
                    f"{url}/v1/feedback", json=event, headers={"idempotency-key": "k"}, timeout=30
                )
            except httpx.TransportError:
                told.statuses[0] += 1
                continue
            told.statuses[reply.status_code] += 1
            assert reply.status_code in (201, 503), reply.text
            if reply.status_code == 201:
                told.ids.setdefault(answer_id, set()).add(reply.json()["event_id"])
                is_accepted, left = True, left - 1
        assert is_accepted


@contextmanager
def load(url: str, told: Told) -> Iterator[None]:
    is_over = threading.Event()
    with ThreadPoolExecutor(CLIENTS) as executor:
        clients = [executor.submit(rate, url, told, is_over, random.Random(n)) for n in range(CLIENTS)]
        try:
            yield
        finally:
            is_over.set()
            # A client that failed says more than whoever waits for it.
            for client in clients:
                client.result()


def check(database: str, told: Told) -> None:
    engine = open_database(database)
    with Session(engine) as session:
        wanted = FeedbackEvent.answer_id.in_(list(told.ids))
        rows = session.execute(
            select(FeedbackEvent.answer_id, FeedbackEvent.event_id, FeedbackEvent.idempotency_key).where(
                wanted
            )
        ).all()
    engine.dispose()
    stored: dict[str, set[str]] = {}
    for answer_id, event_id, key in rows:
        stored.setdefault(answer_id, set()).add(event_id)
        assert key == bound(answer_id, "k")
    assert len(rows) == len(stored), "an event was stored twice"
    assert stored == told.ids, "an event was lost, or two replies named different events"


def workers_of(parent: int) -> list[int]:
    children = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
    commands = {int(one): Path(f"/proc/{one}/cmdline").read_bytes() for one in children}
    return [one for one, command in commands.items() if b"spawn_main" in command]


@pytest.mark.slow
def test_killed_workers_lose_and_double_nothing(tmp_path: Path, embedder: Embedder) -> None:
    small_collection(tmp_path, tmp_path / "data", embedder)
    database, told, chance = f"sqlite:///{tmp_path / 'db'}", Told(), random.Random(7)
    settings = {
        "scope_file": tmp_path / "scope.yaml",
        "data_dir": tmp_path / "data",
        "database_url": database,
        "secret_key": SECRET,
        "embed_threads": 1,
    }
    kills = how_often(4, long=50)
    with serving_process(tmp_path, "--workers=2", **settings) as served, load(served.url, told):
        for _ in range(kills):
            enough = told.accepted + chance.randint(20, 60)
            wait_until(lambda enough=enough: told.accepted >= enough, 300)
            wait_until(lambda: workers_of(served.process.pid), 120)
            os.kill(chance.choice(workers_of(served.process.pid)), signal.SIGKILL)
    check(database, told)
    assert told.accepted > 20 * kills


@pytest.mark.postgres
def test_a_killed_postgres_loses_and_doubles_nothing(
    tmp_path: Path,
    server: Postgres,  # noqa: F811
    embedder: Embedder,
) -> None:
    small_collection(tmp_path, tmp_path / "data", embedder)
    told, chance, kills = Told(), random.Random(8), how_often(3, long=100)
    settings = {
        "scope_file": tmp_path / "scope.yaml",
        "data_dir": tmp_path / "data",
        "database_url": server.url,
        "secret_key": SECRET,
        "embed_threads": 1,
    }
    with serving_process(tmp_path, **settings) as served, load(served.url, told):
        for _ in range(kills):
            enough = told.accepted + chance.randint(20, 60)
            wait_until(lambda enough=enough: told.accepted >= enough, 300)
            server.kill()
            server.start()
    check(server.url, told)
    assert told.accepted > 20 * kills


@pytest.mark.postgres
def test_random_sequences_equal_the_model_on_postgres(server: Postgres) -> None:  # noqa: F811
    engine = open_database(server.url)
    migrate(engine)
    chance = random.Random(9)
    assert sum(check_together(engine, chance, count) for count in [1] * 20 + [50] * 10) > 2_000
    engine.dispose()


@pytest.mark.postgres
def test_two_processes_write_side_by_side(server: Postgres) -> None:  # noqa: F811
    """The same events with the same keys at the same moment: each is stored once, whoever comes first."""
    engines = [open_database(server.url) for _ in range(2)]
    migrate(engines[0])
    events = [an_event(idempotency_key=bound("c", uuid7())) for _ in range(300)]
    with ThreadPoolExecutor(2) as executor:
        for start in range(0, len(events), 10):
            part = events[start : start + 10]
            first, second = executor.map(lambda engine, part=part: write(engine, part), engines)
            assert [one.event_id for one in first] == [one.event_id for one in second]  # type: ignore[union-attr]
            assert sum(one.is_new for one in (*first, *second)) == len(part)  # type: ignore[union-attr]
    for engine in engines:
        engine.dispose()
