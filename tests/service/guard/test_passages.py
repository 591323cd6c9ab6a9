"""Personal data that a source keeps is shown to those who are entitled to it, on every way out, and to nobody else."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from ingestion.config import PiiPolicy, read_collections
from ingestion.embed import Embedder
from ingestion.releases.release import collection_folder, open_active
from ingestion.runs.collection import Collection
from ingestion.runs.pipeline import run
from ingestion.scrub import Scrubber
from service.app import create_app
from service.guard.chain import Digests
from service.guard.passages import PassageMasks
from service.scope.policy import GuardPolicy, policy_of
from service.settings import Settings
from tests.conftest import keyed, serving
from tests.service.conftest import stream_of

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


TEXT = f"Write to {EMAIL} with the key AKIAIOSFODNN7EXAMPLE."


def masks_of(policy: GuardPolicy, pii_policy: str | None) -> PassageMasks:
    return PassageMasks(policy, Scrubber(PiiPolicy(), with_names=False), Digests(b"t"), pii_policy=pii_policy)


@pytest.mark.parametrize(
    ("pii_policy", "scrubbed_under", "is_read"),
    [
        ("now", ["now"], False),
        ("now", ["before"], True),
        ("now", ["before", "now"], True),
        ("now", [""], True),
        ("now", [], True),
        (None, ["now"], True),
        (None, [], True),
    ],
)
def test_texts_are_read_again_unless_all_were_scrubbed_under_the_one_policy_there_is(
    pii_policy: str | None, scrubbed_under: list[str], is_read: bool
) -> None:
    shown, _ = masks_of(policy_of(), pii_policy).read(TEXT, None, scrubbed_under)
    assert shown == f"Write to {'<EMAIL_ADDRESS>' if is_read else EMAIL} with the key <SECRET>."


def test_guards_that_only_flag_mask_nothing() -> None:
    off = policy_of({"output": {"secrets": "off", "pii": "flag"}})
    shown, verdicts = masks_of(off, None).read(TEXT, frozenset(), ["now"])
    assert (shown, [v.verdict for v in verdicts]) == (TEXT, ["flag", "flag"])


KEPT = """
version: 1
use_case: Tests.
collections:
  c:
    sources: [{path: contacts, name: contacts}]
    languages: [en]
    pii: {actions: {EMAIL_ADDRESS: keep, PERSON: pseudonymise}}
    clearance: {supplier: tests, licence: internal, legal_basis: contract}
variants: {v: {retrieval: {relevance_floor: 0.0}}}
assistants: {a: {collection: c, variant: v}}
"""


def test_a_policy_that_was_tightened_holds_before_documents_are_prepared_anew(
    embedder: Embedder, tmp_path: Path
) -> None:
    (tmp_path / "scope.yaml").write_text(KEPT)
    (tmp_path / "contacts").mkdir()
    (tmp_path / "contacts" / "contacts.md").write_text(PAGE)
    ways = (asked, streamed, searched, in_context, fetched)
    with keyed(tmp_path, embedder, ["answer", "search"], {"stranger": []}) as (keys, url):
        headers = {"authorization": f"Bearer {keys['stranger']}"}
        with httpx.Client(base_url=url, headers=headers, timeout=30) as client:
            assert all(EMAIL in way(client) for way in ways)
    (tmp_path / "scope.yaml").write_text(KEPT.replace("EMAIL_ADDRESS: keep, ", ""))
    settings = Settings(
        _env_file=None,  # type: ignore[call-arg]
        scope_file=tmp_path / "scope.yaml",
        data_dir=tmp_path / "data",
        database_url=f"sqlite:///{tmp_path / 'db'}",  # type: ignore[arg-type]
        embed_threads=1,
    )
    with (
        serving(create_app(settings)) as url,
        httpx.Client(base_url=url, headers=headers, timeout=30) as client,
    ):
        for way in ways:
            shown = way(client)
            assert "<EMAIL_ADDRESS>" in shown, way
            assert "jo.doe" not in shown, way
    config = read_collections(tmp_path / "scope.yaml")["c"]
    run(Collection("c", config, embedder, tmp_path / "data", tmp_path))
    release = open_active(collection_folder(tmp_path / "data", "c"))
    assert release.manifest.pii_policies == {config.one_pii_policy: 1}
