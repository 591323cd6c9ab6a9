"""A new release is picked up without a restart, without a failed request, and without mixing."""

import asyncio
import shutil
import threading
from contextlib import closing
from pathlib import Path

import httpx
import orjson
import pytest

from ingestion.config import IndexConfig, read_collections
from ingestion.embed import Embedder, load_embedder
from ingestion.releases.release import Release, activate, collection_folder, open_active
from ingestion.runs.collection import Collection
from ingestion.runs.pipeline import run
from service.answer.record import insert_answers, read_spill
from service.corpus.embedders import Embedders
from service.corpus.live import LiveReleases
from tests.conftest import ROOT, SCOPE, Demo, StartGateway
from tests.service.routes.test_api import open_file, wait_until

QUESTION = "How many recovery codes do I get?"


def ingest(help_folder: Path, data_dir: Path, embedder: Embedder) -> str:
    # A part of the demo can't answer the golden questions of the whole.
    config = read_collections(SCOPE)["help"].model_copy(update={"index": IndexConfig()})
    return run(Collection("help", config, embedder, data_dir), [help_folder]).release_id


def test_releases_are_swapped_under_load(
    start_gateway: StartGateway, embedder: Embedder, tmp_path: Path
) -> None:
    docs, data_dir = tmp_path / "docs", tmp_path / "data"
    shutil.copytree(ROOT / "deploy/demo/help/accounts", docs)
    ids = [ingest(docs, data_dir, embedder)]
    page = docs / "two-step-sign-in.md"
    with start_gateway(data_dir=data_dir) as gateway:
        stop = threading.Event()
        replies: list[httpx.Response] = []

        def ask_on() -> None:
            while not stop.is_set():
                replies.append(gateway.ask(QUESTION))

        threads = [threading.Thread(target=ask_on) for _ in range(3)]
        for thread in threads:
            thread.start()
        page.write_text(page.read_text().replace("ten recovery codes", "twelve recovery codes"))
        ids.append(ingest(docs, data_dir, embedder))
        for release_id in [*ids * 5, ids[1]]:
            activate(collection_folder(data_dir, "help"), release_id)
            wait_until(lambda wanted=release_id: gateway.ask(QUESTION).json()["rag"]["release"] == wanted)
        stop.set()
        for thread in threads:
            thread.join()
    assert len(replies) > 10
    assert {reply.status_code for reply in replies} == {200}
    for reply in replies:
        word = "ten" if reply.json()["rag"]["release"] == ids[0] else "twelve"
        assert f"{word} recovery codes" in reply.json()["choices"][0]["message"]["content"]


def test_a_damaged_release_is_refused_and_the_old_one_serves_on(
    start_gateway: StartGateway, embedder: Embedder, tmp_path: Path
) -> None:
    docs, data_dir = tmp_path / "docs", tmp_path / "data"
    shutil.copytree(ROOT / "deploy/demo/help/accounts", docs)
    good = ingest(docs, data_dir, embedder)
    with start_gateway(data_dir=data_dir) as gateway, gateway.client() as client:
        folder = collection_folder(data_dir, "help")
        (folder / "releases" / "20990101T000000-bad").mkdir()
        (folder / "active").write_text("20990101T000000-bad\n")
        for _ in range(5):
            assert gateway.ask(QUESTION).json()["rag"]["release"] == good
        assert client.get("/readyz").status_code == 200


def test_a_spill_file_of_a_crashed_process_is_read_and_half_lines_are_passed_over(tmp_path: Path) -> None:
    from sqlalchemy import text

    from service.database import migrate, open_database

    names = "id request_id conversation_id caller assistant variant outcome finish_reason question answer"
    row = {name: name for name in names.split()}
    row |= {name: "x" for name in ("collection", "release_id", "release_digest", "prompt_digest")}
    row |= {"generator": "x", "scope_digest": "x", "created_at": "2026-01-01T00:00:00+00:00"}
    more = {"citations": [], "verdicts": [], "timings": {}, "prompt_tokens": 1, "completion_tokens": 1}
    nothing = dict.fromkeys(("subject", "experiment", "reason", "adapter"))
    line = orjson.dumps({**row, **more, **nothing, "degraded": False})
    spill = tmp_path / "spill"
    spill.write_bytes(line + b"\n" + line[:40])
    rows = read_spill(spill)
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
    import sqlite3

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


async def test_no_release_is_opened_on_the_event_loop(
    embedder: Embedder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    docs, data_dir = tmp_path / "docs", tmp_path / "data"
    docs.mkdir()
    (docs / "a.md").write_text("# Lamps\n\nA lamp is repaired within a week.\n")
    first = ingest(docs, data_dir, embedder)
    config = read_collections(SCOPE)["help"]
    live = LiveReleases(data_dir, {"help": config}, Embedders({"builtin": embedder}, load_embedder))
    opened: list[int] = []

    def noting(*arguments: object) -> Release:
        opened.append(threading.get_ident())
        return open_active(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr("service.corpus.live.open_active", noting)
    assert (await live.serving("help")).manifest.id == first
    (docs / "b.md").write_text("# Doors\n\nA door is repaired within a day.\n")
    second = ingest(docs, data_dir, embedder)
    # All of them see the new release, though only one of them opens it.
    seen = await asyncio.gather(*(live.serving("help") for _ in range(8)))
    assert {release.manifest.id for release in seen} == {second}
    assert (await live.serving("help", first)).manifest.id == first
    assert len(opened) == 2
    assert threading.get_ident() not in opened
