"""The hash embedder: the protocol without a model."""

import numpy as np
import pytest

from ingestion.embed import Embedder
from ingestion.embed.fake import HashEmbedder

FAKE: Embedder = HashEmbedder()


def test_texts_that_share_words_are_near() -> None:
    question, near, far = FAKE.embed(
        ["Are lamps repaired?", "Lamps are repaired free of charge.", "The harbour opened in 1911."]
    )
    assert question @ near > question @ far + 0.3


@pytest.mark.parametrize("text", ["", " \n", "a", "\ud800", "word " * 400])
def test_vectors_are_unit_length_and_the_same_everywhere(text: str) -> None:
    (vector,) = FAKE.embed([text])
    np.testing.assert_allclose(np.linalg.norm(vector), 1, rtol=1e-6)
    np.testing.assert_array_equal(HashEmbedder().encode(["x", text]).vectors[1], vector)
    np.testing.assert_array_equal(FAKE.encode_questions([text])[0].vector, vector)


def test_no_texts_give_no_vectors_and_words_and_signs_are_counted() -> None:
    assert FAKE.embed([]).shape == (0, FAKE.dimension)
    assert FAKE.count_tokens(["Hello, world!", ""]) == [4, 0]


def test_another_seed_is_another_embedder() -> None:
    other = HashEmbedder(seed=1)
    assert other.digest != FAKE.digest
    assert abs(other.embed(["a lamp"])[0] @ FAKE.embed(["a lamp"])[0]) < 0.5
