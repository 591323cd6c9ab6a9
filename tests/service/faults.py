"""What proofs about faults share: a gateway over one small page, and how often a fault is made."""

import os
from pathlib import Path

import yaml
from sqlalchemy import text

from ingestion.config import read_collections
from ingestion.embed import Embedder
from ingestion.runs.collection import Collection
from ingestion.runs.pipeline import run
from service.database import open_database

IS_LONG = "TOUCHSTONE_LONG" in os.environ  # noqa: TID251
PAGE = "# Parking\n\nThere is room for forty cars behind the house.\n"
QUESTION = "Where is room for forty cars?"
# Faults are made to what is stored and to what is served: models that judge texts would only take their time.
SCOPE = {
    "version": 1,
    "use_case": "Tests.",
    "variants": {"plain": {"generator": "extractive"}},
    "assistants": {"support": {"collection": "c", "variant": "plain"}},
    "guards": {
        "input": {"injection_model": "off", "toxicity": "off", "pii": "off"},
        "output": {"grounding": "off", "toxicity": "off", "pii": "off"},
    },
    "collections": {
        "c": {
            "languages": ["en"],
            "sources": ["pages"],
            "clearance": {"supplier": "tests", "licence": "internal", "legal_basis": "no_personal_data"},
            "pii": {"entities": [], "names": "none"},
            "screen": {"enabled": False},
            "deduplicate": False,
        }
    },
}


def stored(url: str) -> set[str]:
    """The ids of the answers and the feedback events that a database holds."""
    engine = open_database(url)
    with engine.connect() as connection:
        found = connection.execute(text("select id from answers union all select event_id from feedback"))
        known = set(found.scalars())
    engine.dispose()
    return known


def how_often(times: int, *, long: int) -> int:
    """The number of faults: few in every run, many where `TOUCHSTONE_LONG` is set."""
    return long if IS_LONG else times


def small_collection(folder: Path, data_dir: Path, embedder: Embedder) -> Collection:
    """The collection of one page below `folder`, ingested; its scope file is `folder/scope.yaml`."""
    (folder / "pages").mkdir()
    (folder / "pages" / "parking.md").write_text(PAGE)
    (folder / "scope.yaml").write_text(yaml.safe_dump(SCOPE))
    collection = Collection("c", read_collections(folder / "scope.yaml")["c"], embedder, data_dir, folder)
    run(collection)
    return collection
