"""The sample ratio against published numbers, over epochs, and with data that tell nothing."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.experiments.statistics.sample_ratio import Split, check_sample_ratio, log_multinomial_e, pearson


def even(units: dict[str, int], epoch: int = 1) -> Split:
    return Split(epoch, {"control": 1, "treatment": 1}, units)


@pytest.mark.parametrize(
    ("units", "chi2", "p"),
    [((600, 400), 40.0, 2.54e-10), ((44_000, 45_000), 11.236, 0.000802), ((821_588, 815_482), None, 1.8e-6)],
)
def test_chi2_matches_published_numbers(units: tuple[int, int], chi2: float | None, p: float) -> None:
    found = check_sample_ratio([even(dict(zip(("control", "treatment"), units, strict=True)))])
    assert found.chi2_p == pytest.approx(p, rel=0.015)
    assert found.is_chi2_low
    if chi2 is not None:
        assert found.chi2 == pytest.approx(chi2, abs=1e-3)


def test_the_sequential_multinomial_matches_its_reference() -> None:
    seen = np.random.RandomState(1).multinomial(1, [0.1, 0.3, 0.6], size=1_000).cumsum(axis=0)
    p = [math.exp(-log_multinomial_e(list(units), [0.1, 0.4, 0.5], 100)) for units in seen]
    first = next(n for n, value in enumerate(p) if value <= 0.05)
    assert first + 1 == 402
    assert p[first] == pytest.approx(0.04845591105969517, rel=1e-12)


def test_each_epoch_is_held_against_its_own_weights() -> None:
    ramp = [
        Split(1, {"control": 90, "treatment": 10}, {"control": 9_010, "treatment": 990}),
        Split(2, {"control": 50, "treatment": 50}, {"control": 4_980, "treatment": 5_020}),
    ]
    found = check_sample_ratio(ramp)
    assert not found.is_alarm
    assert not found.is_chi2_low
    assert [one.epoch for one in found.epochs] == [1, 2]
    broken = check_sample_ratio([ramp[0], even({"control": 4_500, "treatment": 5_500}, epoch=2)])
    assert broken.is_alarm
    assert broken.is_chi2_low


def test_a_unit_in_an_arm_that_nobody_could_meet_is_an_alarm() -> None:
    found = check_sample_ratio([Split(1, {"control": 100, "treatment": 0}, {"control": 900, "treatment": 1})])
    assert found.is_alarm
    assert found.p == 0
    assert not check_sample_ratio([Split(1, {"control": 100, "treatment": 0}, {"control": 900})]).is_alarm


@pytest.mark.parametrize(
    "splits", [[], [even({})], [even({"control": 3})], [even({"control": 1, "treatment": 0})]]
)
def test_few_units_raise_no_alarm(splits: list[Split]) -> None:
    found = check_sample_ratio(splits)
    assert not found.is_alarm
    assert found.p <= 1
    assert found.chi2_p is None
    assert not found.is_chi2_low


@settings(deadline=None)
@given(st.integers(0, 5_000), st.integers(0, 5_000), st.floats(0.1, 100))
def test_arms_have_no_order_and_weights_no_unit(one: int, other: int, scale: float) -> None:
    units, weights = {"a": one, "b": other}, {"a": 2.0, "b": 3.0}
    found = check_sample_ratio([Split(1, weights, units)])
    turned = Split(1, {"b": 3.0 * scale, "a": 2.0 * scale}, {"b": other, "a": one})
    assert check_sample_ratio([turned]).p == pytest.approx(found.p, rel=1e-6)
    assert 0 <= found.p <= 1


def test_what_is_impossible_is_refused() -> None:
    with pytest.raises(ValueError, match="'a' has -1"):
        Split(1, {"a": 1}, {"a": -1})
    with pytest.raises(ValueError, match="have no weight"):
        Split(1, {"a": 1}, {"b": 1})
    with pytest.raises(ValueError, match="are all 0"):
        Split(1, {"a": 0}, {})
    with pytest.raises(ValueError, match="nan"):
        Split(1, {"a": math.nan}, {})
    assert pearson([2, 2], [1, 1]) is None
