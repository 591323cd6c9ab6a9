"""What a caller names is a name: no path of the machine's, and no address that anybody fetches."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from ingestion.embed import Embedder
from tests.conftest import keyed, serving

SCOPE = """
version: 1
use_case: Tests.
collections:
  c:
    sources: [{path: open, name: open}]
    languages: [en]
    clearance: {supplier: tests, licence: internal, legal_basis: no_personal_data}
    pii: {names: none}
variants: {v: {}}
assistants: {a: {collection: c, variant: v}}
"""


@pytest.fixture(scope="module")
def place(
    embedder: Embedder, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Path, httpx.Client]]:
    """A folder with a gateway's data folder in it, and a client that may do everything."""
    folder: Path = tmp_path_factory.mktemp("reach")
    (folder / "scope.yaml").write_text(SCOPE)
    (folder / "open").mkdir()
    (folder / "open" / "lamps.md").write_text("# Lamps\n\nBroken lamps are repaired.\n")
    with keyed(folder, embedder, ["search", "ingest"], {"boss": ["*"]}) as (keys, url):
        headers = {"authorization": f"Bearer {keys['boss']}"}
        with httpx.Client(base_url=url, headers=headers, timeout=60) as client:
            yield folder, client


def files_of(folder: Path) -> set[Path]:
    """Everything but the contents of the data folder and the database's own files."""
    return {one for one in folder.rglob("*") if "data" not in one.parts and not one.name.startswith("db")}


PATHS = [
    "../secret",
    "..%2F..%2F..%2Fsecret",
    "%2Fetc%2Fpasswd",
    "a%2F..%2F..%2Fb",
    "%2e%2e%2Fx",
    "a%5C..%5Cb",
    "....%2F%2Fx",
]


@pytest.mark.parametrize("name", PATHS)
def test_an_id_is_never_a_path(place: tuple[Path, httpx.Client], name: str) -> None:
    folder, client = place
    before = files_of(folder)
    put = client.put(f"/v1/documents/{name}", json={"text": "# Path\n\nA text."})
    posted = client.post("/v1/documents", files={"file": (f"{name}.md", b"# Path\n\nA file.")})
    assert {put.status_code, posted.status_code} <= {200, 201, 404, 405, 422}
    assert files_of(folder) == before


@pytest.mark.parametrize(
    "name", ["secret", "../secret", "..%2Fsecret", "%2e%2e%2fsecret", "..%2F..%2Fc%2Fsecret"]
)
def test_a_run_is_read_from_the_reports_alone(place: tuple[Path, httpx.Client], name: str) -> None:
    folder, client = place
    report = min((folder / "data").rglob("runs/*.json"))
    (report.parent.parent / "secret.json").write_text('{"secret": "inner"}')
    assert client.get(f"/v1/ingestions/{report.stem}").status_code == 200
    reply = client.get(f"/v1/ingestions/{name}")
    assert (reply.status_code, "inner" in reply.text) == (404, False)


def test_no_address_that_a_caller_names_is_fetched(place: tuple[Path, httpx.Client]) -> None:
    client = place[1]
    asked: list[str] = []

    async def elsewhere(scope: dict[str, Any], receive: object, send: Callable[..., Any]) -> None:
        asked.append(scope["path"])
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"secret of the inner network"})

    with serving(elsewhere, lifespan="off") as url:
        assert httpx.get(f"{url}/probe").status_code == 200
        page = (
            f"<html><head><base href='{url}/'><link rel='stylesheet' href='{url}/a.css'><meta http-equiv='refresh' content='0;"
            f"url={url}/b'></head><body><h1>Ibis</h1><p>Ibises wade.</p><img src='{url}/c.png'><iframe src='{url}/d'></iframe>"
            f"<script src='{url}/e.js'></script></body></html>"
        )
        markdown = f"# Ibis\n\nIbises wade. ![x]({url}/f.png) <{url}/g>"
        for form, text in (("html", page), ("md", markdown), ("txt", f"Ibises wade: {url}/h")):
            reply = client.put(
                f"/v1/documents/ibis-{form}",
                json={"text": text, "format": form, "url": f"{url}/source", "metadata": {"from": f"{url}/m"}},
            )
            assert reply.status_code in (201, 202), reply.text
        assert client.put(f"/v1/documents/{url}/as-an-id", json={"text": markdown}).status_code in (201, 202)
        assert client.get("/v1/documents", params={"filter": json.dumps({"source": url})}).status_code == 200
    assert asked == ["/probe"]
