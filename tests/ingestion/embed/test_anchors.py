"""Cosines of one embedder are read as those of another by how alike each sees what has nothing in common."""

import numpy as np
import pytest

from ingestion.embed import Embedder
from ingestion.embed.anchors import ANCHORS, CosineScale, scale_of
from ingestion.embed.values import Vectors


def alike(vectors: Vectors, common: float) -> Vectors:
    """The same vectors with so much of their square length in a direction that all share."""
    same = np.full((len(vectors), 1), np.sqrt(common), np.float32)
    return np.concatenate([vectors * np.float32(np.sqrt(1 - common)), same], axis=1)


def test_cosines_of_the_built_in_embedder_stay(embedder: Embedder) -> None:
    scale = scale_of(embedder.embed(list(ANCHORS)))
    assert scale.slope == pytest.approx(1, abs=0.01)
    assert scale.origin == pytest.approx(0, abs=0.01)
    assert scale.of_builtin(0.8) == pytest.approx(0.8, abs=0.005)


@pytest.mark.parametrize("common", [0.0, 0.3, 0.75])
def test_a_direction_that_all_texts_share_changes_nothing(embedder: Embedder, common: float) -> None:
    vectors = embedder.embed(list(ANCHORS))
    scale = scale_of(alike(vectors, common), alike(vectors, common))
    one, other = alike(embedder.embed(["a kettle", "a water boiler"]), common)
    theirs = float(one @ other)
    cosine = (theirs - common) / (1 - common)
    assert scale.slope * (theirs - scale.origin) == pytest.approx(cosine, abs=0.02)
    assert scale.of_builtin(cosine) == pytest.approx(theirs, abs=0.01)


def test_equal_is_equal_and_unrelated_is_unrelated_by_any() -> None:
    scale = CosineScale(0.76)
    assert scale.of_builtin(1.0) == pytest.approx(1)
    assert scale.of_builtin(0.077) == pytest.approx(0.76)
    assert scale.slope * (1 - scale.origin) == pytest.approx(1)
