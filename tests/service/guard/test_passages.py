"""Personal data that a source keeps is shown to those who are entitled to it, on every way out, and to nobody else."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from ingestion.config import PiiPolicy
from ingestion.embed import Embedder
from ingestion.scrub import Scrubber
from service.guard.chain import Digests
from service.guard.passages import PassageMasks
from service.scope.policy import policy_of
from tests.conftest import keyed
from tests.service.routes.test_api import stream_of

SCOPE = """
version: 1
use_case: Tests.
collections:
  c:
    sources:
      - {path: open, name: open}
      - {path: contacts, name: contacts, pii: {action: keep, actions: {}}}
    languages: [en]
    clearance: {supplier: tests, licence: internal, legal_basis: contract}
guards: {output: {pii: {action: redact, groups: [staff]}}}
variants: {v: {retrieval: {relevance_floor: 0.0}}}
assistants: {a: {collection: c, variant: v}}
"""
EMAIL, TELEPHONE = "jo.doe@mailbox.example", "+44 20 7946 0958"
FILLER = "The workshop has lamps of every kind and mends them all. " * 12
PAGE = f"""# Repairs by {EMAIL}

{FILLER}

Broken zephyr lamps are mended by {EMAIL} on Mondays.

{FILLER}

Call {TELEPHONE} when nobody is there.
"""


@pytest.fixture(scope="module")
def client_of(
    embedder: Embedder, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[[str], httpx.Client]]:
    folder: Path = tmp_path_factory.mktemp("entitled")
    (folder / "scope.yaml").write_text(SCOPE)
    for name, text in (("open", "# Doors\n\nDoors are open from nine to five."), ("contacts", PAGE)):
        (folder / name).mkdir()
        (folder / name / f"{name}.md").write_text(text)
    groups = {"stranger": [], "staff": ["staff"], "boss": ["*"]}
    clients: list[httpx.Client] = []
    with keyed(folder, embedder, ["answer", "search"], groups) as (keys, url):

        def make(name: str) -> httpx.Client:
            headers = {"authorization": f"Bearer {keys[name]}"}
            clients.append(httpx.Client(base_url=url, headers=headers, timeout=30))
            return clients[-1]

        yield make
        for client in clients:
            client.close()


QUESTION = {"role": "user", "content": "Who mends broken zephyr lamps?"}
Way = Callable[[httpx.Client], str]


def asked(client: httpx.Client) -> str:
    return client.post("/v1/chat/completions", json={"model": "a", "messages": [QUESTION]}).text


def streamed(client: httpx.Client) -> str:
    body = {"model": "a", "messages": [QUESTION], "stream": True}
    return json.dumps(stream_of(client.post("/v1/chat/completions", json=body))[-1])


def searched(client: httpx.Client) -> str:
    return client.post("/v1/search", json={"query": "broken zephyr lamps"}).text


def in_context(client: httpx.Client) -> str:
    results = client.post("/v1/search", json={"query": "broken zephyr lamps"}).json()["results"]
    return client.get(f"/v1/chunks/{results[0]['chunk_id']}").text


def fetched(client: httpx.Client) -> str:
    results = client.post("/v1/search", json={"query": "broken zephyr lamps"}).json()["results"]
    return client.get(f"/v1/documents/{results[0]['document_id']}").text


@pytest.mark.parametrize("way", [asked, streamed, searched, in_context, fetched])
def test_what_a_source_keeps_is_shown_to_those_entitled_alone(
    client_of: Callable[[str], httpx.Client], way: Way
) -> None:
    for name in ("staff", "boss"):
        assert EMAIL in way(client_of(name)), name
    shown = way(client_of("stranger"))
    assert "zephyr" in shown
    assert "<EMAIL_ADDRESS>" in shown
    for secret in ("jo.doe", "mailbox.example", TELEPHONE, "7946 0958"):
        assert secret not in shown


def test_masks_of_quotes_are_told_without_a_place(client_of: Callable[[str], httpx.Client]) -> None:
    rag = json.loads(asked(client_of("stranger")))["rag"]
    assert "<EMAIL_ADDRESS>" in rag["citations"][0]["quote"]
    context = [v for v in rag["guards"] if v["guard"] == "pii" and v["start"] is None]
    assert {(v["zone"], v["verdict"], v["rule"]) for v in context} == {("output", "redact", "EMAIL_ADDRESS")}


def test_secrets_are_masked_for_everybody_and_scrubbed_texts_are_not_read_again() -> None:
    masks = PassageMasks(
        policy_of(), Scrubber(PiiPolicy(), with_names=False), Digests(b"t"), is_scrubbed=True
    )
    text = f"Write to {EMAIL} with the key AKIAIOSFODNN7EXAMPLE."
    assert masks.read(text, None)[0] == f"Write to {EMAIL} with the key <SECRET>."
    off = policy_of({"output": {"secrets": "off", "pii": "flag"}})
    shown, verdicts = PassageMasks(
        off, Scrubber(PiiPolicy(), with_names=False), Digests(b"t"), is_scrubbed=False
    ).read(text, frozenset())
    assert (shown, [v.verdict for v in verdicts]) == (text, ["flag", "flag"])
