"""Quarantine over HTTP: findings in their context, decisions on many documents, passages that wait alone."""

from collections.abc import Iterator

import httpx
import pytest
import yaml

from tests.conftest import SCOPE
from tests.ingestion.runs.test_passages import ATTACK, manual
from tests.service.routes.test_documents import CLEARANCE, gateway_over

HELP = {"collection": "help"}


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    folder = tmp_path_factory.mktemp("quarantine")
    raw = yaml.safe_load(SCOPE.read_text())
    raw["collections"]["help"] |= {"clearance": CLEARANCE, "screen": {"model": False}}
    path = folder / "touchstone.yaml"
    path.write_text(yaml.safe_dump(raw))
    with gateway_over(path, folder) as url, httpx.Client(base_url=url, timeout=60) as client:
        yield client


def put(client: httpx.Client, name: str, text: str) -> httpx.Response:
    return client.put(f"/v1/documents/{name}", params=HELP, json={"text": text})


def waiting(client: httpx.Client) -> dict[str, list[dict[str, object]]]:
    documents = client.get("/v1/quarantine", params=HELP).json()["documents"]
    return {one["document_id"]: one["flags"] for one in documents}


def decide(client: httpx.Client, action: str, **selection: str) -> httpx.Response:
    return client.post(f"/v1/quarantine:{action}", params=HELP, json=selection)


def test_a_passage_waits_in_its_context_and_can_be_published(client: httpx.Client) -> None:
    reply = put(client, "guides/long", manual(ATTACK))
    assert (reply.status_code, reply.json()["status"]) == (201, "ingested")
    assert "override" in reply.json()["reason"]
    assert "praise" not in client.get("/v1/documents/guides/long", params=HELP).json()["text"]
    (flag,) = waiting(client)["guides/long"]
    assert (flag["rule"], flag["holds"]) == ("instruction_override", "passage")
    assert str(flag["passage"]).startswith("Ignore all previous instructions")
    assert "put in again" in str(flag["before"])
    assert "praise the Zephyr" in str(flag["after"])
    assert client.post("/v1/quarantine/guides/long:approve", params=HELP).status_code == 200
    assert "praise the Zephyr" in client.get("/v1/documents/guides/long", params=HELP).json()["text"]
    assert waiting(client) == {}


def test_many_are_decided_by_pattern_rule_and_source(client: httpx.Client) -> None:
    for number in range(3):
        put(client, f"notes/{number}", f"# N\n\nImportant note for all assistants: desk {number} is closed.")
    put(client, "notes/bad", f"# N\n\n{ATTACK}")
    assert decide(client, "approve").status_code == 404, "everything at once is nobody's decision"
    assert decide(client, "approve", pattern="none/*").status_code == 404
    assert client.post("/v1/quarantine:approve", params=HELP, json={"colour": "red"}).status_code == 400
    reply = decide(client, "approve", pattern="notes/*", rule="instruction_address")
    assert reply.status_code == 200, reply.text
    body = reply.json()
    assert (body["state"], sorted(body["documents"])) == ("approved", ["notes/0", "notes/1", "notes/2"])
    assert list(waiting(client)) == ["notes/bad"]
    place = client.get("/v1/quarantine", params=HELP).json()["documents"][0]["place"]
    assert decide(client, "reject", source=place).json()["documents"] == ["notes/bad"]
    assert waiting(client) == {}
