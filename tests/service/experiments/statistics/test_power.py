"""Sample sizes against published numbers, and what they can't be had for."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.experiments.statistics.estimate import Estimate, Unmeasured
from service.experiments.statistics.power import (
    days,
    design_effect,
    progress_of,
    units_for_clusters,
    units_for_means,
    units_for_proportions,
)


def test_proportions_match_r() -> None:
    assert units_for_proportions(0.5, 0.75, power=0.9) == pytest.approx(76.707, abs=1e-3)
    assert math.ceil(units_for_proportions(0.2, 0.22)) == 6_510


def test_means_match_r() -> None:
    assert units_for_means(1, 1, power=0.9) == pytest.approx(22.0211, abs=0.05)  # R: power.t.test
    assert units_for_means(1, 0.2) == pytest.approx(393.4057, abs=0.05)


def test_looking_costs_units() -> None:
    fixed, hybrid, sequence = (
        units_for_means(1, 0.1, method=method) for method in ("fixed", "hybrid", "sequence")
    )
    assert hybrid / fixed == pytest.approx(1.068, abs=1e-3)
    assert 1.8 < sequence / fixed < 2.0


@settings(deadline=None)
@given(st.floats(0.01, 0.5), st.floats(0.01, 0.4), st.floats(0.5, 0.95))
def test_smaller_differences_and_more_power_take_more_units(
    control: float, difference: float, power: float
) -> None:
    one = units_for_proportions(control, control + difference, power=power)
    assert units_for_proportions(control, control + difference / 2, power=power) > one
    assert units_for_proportions(control, control + difference, power=power + 0.04) > one
    assert units_for_proportions(control + difference, control, power=power) == pytest.approx(one)


def test_clusters_take_more_observations_and_never_fewer() -> None:
    assert design_effect(10, 0.1) == pytest.approx(1.9)
    assert design_effect(10, 0.1, 0.5) == pytest.approx(2.15)
    assert design_effect(0.5, 0.5) == 1
    assert units_for_clusters(1_000, 10, 1.9) == pytest.approx(190)


def test_days_are_those_of_the_smallest_arm() -> None:
    assert days(500, 100, {"control": 90, "treatment": 10}) == pytest.approx(50)
    assert days(500, 100, {"control": 1, "treatment": 1}, coverage=0.5) == pytest.approx(20)
    assert days(500, 0, {"control": 1, "treatment": 1}) == math.inf


def test_progress_is_1_where_the_planned_power_is_reached() -> None:
    units = units_for_means(1.0, 0.1, method="hybrid")
    reached = Estimate(0, 0, math.sqrt(2 / units), 1e6, 0, 0)
    assert progress_of(reached, 0.1) == pytest.approx(1.0, abs=0.01)
    half = Estimate(0, 0, math.sqrt(4 / units), 1e6, 0, 0)
    assert progress_of(half, -0.1) == pytest.approx(0.5, abs=0.01)
    assert progress_of(Unmeasured("Nothing yet."), 0.1) == 0


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: units_for_proportions(0.5, 0.5), "The difference is 0.0"),
        (lambda: units_for_proportions(0.5, 1.2), "1.2 is no proportion"),
        (lambda: units_for_means(-1, 1), "deviation is -1"),
        (lambda: units_for_means(1, math.nan), "The difference is nan"),
        (lambda: units_for_means(1, 1, power=1), "power is 1"),
        (lambda: units_for_means(1, 1, power=0.01), "power is 0.01"),
        (lambda: design_effect(0, 0.1), "are impossible"),
        (lambda: days(5, 1, {}), "are impossible"),
        (lambda: days(5, 1, {"a": 0}), "are impossible"),
    ],
)
def test_what_no_number_of_units_shows_is_refused(make: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()  # type: ignore[operator]
