"""The same gateway on a real PostgreSQL, also when it goes away for a while."""

import os
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest
from sqlalchemy import text
from sqlalchemy.exc import DataError

from ingestion.embed import Embedder
from service.answer.record import insert_rows
from service.answer.rows import storable
from service.auth import create_key
from service.database import migrate, open_database
from tests.conftest import Gateway, StartGateway, wait_until
from tests.service.answer.test_record import a_row
from tests.service.faults import QUESTION as FAULT_QUESTION
from tests.service.faults import how_often, small_collection, stored

pytestmark = pytest.mark.postgres
QUESTION = "What does express delivery cost?"


def _binaries() -> Path | None:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    on_path = shutil.which("initdb")
    return found[-1].parent if found else Path(on_path).parent if on_path else None


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Postgres:
    """A throw-away cluster on a free port."""

    def __init__(self, binaries: Path, folder: Path) -> None:
        self._binaries, self._data = binaries, folder / "data"
        self._port = free_port()
        # The server refuses to run as root, and another user can't enter pytest's own folders.
        self._as = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
        if self._as:
            shutil.chown(folder, "postgres")
        self._call("initdb", "-U", "touchstone", "--auth=trust", "-D", str(self._data))
        self.start()
        self.url = f"postgresql://touchstone@127.0.0.1:{self._port}/postgres"

    def _call(self, name: str, *args: str) -> None:
        subprocess.run(
            [*self._as, str(self._binaries / name), *args], check=True, stdout=subprocess.DEVNULL, cwd="/"
        )

    def start(self) -> None:
        options = f"-p {self._port} -c listen_addresses=127.0.0.1 -c unix_socket_directories="
        log = str(self._data.parent / "log")
        self._call("pg_ctl", "-D", str(self._data), "-o", options, "-l", log, "-w", "start")

    def _everyone(self) -> list[int]:
        """The server's first process, which starts the others, and those."""
        parent = int((self._data / "postmaster.pid").read_text().splitlines()[0])
        children = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
        return [parent, *map(int, children)]

    @contextmanager
    def stopped(self) -> Iterator[None]:
        """Every process of the server stands still; its sockets stay open."""
        everyone = self._everyone()
        for one in everyone:
            os.kill(one, signal.SIGSTOP)
        try:
            yield
        finally:
            for one in everyone:
                os.kill(one, signal.SIGCONT)

    def kill(self) -> None:
        """End every process of the server at once, without a word; what it had acknowledged is in its log alone."""
        everyone = self._everyone()
        for one in everyone:
            with suppress(ProcessLookupError):
                os.kill(one, signal.SIGKILL)
        wait_until(lambda: not any(Path(f"/proc/{one}").exists() for one in everyone), 30)

    def stop(self) -> None:
        self._call("pg_ctl", "-D", str(self._data), "-m", "immediate", "-w", "stop")


@pytest.fixture(scope="module")
def server() -> Iterator[Postgres]:
    binaries = _binaries()
    if binaries is None:
        pytest.skip("PostgreSQL is not installed")
    folder = Path(tempfile.mkdtemp(prefix="touchstone-postgres-"))
    made = Postgres(binaries, folder)
    engine = open_database(made.url)
    migrate(engine)
    engine.dispose()
    yield made
    made.stop()
    shutil.rmtree(folder)


@pytest.fixture
def postgres(server: Postgres) -> Iterator[Postgres]:
    """The server, in which no test leaves a key that locks the next one out."""
    yield server
    engine = open_database(server.url)
    with engine.begin() as connection:
        connection.execute(text("delete from api_keys"))
    engine.dispose()


def count(url: str, table: str) -> int:
    engine = open_database(url)
    with engine.connect() as connection:
        found = connection.execute(text(f"select count(*) from {table}")).scalar_one()
    engine.dispose()
    return int(found)


def test_answers_keys_and_feedback_live_in_postgres(start_gateway: StartGateway, postgres: Postgres) -> None:
    with start_gateway(database_url=postgres.url) as gateway, gateway.client() as client:
        rag = gateway.ask(QUESTION).json()["rag"]
        body = {"answer_id": rag["answer_id"], "token": rag["feedback_token"], "kind": "thumb", "value": "up"}
        assert client.post("/v1/feedback", json=body).status_code == 201
        assert client.get("/readyz").json()["checks"]["database"] == "ok"
    assert count(postgres.url, "answers") == 1
    assert count(postgres.url, "feedback") == 1


def test_a_gap_is_found_answered_and_counted_in_postgres(
    start_gateway: StartGateway, postgres: Postgres
) -> None:
    gap = "Can I bring my dog to the warehouse tour?"
    with start_gateway(database_url=postgres.url) as gateway, gateway.client() as client:
        rag = gateway.ask(QUESTION).json()["rag"]
        thumb = {
            "answer_id": rag["answer_id"],
            "token": rag["feedback_token"],
            "kind": "thumb",
            "value": "down",
        }
        assert client.post("/v1/feedback", json=thumb).status_code == 201
        gateway.ask(gap)
        wait_until(lambda: client.get("/v1/gaps").json()["total"] == 2)
        (found,) = [one for one in client.get("/v1/gaps").json()["gaps"] if one["title"] == gap]
        accepted = client.post(f"/v1/gaps/{found['id']}:accept", json={"answer": "Dogs stay outside."})
        assert accepted.status_code == 201, accepted.text
        curated = f"/v1/curated/{accepted.json()['curated']['id']}"
        assert gateway.ask(gap).json()["rag"]["reason"] == "curated"
        wait_until(lambda: client.get(curated).json()["hits"] == 1)
        assert client.get("/v1/gaps").json()["total"] == 1
        assert client.delete(curated).status_code == 200


def test_migrations_match_the_tables(postgres: Postgres) -> None:
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    from service.tables import Base

    engine = open_database(postgres.url)
    migrate(engine)
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), Base.metadata) == []
    engine.dispose()


def test_an_outage_loses_no_answer_and_locks_nobody_out(
    start_gateway: StartGateway, postgres: Postgres
) -> None:
    engine = open_database(postgres.url)
    migrate(engine)
    key = create_key(engine, "frontend", ["answer"])
    engine.dispose()
    before = count(postgres.url, "answers")
    with (
        start_gateway(database_url=postgres.url) as gateway,
        gateway.client(headers={"authorization": f"Bearer {key}"}) as client,
    ):
        ask = {"model": "support", "messages": [{"role": "user", "content": QUESTION}]}
        assert client.post("/v1/chat/completions", json=ask).status_code == 200
        postgres.stop()
        for _ in range(5):
            assert client.post("/v1/chat/completions", json=ask).status_code == 200
        rag = client.post("/v1/chat/completions", json=ask).json()["rag"]
        thumb = {
            "answer_id": rag["answer_id"],
            "token": rag["feedback_token"],
            "kind": "thumb",
            "value": "up",
        }
        late = client.post("/v1/feedback", json=thumb)
        assert (late.status_code, late.json()["error"]["code"]) == (503, "not_ready")
        assert late.headers["retry-after"]
        assert client.get("/readyz").json()["checks"]["database"].startswith("unreachable")
        assert client.get("/readyz").status_code == 200
        postgres.start()
        assert client.post("/v1/feedback", json=thumb).status_code == 201
        wait_until(lambda: count(postgres.url, "answers") == before + 7, seconds=30)


def test_a_server_that_stands_still_is_a_503_within_seconds_and_answers_go_on(
    start_gateway: StartGateway, postgres: Postgres
) -> None:
    before = count(postgres.url, "answers")
    with start_gateway(database_url=postgres.url) as gateway, gateway.client() as client:
        rag = gateway.ask(QUESTION).json()["rag"]
        thumb = {
            "answer_id": rag["answer_id"],
            "token": rag["feedback_token"],
            "kind": "thumb",
            "value": "up",
        }
        with postgres.stopped():
            started = time.monotonic()
            for _ in range(3):
                late = client.post("/v1/feedback", json=thumb)
                assert (late.status_code, late.json()["error"]["code"]) == (503, "not_ready")
                assert late.headers["retry-after"]
            ready = client.get("/readyz")
            assert (ready.status_code, ready.json()["checks"]["index"]) == (200, "ok")
            assert ready.json()["checks"]["database"].startswith("unreachable")
            assert client.get("/v1/documents").status_code == 200
            assert gateway.ask(QUESTION).status_code == 200
            assert time.monotonic() - started < 50, "somebody waited for the server"
        wait_until(lambda: client.post("/v1/feedback", json=thumb).status_code == 201, seconds=30)
        wait_until(lambda: count(postgres.url, "answers") == before + 2, seconds=30)


@dataclass
class Acknowledged:
    """What clients were told of: ids, and every status with its `Retry-After`."""

    ids: set[str] = field(default_factory=set)
    replies: Counter[tuple[int, bool]] = field(default_factory=Counter)

    def note(self, reply: httpx.Response) -> bool:
        self.replies[reply.status_code, "retry-after" in reply.headers] += 1
        return reply.is_success


def ask_and_rate(gateway: Gateway, told: Acknowledged, is_over: threading.Event) -> None:
    """Ask and rate until it is over, and note what was acknowledged."""
    body = {"model": "support", "messages": [{"role": "user", "content": FAULT_QUESTION}]}
    with gateway.client() as client:
        while not is_over.is_set():
            asked = client.post("/v1/chat/completions", json=body)
            if not told.note(asked):
                continue
            rag = asked.json()["rag"]
            told.ids.add(rag["answer_id"])
            event = {"answer_id": rag["answer_id"], "token": rag["feedback_token"], "kind": "thumb"}
            rated = client.post("/v1/feedback", json={**event, "value": "up"})
            if told.note(rated):
                told.ids.add(rated.json()["event_id"])


def test_a_server_that_is_killed_under_load_loses_nothing_that_was_acknowledged(
    start_gateway: StartGateway, postgres: Postgres, tmp_path: Path, embedder: Embedder
) -> None:
    small_collection(tmp_path, tmp_path / "data", embedder)
    kills, told, is_over = how_often(3, long=200), Acknowledged(), threading.Event()
    chance = random.Random(kills)
    settings = {"scope_file": tmp_path / "scope.yaml", "data_dir": tmp_path / "data"}
    with start_gateway(database_url=postgres.url, **settings) as gateway, ThreadPoolExecutor(3) as executor:
        clients = [executor.submit(ask_and_rate, gateway, told, is_over) for _ in range(3)]
        try:
            for _ in range(kills):
                enough = told.replies[201, False] + chance.randint(1, 20)
                wait_until(lambda enough=enough: told.replies[201, False] >= enough)
                postgres.kill()
                time.sleep(chance.uniform(0, 0.5))
                postgres.start()
        finally:
            is_over.set()
        for client in clients:
            client.result()
        wait_until(lambda: told.ids <= stored(postgres.url))
    assert set(told.replies) <= {(200, False), (201, False), (503, True)}
    assert told.replies[201, False] >= kills


def test_an_answer_with_what_the_server_refuses_is_recorded(
    start_gateway: StartGateway, postgres: Postgres
) -> None:
    before = count(postgres.url, "answers")
    with start_gateway(database_url=postgres.url) as gateway:
        rag = {"conversation_id": "a\x00b"}
        answered = [gateway.ask(QUESTION, rag=rag).status_code, gateway.ask(QUESTION).status_code]
        assert answered[1] == 200
        wait_until(lambda: count(postgres.url, "answers") == before + answered.count(200), seconds=30)


def test_postgres_takes_every_row_that_is_storable(postgres: Postgres) -> None:
    engine = open_database(postgres.url)
    migrate(engine)
    bad = "\x00\ud800" * 200
    columns = {name: bad for name in ("conversation_id", "finish_reason", "reason", "question", "answer")}
    row = a_row(id="storable", **columns, prompt_tokens=10**20, citations=[{"quote": bad, bad: 10**30}])
    insert_rows(engine, [storable(row)])
    with pytest.raises((DataError, UnicodeEncodeError)):
        insert_rows(engine, [{**row, "id": "as it came"}])
    with engine.connect() as connection:
        found = connection.execute(text("select id from answers where id in ('storable', 'as it came')"))
        assert found.scalars().all() == ["storable"]
    engine.dispose()
