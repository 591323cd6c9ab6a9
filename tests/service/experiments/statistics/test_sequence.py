"""The confidence sequence against GrowthBook's numbers, and how its interval and p-value belong together."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.experiments.statistics.decide import watch
from service.experiments.statistics.distributions import normal_of_t
from service.experiments.statistics.estimate import Estimate
from service.experiments.statistics.sequence import (
    always_valid_p,
    for_few_units,
    multiplier,
    one_sided_multiplier,
    one_sided_p,
    tuning,
)


def test_the_tuning_matches_the_paper() -> None:
    assert tuning(0.05) == pytest.approx(7.936154601737565, rel=1e-15)
    assert tuning(0.01) == pytest.approx(11.533741340715224, rel=1e-15)


def test_a_relative_sequence_matches_growthbook() -> None:
    control, treatment = 1396 / 3000, 2422 / 3461
    # Their variance of a proportion is p(1 − p) / n, and their statistic a normal.
    errors = math.sqrt(control * (1 - control) / 3000), math.sqrt(treatment * (1 - treatment) / 3461)
    relative = Estimate(control, treatment, math.hypot(*errors), math.inf, *errors).as_relative()
    assert isinstance(relative, Estimate)
    shown = watch(relative, (3000 + 3461) / 5000)
    assert relative.difference == pytest.approx(0.50386, abs=1e-5)
    assert (shown.low, shown.high) == (pytest.approx(0.40098, abs=1e-5), pytest.approx(0.60675, abs=1e-5))


def test_it_is_narrowest_for_its_progress_at_the_planned_end() -> None:
    for other in (0.5, 2.0):
        assert multiplier(1.0, 0.05) < multiplier(other, 0.05) * math.sqrt(max(other, 1 / other))
    # Against a sequence that was tuned for another end, in standard errors of the same moment.
    assert multiplier(1.0, 0.05) < multiplier(0.1, 0.05)
    assert multiplier(1.0, 0.05) < multiplier(20.0, 0.05)


@settings(deadline=None)
@given(st.floats(0, 12), st.floats(1e-3, 50), st.sampled_from([0.2, 0.05, 0.01, 0.001]))
def test_p_is_small_exactly_where_the_interval_leaves_out_0(z: float, progress: float, alpha: float) -> None:
    edge = float(multiplier(progress, alpha, tuned_for=0.05))
    p = float(always_valid_p(z, progress, tuned_for=0.05))
    if abs(z - edge) > 1e-9:
        assert (p < alpha) == (z > edge)
    one_sided = float(one_sided_p(z, progress, tuned_for=alpha))
    edge = float(one_sided_multiplier(progress, alpha))
    if abs(z - edge) > 1e-9:
        assert (one_sided < alpha) == (z > edge)


@settings(deadline=None)
@given(st.floats(-30, 30), st.floats(1, 1e6))
def test_few_units_make_a_statistic_less_sure_and_the_interval_wider(t: float, df: float) -> None:
    z = float(normal_of_t(t, df))
    assert abs(z) <= abs(t) + 1e-9
    assert z * t >= 0
    if abs(z) < 30:
        assert float(for_few_units(abs(z), df)) == pytest.approx(abs(t), rel=1e-6, abs=1e-9)


def test_no_progress_is_no_certainty() -> None:
    assert float(multiplier(0.0, 0.05)) > 1_000
    assert float(always_valid_p(8.0, 0.0, tuned_for=0.05)) == pytest.approx(1.0)
    with pytest.raises(ValueError, match="progress holds nan"):
        multiplier(np.array([0.1, math.nan]), 0.05)
    with pytest.raises(ValueError, match="alpha is 1.5"):
        multiplier(1.0, 1.5)
    with pytest.raises(ValueError, match="alpha is 0.7"):
        one_sided_multiplier(1.0, 0.7)
