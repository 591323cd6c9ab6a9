"""Fixed tests against published numbers."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.experiments.statistics.estimate import Estimate, Unmeasured
from service.experiments.statistics.fixed import Hits, Inference, Moments, fixed, two_proportions, welch


def test_welch_matches_growthbook() -> None:
    found = welch(Moments(3407, 1396.87, 52377.9767), Moments(3461, 2422.7, 134698.29))
    assert isinstance(found, Estimate)
    shown = fixed(found)
    assert found.difference == pytest.approx(0.29, abs=1e-5)
    assert (shown.low, shown.high) == (pytest.approx(0.04538, abs=1e-5), pytest.approx(0.53462, abs=1e-5))
    assert shown.p == pytest.approx(0.02016, abs=1e-5)
    assert shown.coverage == 0.95


def test_welch_has_nothing_to_say_of_too_little() -> None:
    assert isinstance(welch(Moments(1, 1, 1), Moments(9, 3, 3)), Unmeasured)
    assert isinstance(welch(Moments(5, 5, 5), Moments(5, 5, 5)), Unmeasured)
    with pytest.raises(ValueError, match="nan"):
        Moments(3, math.nan, 1)


def test_two_proportions_match_pearsons_chi2() -> None:
    found = two_proportions(Hits(10, 100), Hits(20, 100))
    assert isinstance(found, Inference)
    assert found.p == pytest.approx(0.04767038065616141)  # scipy.stats.chi2_contingency without a correction
    assert (found.low, found.high) == (pytest.approx(0.00107, abs=1e-5), pytest.approx(0.20150, abs=1e-5))


@settings(deadline=None)
@given(st.integers(1, 60), st.integers(1, 60), st.data())
def test_the_interval_of_two_proportions_agrees_with_their_test(n: int, m: int, data: st.DataObject) -> None:
    control, treatment = Hits(data.draw(st.integers(0, n)), n), Hits(data.draw(st.integers(0, m)), m)
    found = two_proportions(control, treatment)
    assert isinstance(found, Inference)
    assert -1 <= found.low <= treatment.hits / m - control.hits / n <= found.high <= 1
    if abs(found.p - 0.05) > 1e-6:
        assert (found.p < 0.05) == (found.low > 0 or found.high < 0)
    turned = two_proportions(treatment, control)
    assert isinstance(turned, Inference)
    assert (turned.low, turned.high) == (
        pytest.approx(-found.high, abs=1e-6),
        pytest.approx(-found.low, abs=1e-6),
    )


def test_all_alike_is_not_certain() -> None:
    found = two_proportions(Hits(20, 20), Hits(20, 20))
    assert isinstance(found, Inference)
    assert found.p == 1
    assert found.low < -0.1
    assert found.high > 0.1
    assert isinstance(two_proportions(Hits(0, 0), Hits(1, 2)), Unmeasured)
    with pytest.raises(ValueError, match="Hits\\(hits=3, n=2\\)"):
        Hits(3, 2)
