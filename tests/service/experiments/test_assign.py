"""An arm is a function of the unit's name: as the reference has it, evenly spread, and moved by nothing else."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.experiments.assign import arm_of, is_covered, is_held_out, is_in_slice, uniform

UNITS = [f"s:{number:032x}" for number in range(20_000)]
HALVES = {"control": 50.0, "treatment": 50.0}


@pytest.mark.parametrize(
    ("salt", "unit", "expected"),
    [
        ("exp-a", "user-0", 0.20588942182434872),
        ("exp-a", "user-1", 0.9237426100629137),
        ("exp-b", "user-0", 0.9900398324388442),
    ],
)
def test_the_number_of_a_unit_is_that_of_the_reference(salt: str, unit: str, expected: float) -> None:
    assert uniform(salt, unit) == expected


def test_arms_get_their_shares_and_two_experiments_are_independent() -> None:
    weights = {"a": 20.0, "b": 30.0, "c": 50.0}
    found = Counter(arm_of("one", unit, weights) for unit in UNITS)
    for arm, weight in weights.items():
        expected = len(UNITS) * weight / 100
        assert abs(found[arm] - expected) < 4 * (expected * (1 - weight / 100)) ** 0.5
    both = Counter((arm_of("one", unit, HALVES), arm_of("two", unit, HALVES)) for unit in UNITS)
    assert all(abs(count - len(UNITS) / 4) < 4 * (len(UNITS) * 3 / 16) ** 0.5 for count in both.values())


@given(st.text(), st.floats(0, 100), st.floats(0, 100))
def test_growing_coverage_moves_nobody_who_is_in(unit: str, one: float, other: float) -> None:
    low, high = sorted((one, other))
    assert not is_covered("e", unit, low) or is_covered("e", unit, high)
    assert is_covered("e", unit, 100)
    assert not is_covered("e", unit, 0)


@given(st.text(), st.floats(1, 99))
def test_parts_of_a_layer_share_nobody_and_leave_nobody_out(unit: str, cut: float) -> None:
    assert is_in_slice("l", unit, 0, cut) != is_in_slice("l", unit, cut, 100)


@given(st.text())
def test_an_arm_without_weight_gets_nobody(unit: str) -> None:
    assert arm_of("e", unit, {"a": 0.0, "b": 100.0, "c": 0.0}) == "b"


def test_a_holdout_keeps_its_share() -> None:
    held = sum(is_held_out(unit, 5) for unit in UNITS)
    assert abs(held - 1_000) < 4 * 31
    assert not any(is_held_out(unit, 0) for unit in UNITS)
