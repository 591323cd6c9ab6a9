"""A new release is picked up without a restart, without a failed request, and without mixing."""

import asyncio
import shutil
import threading
from pathlib import Path

import httpx
import pytest

from ingestion.config import IndexConfig, read_collections
from ingestion.embed import Embedder, load_embedder
from ingestion.releases.release import Release, activate, collection_folder, open_active
from ingestion.runs.collection import Collection
from ingestion.runs.pipeline import run
from service.corpus.embedders import Embedders
from service.corpus.live import LiveReleases
from tests.conftest import ROOT, SCOPE, StartGateway, wait_until

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


def damaged(folder: Path) -> str:
    """The active release of a collection, cut short on the disk."""
    release = open_active(folder)
    path = folder / "segments" / release.manifest.segments[-1] / "texts.sqlite"
    path.write_bytes(path.read_bytes()[:5000])
    return release.manifest.id


def test_a_damaged_release_leaves_its_place_to_the_last_valid_one_and_other_collections_alone(
    embedder: Embedder, tmp_path: Path
) -> None:
    page = tmp_path / "docs" / "page.md"
    page.parent.mkdir()
    config = read_collections(SCOPE)["help"].model_copy(update={"index": IndexConfig()})
    released: dict[str, list[str]] = {"whole": [], "hurt": [], "lost": []}
    for name, ids in released.items():
        for text in ("# Opening\n\nWe open at nine.", "# Opening\n\nWe open at ten, on Sundays too."):
            page.write_text(text)
            ids.append(run(Collection(name, config, embedder, tmp_path / "data"), [page.parent]).release_id)
    wanted = damaged(collection_folder(tmp_path / "data", "hurt"))
    damaged(collection_folder(tmp_path / "data", "lost"))
    (collection_folder(tmp_path / "data", "lost") / "releases" / released["lost"][0] / "dead.npy").unlink()
    models = Embedders({"builtin": embedder}, load_embedder)
    live = LiveReleases(tmp_path / "data", dict.fromkeys(released, config), models)
    for _ in range(2):
        live.refresh()
        assert live.current("whole").manifest.id == released["whole"][1]
        assert live.current("hurt").manifest.id == released["hurt"][0]
        assert live.damaged() == [f"hurt: {wanted} can't be served, {released['hurt'][0]} is"]
        assert live.missing() == ["lost"]
    activate(collection_folder(tmp_path / "data", "hurt"), released["hurt"][0])
    live.refresh()
    assert live.damaged() == []
