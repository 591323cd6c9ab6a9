"""What makes documents anew: the head that reads them, and no other."""

import shutil
from pathlib import Path

import pytest

from ingestion.artifact import open_artifact, written_artifact
from ingestion.config import CollectionConfig
from ingestion.detect.injection import DOCUMENT_DIR, PROMPT_DIR
from ingestion.errors import EmbedderError
from ingestion.prepare.preparer import recipe_of

CONFIG = CollectionConfig.model_validate({"pii": {"names": "none"}})


def recipe(folder: Path, config: CollectionConfig = CONFIG) -> str:
    return recipe_of(config, "a", "embedder", head=folder / DOCUMENT_DIR.name)


def retrain(folder: Path) -> None:
    before = open_artifact(folder, rebuild="")
    data = (folder / "head.npz").read_bytes()
    with written_artifact(
        folder, ("head.npz",), name=before.name, licence="", rebuild="", embedder=before.embedder
    ) as fresh:
        (fresh / "head.npz").write_bytes(data + b"0")


@pytest.fixture
def heads(tmp_path: Path) -> Path:
    for folder in (DOCUMENT_DIR, PROMPT_DIR):
        shutil.copytree(folder, tmp_path / folder.name)
    return tmp_path


def test_training_another_head_leaves_documents_as_they_are(heads: Path) -> None:
    before = recipe(heads)
    retrain(heads / PROMPT_DIR.name)
    assert recipe(heads) == before
    retrain(heads / DOCUMENT_DIR.name)
    assert recipe(heads) != before


def test_a_damaged_head_is_refused_before_documents_are_prepared(heads: Path) -> None:
    (heads / DOCUMENT_DIR.name / "head.npz").write_bytes(b"")
    with pytest.raises(EmbedderError, match=r"head\.npz.*train --only document"):
        recipe(heads)


def test_a_collection_that_asks_no_model_needs_no_head(heads: Path) -> None:
    shutil.rmtree(heads / DOCUMENT_DIR.name)
    quiet = CollectionConfig.model_validate({"pii": {"names": "none"}, "screen": {"model": False}})
    assert recipe(heads, quiet)
