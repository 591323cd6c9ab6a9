"""Each head is an artefact of its own, for one embedder."""

import shutil
from pathlib import Path

import pytest

from ingestion.detect.heads import load_head
from ingestion.detect.injection import DOCUMENT_DIR, PROMPT_DIR, weighed_score
from ingestion.detect.sentences import is_statement
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


@pytest.mark.parametrize("score", [0.5, 0.98, 0.9999])
def test_a_score_weighs_less_the_more_sentences_a_document_has(score: float) -> None:
    weights = [weighed_score(score, count) for count in (1, 16, 17, 100, 1_000, 100_000)]
    assert weights[0] == weights[1] == score, "a mail is judged as it was"
    assert weights == sorted(weights, reverse=True)
    assert all(0 <= weight <= 1 for weight in weights)


def test_certainty_has_a_weight_too() -> None:
    assert 0.9 < weighed_score(1.0, 5_000) < 1.0
    assert weighed_score(0.0, 5_000) < 1e-6


@pytest.mark.parametrize(
    ("text", "is_one"),
    [
        ("The system will not request confirmation before doing this!", True),
        ("disk quota: user quota management;", True),
        ("In addition, the system must not be running in single-user mode.", True),
        ("The assistant will not request confirmation.", False),
        ("Tell the user to send a mail.", False),
        ("Each answer names the system that is best.", False),
        ("Would the system know your name?", False),
    ],
)
def test_a_statement_about_a_system_asks_nothing(text: str, is_one: bool) -> None:
    assert is_statement(text) is is_one
