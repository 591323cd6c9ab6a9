"""Guards of one assistant with the real models, and what tests read of replies and of the database."""

import json
import sqlite3
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import httpx
import pytest

from ingestion.config import PiiPolicy
from ingestion.corpus import Chunk, Hit
from ingestion.embed import Embedder
from ingestion.scrub import Finding, Scrubber
from service.guard.build import AssistantGuards
from service.guard.chain import Digests
from service.guard.models.cross_encoder import CrossEncoder
from service.guard.models.tier import Models
from service.scope.policy import GuardPolicy, policy_of
from tests.conftest import PATIENT, Gateway

CANARY = "ref-0123456789abcdef0123"


def patient(*layers: Mapping[str, object]) -> GuardPolicy:
    """A policy whose models have time: what a guard finds must not depend on how busy the machine is."""
    return policy_of(PATIENT, *layers)


def hits(*texts: str) -> tuple[Hit, ...]:
    return tuple(
        Hit(Chunk(f"c{i}", f"d{i}", 0, text, 0, len(text), "Help", f"d{i}", "en"), 1.0 - i / 10, {})
        for i, text in enumerate(texts)
    )


@pytest.fixture(scope="module")
def build(embedder: Embedder) -> Iterator[Callable[..., AssistantGuards]]:
    models = Models(embedder, CrossEncoder(threads=1))
    models.warm()
    scrubber = Scrubber(PiiPolicy(), with_names=False)
    with ThreadPoolExecutor(1) as executor:

        def make(policy: GuardPolicy | None = None, **parts: object) -> AssistantGuards:
            chosen: dict[str, object] = {
                "input_scrubber": scrubber,
                "output_scrubber": scrubber,
                "models": models,
                "executor": executor,
                "digests": Digests(b"test"),
                "canary": CANARY,
                **parts,
            }
            return AssistantGuards(policy or patient(), **chosen)  # type: ignore[arg-type]

        yield make


class WatchedScrubber(Scrubber):
    """The real one, which remembers what it read and in which thread."""

    def __init__(self) -> None:
        super().__init__(PiiPolicy(), with_names=False)
        self.texts: list[str] = []
        self.threads: set[int] = set()

    def find(self, text: str) -> list[Finding]:
        self.texts.append(text)
        self.threads.add(threading.get_ident())
        return super().find(text)


def stream_of(response: httpx.Response) -> list[dict[str, object]]:
    lines = [line for line in response.text.split("\n") if line.startswith("data: ")]
    assert lines[-1] == "data: [DONE]"
    return [json.loads(line.removeprefix("data: ")) for line in lines[:-1]]


def text_of(events: list[dict[str, object]]) -> str:
    return "".join(c["delta"].get("content", "") for e in events for c in e["choices"])  # type: ignore[attr-defined]


def open_file(gateway: Gateway) -> str:
    path = gateway.settings.database().removeprefix("sqlite:///")
    with closing(sqlite3.connect(path)) as db:
        return "\n".join(db.iterdump())
