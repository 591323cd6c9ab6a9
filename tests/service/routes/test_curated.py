"""A curated answer is for its groups alone, in answers, lists and records; what it rests on is watched; arms stay arms."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from sqlalchemy import select
from sqlalchemy.orm import Session

from ingestion.embed import Embedder
from service.database import open_database
from service.experiments.lifecycle import Actor, ramp, start
from service.scope import load_scope
from service.tables import Answer, Exposure
from tests.conftest import StartGateway, keyed, wait_until
from tests.service.experiments.conftest import declared, scope_of
from tests.service.routes.test_permissions import SCOPE, SECRET

QUESTION, SAID = "Do you rent electric bikes?", "Staff rent bikes at half the price."
STAFF = {"staff": ["staff", "sales"], "sales": ["sales"], "boss": ["*"]}


@pytest.fixture(scope="module")
def house(embedder: Embedder, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, httpx.Client]]:
    """A client for each key, which all may do everything within its groups."""
    folder: Path = tmp_path_factory.mktemp("curated")
    (folder / "scope.yaml").write_text(SCOPE)
    for name in ("open", "staff"):
        (folder / name).mkdir()
    (folder / "open" / "lamps.md").write_text("# Lamps\n\nBroken lamps are repaired free of charge.\n")
    (folder / "staff" / "discounts.md").write_text(SECRET)
    with keyed(folder, embedder, ["admin"], {"stranger": [], **STAFF}) as (keys, url):
        clients = {
            name: httpx.Client(base_url=url, headers={"authorization": f"Bearer {key}"}, timeout=60)
            for name, key in keys.items()
        }
        yield clients
        for client in clients.values():
            client.close()


def put(client: httpx.Client, name: str, question: str = QUESTION, **body: Any) -> httpx.Response:
    return client.put(f"/v1/curated/{name}", json={"question": question, "answer": SAID, **body})


def ask(client: httpx.Client, question: str = QUESTION) -> dict[str, Any]:
    body = {"model": "a", "messages": [{"role": "user", "content": question}]}
    reply: dict[str, Any] = client.post("/v1/chat/completions", json=body).json()
    return reply


def test_an_answer_for_a_group_is_nothing_to_others(house: dict[str, httpx.Client]) -> None:
    assert put(house["staff"], "bikes", groups=["staff"]).status_code == 201
    for name, sees in (("stranger", False), ("sales", False), ("staff", True), ("boss", True)):
        client, reply = house[name], ask(house[name])
        assert (reply["rag"]["reason"] == "curated") == sees
        assert (SAID in str(reply)) == sees
        listed = [one["id"] for one in client.get("/v1/curated").json()["curated"]]
        assert ("bikes" in listed) == sees
        assert client.get("/v1/curated/bikes").status_code == (200 if sees else 404)
        assert client.delete("/v1/curated/bikes").status_code == 404 if not sees else True
    assert put(house["sales"], "bikes").status_code == 409
    assert put(house["sales"], "mine", groups=["staff"]).status_code == 403


def test_a_record_that_quotes_it_is_for_its_groups_too(house: dict[str, httpx.Client]) -> None:
    put(house["staff"], "bikes", groups=["staff"])
    answer_id = ask(house["boss"])["rag"]["answer_id"]
    wait_until(lambda: house["boss"].get(f"/v1/answers/{answer_id}").status_code == 200)
    for name, sees in (("sales", False), ("staff", True)):
        record = house[name].get(f"/v1/answers/{answer_id}").json()
        assert record["withheld"] is not sees
        assert (SAID in record["answer"]["answer"]) == sees


def test_a_source_that_not_all_may_see_needs_the_same_groups(house: dict[str, httpx.Client]) -> None:
    cited = {"citations": [{"document_id": "discounts.md"}]}
    refused = put(house["boss"], "discount", "Which discount is there?", **cited)
    assert (refused.status_code, refused.json()["error"]["param"]) == (400, "groups")
    assert put(house["sales"], "discount", "Which discount is there?", **cited).status_code == 400
    assert (
        put(house["boss"], "discount", "Which discount is there?", groups=["staff"], **cited).status_code
        == 201
    )


def test_a_source_that_changes_or_vanishes_makes_an_answer_stale(house: dict[str, httpx.Client]) -> None:
    boss = house["boss"]

    def write(text: str) -> None:
        assert boss.put("/v1/documents/bikes.md", json={"text": text}).status_code in (200, 201)

    def stale() -> tuple[bool, list[bool]]:
        found = boss.get("/v1/curated/rent").json()
        return found["stale"], [one["is_stale"] for one in found["sources"]]

    write("# Bikes\n\nElectric bikes are rented at every shop.")
    hit = boss.post("/v1/search", json={"query": "electric bikes", "filter": {"id": "bikes.md"}}).json()[
        "results"
    ][0]
    cited = [{"chunk_id": hit["chunk_id"]}, {"document_id": "lamps.md", "title": "On lamps"}]
    written = put(boss, "rent", "Where can I rent a bike?", citations=cited).json()["curated"]
    assert [one["title"] for one in written["sources"]] == ["Bikes", "On lamps"]
    assert [one["document_id"] for one in written["sources"]] == ["bikes.md", "lamps.md"]
    assert stale() == (False, [False, False])
    write("# Bikes\n\nElectric bikes are no longer rented.")
    assert stale() == (True, [True, False])
    assert (
        put(boss, "rent", "Where can I rent a bike?", citations=[{"document_id": "bikes.md"}]).status_code
        == 200
    )
    assert stale() == (False, [False])
    assert boss.delete("/v1/documents/bikes.md").status_code == 200
    assert stale() == (True, [True])


def test_an_arm_is_met_and_recorded_all_the_same(start_gateway: StartGateway, tmp_path: Path) -> None:
    path = tmp_path / "experiments.yaml"
    path.write_text(yaml.safe_dump(scope_of({"short-answers": declared()}), sort_keys=False))
    with start_gateway(scope_file=path) as gateway, gateway.client() as client:
        engine, actor = open_database(gateway.settings.database()), Actor("tester", "a test", lead_s=0)
        epoch = start(engine, load_scope(path), "short-answers", actor)
        while epoch.stage != "ab":
            epoch = ramp(engine, "short-answers", actor)
        assert put(client, "bikes").status_code == 201

        def asked(**extra: Any) -> dict[str, Any]:
            found: dict[str, Any] = gateway.ask(QUESTION, user="u", **extra).json()["rag"]
            return found

        wait_until(lambda: asked(rag={"dry_run": True})["experiment"] == "short-answers")
        rag = asked()
        assert (rag["experiment"], rag["reason"]) == ("short-answers", "curated")

        def recorded() -> list[tuple[str | None, str | None]]:
            with Session(engine) as session:
                rows = session.execute(select(Answer.arm, Answer.reason).where(Answer.id == rag["answer_id"]))
                return [(row.arm, row.reason) for row in rows]

        wait_until(lambda: recorded() == [(rag["arm"], "curated")])
        with Session(engine) as session:
            wait_until(lambda: session.scalar(select(Exposure.answer_id)) == rag["answer_id"])
        assert client.get("/v1/curated/bikes").json()["hits"] == 1, "a dry run is no hit"
        engine.dispose()
