"""The database is brought to the schema of the tables; one that is lost or locked is told, and never waited for without end."""

import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import httpx
import pytest
from sqlalchemy import Engine, text

from service.database import ReplacedError, migrate, open_database
from tests.conftest import Gateway, StartGateway

QUESTION = "What does Plus cost?"


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    engine = open_database(f"sqlite:///{tmp_path}/x.db")
    migrate(engine)
    yield engine
    engine.dispose()


def test_the_database_upgrades_and_matches_the_tables(engine: Engine) -> None:
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    from service.tables import Base

    migrate(engine)
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), Base.metadata) == []


def select(engine: Engine) -> None:
    with engine.connect() as connection:
        connection.execute(text("select 1"))


def test_a_file_that_was_removed_or_replaced_takes_nothing_until_it_is_back(
    engine: Engine, tmp_path: Path
) -> None:
    path, aside = tmp_path / "x.db", tmp_path / "aside.db"
    path.rename(aside)
    for _ in range(2):
        with pytest.raises(ReplacedError, match="Put it back, or restart"):
            select(engine)
    assert not path.exists(), "no empty database takes its place"
    path.write_bytes(b"")
    with pytest.raises(ReplacedError):
        select(engine)
    aside.replace(path)
    select(engine)


def thumb(gateway: Gateway, client: httpx.Client) -> dict[str, object]:
    rag = gateway.ask(QUESTION).json()["rag"]
    return {"answer_id": rag["answer_id"], "token": rag["feedback_token"], "kind": "thumb", "value": "up"}


def test_a_gateway_whose_database_file_is_gone_acknowledges_no_feedback_and_is_not_ready(
    start_gateway: StartGateway, tmp_path: Path
) -> None:
    with start_gateway() as gateway, gateway.client() as client:
        event = thumb(gateway, client)
        (tmp_path / "gateway.db").rename(tmp_path / "aside.db")
        assert client.post("/v1/feedback", json=event).status_code == 503
        ready = client.get("/readyz")
        assert (ready.status_code, ready.json()["checks"]["database"][:5]) == (503, "lost:")
        (tmp_path / "aside.db").rename(tmp_path / "gateway.db")
        assert client.post("/v1/feedback", json=event).status_code == 201
        assert client.get("/readyz").status_code == 200


def test_a_locked_database_is_a_503_within_seconds_and_answers_go_on(
    start_gateway: StartGateway, tmp_path: Path
) -> None:
    with start_gateway() as gateway, gateway.client() as client:
        event = thumb(gateway, client)
        with closing(sqlite3.connect(tmp_path / "gateway.db", isolation_level=None)) as other:
            other.execute("begin exclusive")
            started = time.monotonic()
            late = client.post("/v1/feedback", json=event)
            assert time.monotonic() - started < 30, "it waited for the lock without end"
            assert (late.status_code, late.json()["error"]["code"]) == (503, "not_ready")
            assert late.headers["retry-after"]
            assert gateway.ask(QUESTION).status_code == 200
            assert client.get("/v1/documents").status_code == 200
            other.execute("rollback")
        assert client.post("/v1/feedback", json=event).status_code == 201
