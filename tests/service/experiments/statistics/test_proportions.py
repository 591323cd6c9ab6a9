"""Proportions against published numbers."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evals.metrics import share
from service.experiments.statistics.fixed import Hits
from service.experiments.statistics.proportions import clopper_pearson, mcnemar, wilson


def test_mcnemar_matches_its_references() -> None:
    found = mcnemar(86, 150)
    assert found.chi2 == pytest.approx(17.356, abs=1e-3)
    assert found.p == pytest.approx(3.10e-5, abs=1e-7)
    assert mcnemar(3, 12).exact_p == pytest.approx(0.03516, abs=1e-5)


def test_mcnemar_has_no_sides_and_no_answer_to_nothing() -> None:
    assert mcnemar(3, 12) == mcnemar(12, 3)
    assert mcnemar(4, 4).exact_p == 1
    assert (mcnemar(0, 0).chi2, mcnemar(0, 0).exact_p) == (None, 1.0)
    with pytest.raises(ValueError, match="-1 pairs"):
        mcnemar(-1, 2)


def test_wilson_matches_its_reference_and_the_evaluations_own() -> None:
    low, high = wilson(Hits(15, 148))
    assert (low, high) == (pytest.approx(0.06239, abs=1e-5), pytest.approx(0.16049, abs=1e-5))
    ours = share([True] * 15 + [False] * 133)
    assert (low, high) == (pytest.approx(ours.low, abs=1e-6), pytest.approx(ours.high, abs=1e-6))
    assert wilson(Hits(0, 0)) == (0.0, 1.0)


def test_clopper_pearson_matches_r() -> None:
    low, high = clopper_pearson(Hits(3, 15))  # R: binom.test(3, 15)
    assert (low, high) == (pytest.approx(0.04331, abs=1e-5), pytest.approx(0.48089, abs=1e-5))


@settings(deadline=None)
@given(st.integers(0, 200), st.integers(0, 200))
def test_intervals_hold_the_proportion(hits: int, misses: int) -> None:
    trials = Hits(hits, hits + misses)
    for low, high in (wilson(trials), clopper_pearson(trials)):
        assert 0 <= low <= high <= 1
        if trials.n:
            assert low <= hits / trials.n <= high
