"""Corrections against the papers' own example, and their order."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.experiments.statistics.corrections import benjamini_hochberg, holm

FIFTEEN = [0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344]
FIFTEEN += [0.0459, 0.3240, 0.4262, 0.5719, 0.6528, 0.7590, 1.0]
VALUES = st.lists(st.floats(0, 1), max_size=12)


def test_benjamini_and_hochbergs_own_example() -> None:
    assert sum(benjamini_hochberg(FIFTEEN).rejected) == 4
    assert sum(p <= 0.05 / 15 for p in FIFTEEN) == 3  # Bonferroni
    assert sum(holm(FIFTEEN).rejected) == 3


def test_holm_by_hand() -> None:
    found = holm([0.03, 0.01, 0.02])
    assert found.p == (pytest.approx(0.04), pytest.approx(0.03), pytest.approx(0.04))
    assert found.rejected == (True, True, True)
    assert holm([0.03, 0.01, 0.04]).rejected == (False, True, False)


@settings(deadline=None)
@given(VALUES, st.sampled_from([0.01, 0.05, 0.2]))
def test_levels_rejections_and_adjusted_p_agree(p: list[float], alpha: float) -> None:
    for correct in (holm, benjamini_hochberg):
        found = correct(p, alpha)
        for value, adjusted, is_rejected, level in zip(p, found.p, found.rejected, found.levels, strict=True):
            assert value <= adjusted * (1 + 1e-12) <= 1 + 1e-12
            assert is_rejected == (adjusted <= alpha)
            if abs(value - level) > 1e-12:
                assert (value < level) == is_rejected


@settings(deadline=None)
@given(VALUES)
def test_holm_rejects_no_more_than_benjamini_hochberg_and_no_less_than_bonferroni(p: list[float]) -> None:
    by_holm, by_bh = holm(p), benjamini_hochberg(p)
    for value, strict, loose in zip(p, by_holm.rejected, by_bh.rejected, strict=True):
        assert strict or value * len(p) > 0.05 * (1 - 1e-12)
        assert loose or not strict


def test_what_is_no_p_value_is_refused() -> None:
    for value in (math.nan, -0.1, 1.1):
        with pytest.raises(ValueError, match="is no p-value"):
            holm([0.5, value])
    assert holm([]).p == ()
    assert benjamini_hochberg([]).p == ()
