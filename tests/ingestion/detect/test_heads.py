"""Each head is an artefact of its own, for one embedder."""

import shutil
from pathlib import Path

import pytest

from ingestion.detect.heads import load_head
from ingestion.detect.injection import DOCUMENT_DIR, PROMPT_DIR
from ingestion.embed import Embedder
from ingestion.errors import EmbedderError
from service.guard.models.attribution import ATTRIBUTION_DIR
from service.guard.models.toxicity import TOXICITY_DIR

HEADS = {
    "document": DOCUMENT_DIR,
    "prompt": PROMPT_DIR,
    "toxicity": TOXICITY_DIR,
    "attribution": ATTRIBUTION_DIR,
}


@pytest.mark.parametrize("name", HEADS)
def test_a_damaged_head_is_refused_with_the_command_that_trains_it(
    tmp_path: Path, embedder: Embedder, name: str
) -> None:
    folder = Path(shutil.copytree(HEADS[name], tmp_path / HEADS[name].name))
    assert load_head(folder, embedder.weights_digest).name == name
    with (folder / "head.npz").open("ab") as file:
        file.write(b"0")
    with pytest.raises(EmbedderError, match=rf"head\.npz.*finetune\.guards train --only {name} "):
        load_head(folder, embedder.weights_digest)
    (folder / "manifest.json").unlink()
    with pytest.raises(EmbedderError, match=rf"manifest\.json.*finetune\.guards train --only {name} "):
        load_head(folder, embedder.weights_digest)


@pytest.mark.parametrize("name", HEADS)
def test_a_head_of_another_embedder_is_refused(name: str) -> None:
    with pytest.raises(EmbedderError, match=rf"embedder.*'another'.*train --only {name} "):
        load_head(HEADS[name], "another")
