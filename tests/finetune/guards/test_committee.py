"""Several networks are one network, and a head is tried on texts by its two points."""

from pathlib import Path

import numpy as np
import pytest

from finetune.guards import cross_validation
from finetune.guards.cross_validation import Points, Trial
from finetune.guards.network import Recipe, together, train
from ingestion.detect.heads import probability
from ingestion.detect.injection import Finding


def test_a_committee_says_what_its_members_say_on_average() -> None:
    rng = np.random.default_rng(3)
    rows = rng.standard_normal((200, 6)).astype(np.float32)
    labels = (rows[:, 0] > 0).astype(np.float32)
    ones = np.ones(200, np.float32)
    members = [train(rows, labels, ones, Recipe(hidden=4, epochs=2, seed=seed)) for seed in (1, 2, 3)]
    logits = [np.log(one.scores(rows) / (1 - one.scores(rows))) for one in members]
    assert together(members).scores(rows) == pytest.approx(probability(np.mean(logits, axis=0)), abs=1e-4)


@pytest.mark.parametrize("logit", [-1e4, -200.0, 0.0, 200.0, 1e4])
def test_a_score_far_out_is_a_number_and_no_warning(logit: float) -> None:
    found = probability(np.array([logit], np.float32))
    assert found.dtype == np.float32
    assert 0 <= found[0] <= 1


class Sure:
    """A model that scores what it is told to."""

    def judge_prompt(self, text: str) -> Finding | None:
        return Finding("model", 0, 1, float(text)) if text else None


def test_shares_are_counted_by_both_points() -> None:
    trial = Trial(None, None, Path(), Path(), Points(0.9, 0.5), None, 10)  # type: ignore[arg-type]
    found = cross_validation._shares(trial, Sure(), ["", "0.2", "0.5", "0.89", "0.9"])  # type: ignore[arg-type]
    assert found == {"texts": 5, "blocked": 0.2, "degraded": 0.4, "stopped_with_rules": 0.6}
