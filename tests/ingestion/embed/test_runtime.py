"""Graphs are run on arrays that stay the caller's own."""

import numpy as np

from ingestion.embed.runtime import compiled, infer
from service.guard.models.cross_encoder import CROSS_ENCODER_DIR


def test_a_request_leaves_the_arrays_of_another_alone() -> None:
    """A request that copied its inputs would write them into the arrays that the one before it shared."""
    graph = compiled(CROSS_ENCODER_DIR / "model.xml", "test_runtime", 1)
    first, second = graph.create_infer_request(), graph.create_infer_request()
    ids, mask, types = (np.full((1, 16), value, np.int64) for value in (5, 1, 0))
    infer(first, [ids, mask, types])
    infer(second, [np.full((1, 16), value, np.int64) for value in (7, 1, 1)])
    assert (ids == 5).all()
    assert (types == 0).all()
