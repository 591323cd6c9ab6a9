"""The fit of the abstention judge, on samples whose weights are known."""

from dataclasses import replace

import numpy as np

from evals.calibrate import Sample, auroc, fit, fit_first_look
from service.answer.abstain import Relevance


def samples(count: int) -> list[Sample]:
    """Questions that can be answered where the cross-encoder says so, for the most part."""
    rng = np.random.default_rng(3)
    found = []
    for _ in range(count):
        dense, cosine, score, union = rng.random(4)
        answers = float(rng.normal())
        can = bool(rng.random() < 1 / (1 + np.exp(-2 * answers)))
        found.append(Sample("demo", can, Relevance(1.0, dense, cosine, score, union, answers)))
    return found


def test_the_fit_finds_what_decides() -> None:
    weights = fit(samples(4_000))
    assert abs(weights.answers - 2) < 0.3
    assert max(abs(weights.dense), abs(weights.cosine), abs(weights.score), abs(weights.union)) < 0.4
    assert weights.answers == round(weights.answers, 2)


def test_the_first_look_is_fitted_without_the_cross_encoder() -> None:
    look = fit_first_look(
        [replace(one, relevance=replace(one.relevance, answers=None)) for one in samples(200)]
    )
    assert 0 < look.least < look.most < 1


def test_a_set_without_both_classes_has_no_area() -> None:
    mixed, seen = samples(400), Relevance(1.0, 0.5, 0.5, 0.5, 0.5, 1.0)
    alone = [Sample("xquad", True, seen)] * 3
    figures = auroc([*mixed, *alone], fit([*mixed, *alone]))
    assert figures.keys() == {"demo.auroc"}
    assert figures["demo.auroc"].n == 400
    assert figures["demo.auroc"].value > 0.8
