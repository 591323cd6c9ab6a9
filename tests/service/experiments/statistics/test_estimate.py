"""The estimate against worked numbers, what must not change it, and what it says of data that tell nothing."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from service.experiments.statistics.arm import Arm
from service.experiments.statistics.estimate import Estimate, Unmeasured, estimate
from service.experiments.statistics.fixed import Moments, fixed, welch
from tests.service.experiments.statistics.arms import arm, arms, clustered


def measured(control: Arm, treatment: Arm, **options: str) -> Estimate:
    found = estimate(control, treatment, **options)
    assert isinstance(found, Estimate), found
    return found


def test_units_of_one_epoch_are_compared_as_welch_does() -> None:
    rng = np.random.default_rng(1)
    control, treatment = rng.normal(3, 2, 40), rng.normal(4, 5, 60)
    expected = welch(*(Moments(len(x), x.sum(), (x * x).sum()) for x in (control, treatment)))
    found = measured(arm(control), arm(treatment))
    assert isinstance(expected, Estimate)
    for name in ("control", "treatment", "se", "df", "control_se", "treatment_se"):
        assert getattr(found, name) == pytest.approx(getattr(expected, name), rel=1e-9)


def test_the_error_is_that_of_leaving_out_each_unit_in_turn() -> None:
    rng = np.random.default_rng(2)
    control, treatment = clustered(rng, 12), clustered(rng, 9)
    variance = 0.0
    for one in (control, treatment):
        n, whole = len(one.sums), one.sums.sum() / one.counts.sum()
        without = np.array([np.delete(one.sums, i).sum() / np.delete(one.counts, i).sum() for i in range(n)])
        variance += (n - 1) / n * ((without - whole) ** 2).sum()
    assert measured(control, treatment).se == pytest.approx(math.sqrt(variance), rel=1e-12)


def test_epochs_are_weighed_by_their_observations_or_by_what_they_tell() -> None:
    control = arm([1, 2, 3, 4, 5, 6], epochs=[1, 1, 1, 1, 2, 2])
    treatment = arm([3, 4, 9, 9.5, 8, 9], epochs=[1, 1, 2, 2, 2, 2])
    first, second = 3.5 - 2.5, 8.875 - 5.5
    assert measured(control, treatment).difference == pytest.approx((6 * first + 6 * second) / 12)
    told = 4 * 2 / 6, 2 * 4 / 6
    expected = (told[0] * first + told[1] * second) / sum(told)
    assert measured(control, treatment, weighting="information").difference == pytest.approx(expected)


def test_a_ramp_with_drift_shows_no_effect_where_there_is_none() -> None:
    low, high = [0.0, 1, 0, 0, 1, 0, 0, 0, 1, 0], [1.0, 1, 1, 0, 1, 1, 1, 1, 0, 1]
    control = arm(low * 9 + high * 5, epochs=[1] * 90 + [2] * 50)
    treatment = arm(low + high * 5, epochs=[1] * 10 + [2] * 50)
    assert measured(control, treatment).difference == pytest.approx(0)
    pooled = measured(
        *(replace(one, epochs=np.ones(len(one.sums), dtype=int)) for one in (control, treatment))
    )
    assert pooled.difference > 0.1


def test_a_unit_that_met_both_epochs_counts_once() -> None:
    rng = np.random.default_rng(3)
    values = rng.normal(size=(2, 30))
    twice = [
        arm([*one, *one], epochs=[1] * 30 + [2] * 30, units=[*range(start, start + 30)] * 2)
        for start, one in zip((0, 30), values, strict=True)
    ]
    once = measured(*(arm(one) for one in values))
    found = measured(*twice)
    assert found.se == pytest.approx(once.se)
    assert found.df == pytest.approx(once.df)
    assert found.units == (30, 30)
    alone = measured(*(replace(one, units=None) for one in twice))
    assert alone.se == pytest.approx(once.se / math.sqrt(2))


def test_a_unit_that_changed_its_arm_takes_its_habits_along() -> None:
    rng = np.random.default_rng(4)
    habits = rng.normal(size=40)
    control = arm([*habits[:20], *habits[20:]], epochs=[1] * 20 + [2] * 20, units=range(40))
    treatment = arm(
        [*habits[20:], *habits[:20]], epochs=[1] * 20 + [2] * 20, units=[*range(20, 40), *range(20)]
    )
    assert measured(control, replace(treatment, sums=treatment.sums + 0.01 * rng.normal(size=40))).se < 0.01


def test_the_time_before_makes_an_effect_surer_and_does_not_move_it_far() -> None:
    rng = np.random.default_rng(5)
    before = rng.normal(size=400)
    after = before + 0.3 * rng.normal(size=400)
    plain = measured(arm(after[:200]), arm(after[200:] + 0.1))
    known = measured(arm(after[:200], before=before[:200]), arm(after[200:] + 0.1, before=before[200:]))
    assert known.is_adjusted
    assert not plain.is_adjusted
    assert known.se < 0.4 * plain.se
    assert known.difference == pytest.approx(0.1, abs=3 * known.se)


def test_units_that_were_not_there_before_say_nothing_of_that_time() -> None:
    rng = np.random.default_rng(6)
    new = [arm(rng.normal(size=20), before=np.zeros(20), before_counts=np.zeros(20)) for _ in range(2)]
    assert not measured(*new).is_adjusted
    one_known = [replace(one, before_counts=np.eye(20)[0], before=np.eye(20)[0]) for one in new]
    assert measured(*one_known).se == pytest.approx(measured(*new).se)


@settings(deadline=None)
@given(arms(), arms())
def test_exchanging_the_arms_turns_the_sign(first: Arm, second: Arm) -> None:
    one, other = estimate(first, second), estimate(second, first)
    if isinstance(one, Unmeasured):
        assert isinstance(other, Unmeasured)
        return
    assert isinstance(other, Estimate)
    assert one.difference == pytest.approx(-other.difference, abs=1e-9)
    assert (one.se, one.df) == (pytest.approx(other.se), pytest.approx(other.df))
    assert fixed(one).p == pytest.approx(fixed(other).p)


@settings(deadline=None)
@given(arms(), arms(), st.randoms(use_true_random=False))
def test_the_order_of_the_units_changes_nothing(first: Arm, second: Arm, random: object) -> None:
    order = list(range(len(first.sums)))
    random.shuffle(order)  # type: ignore[attr-defined]
    shuffled = Arm(first.sums[order], first.counts[order], first.epochs[order])
    one, other = estimate(first, second), estimate(shuffled, second)
    assert type(one) is type(other)
    if isinstance(one, Estimate) and isinstance(other, Estimate):
        assert (other.difference, other.se) == (pytest.approx(one.difference), pytest.approx(one.se))


@settings(deadline=None)
@given(arms(), arms(), st.floats(0.01, 100), st.integers(-50, 50))
def test_another_unit_of_measure_changes_only_the_numbers(
    first: Arm, second: Arm, scale: float, shift: int
) -> None:
    one = estimate(first, second)
    assume(isinstance(one, Estimate))
    assert isinstance(one, Estimate)
    moved = estimate(*(replace(arm, sums=arm.sums * scale + shift * arm.counts) for arm in (first, second)))
    assert isinstance(moved, Estimate)
    assert moved.difference == pytest.approx(one.difference * scale, rel=1e-6, abs=1e-6)
    assert moved.se == pytest.approx(one.se * scale, rel=1e-6, abs=1e-9)
    assert moved.df == pytest.approx(one.df, rel=1e-6)


@settings(deadline=None)
@given(arms(), arms())
def test_an_estimate_is_made_of_numbers(first: Arm, second: Arm) -> None:
    found = estimate(first, second)
    if isinstance(found, Estimate):
        assert found.se > 0
        assert found.df >= 1
        assert all(map(math.isfinite, (found.difference, found.se, found.df, found.t)))


@pytest.mark.parametrize(
    ("control", "treatment", "reason"),
    [
        (arm([]), arm([1, 2]), "control has no units"),
        (arm([1, 2]), arm([]), "treatment has no units"),
        (arm([1]), arm([1, 2]), "two units"),
        (arm([1, 2]), arm([1, 2], epochs=[2, 2]), "two units"),
        (arm([1, 2], [0, 0]), arm([1, 2]), "two units"),
        (arm([1, 2], [5, 0]), arm([1, 2]), "two units"),
        (arm([1, 1, 1]), arm([1, 1, 1]), "same value"),
        (arm([0, 0, 0]), arm([0, 0, 0]), "same value"),
        (arm([0.1] * 7), arm([0.1] * 9), "same value"),
    ],
)
def test_what_tells_nothing_is_a_value_with_its_reason(control: Arm, treatment: Arm, reason: str) -> None:
    found = estimate(control, treatment)
    assert isinstance(found, Unmeasured)
    assert reason in found.reason


def test_arms_that_are_alike_within_are_not_therefore_sure() -> None:
    few = measured(arm([0, 0, 0]), arm([1, 1, 1]))
    assert fixed(few).p > 0.03
    many = measured(arm([0] * 1_000), arm([1] * 50 + [0] * 950))
    assert fixed(many).p < 1e-8
    rare = measured(arm([0] * 1_000), arm([1] * 5 + [0] * 995))
    assert fixed(rare).p == pytest.approx(0.0625, abs=0.01)  # the exact sign test of 5 to 0


def test_epochs_that_can_not_be_compared_are_left_out_and_named() -> None:
    control = arm([1, 2, 3, 9], epochs=[4, 4, 4, 7])
    treatment = arm([2, 3, 5, 9, 9], epochs=[4, 4, 4, 7, 7])
    found = measured(control, treatment)
    assert found.left_out == (7,)
    assert found.difference == pytest.approx(10 / 3 - 2)


def test_a_metric_may_have_units_without_what_it_is_divided_by() -> None:
    cost = arm([3.0, 2, 4, 5], [1, 0, 2, 1]), arm([3.0, 2, 4, 9], [1, 0, 2, 0])
    assert measured(*cost).difference == pytest.approx(18 / 3 - 14 / 4)


def test_the_relative_effect_has_the_sign_of_the_difference_and_its_own_error() -> None:
    up = measured(arm([10.0, 11, 9, 10]), arm([12.0, 13, 11, 12])).as_relative()
    assert isinstance(up, Estimate)
    assert up.difference == pytest.approx(0.2)
    below = measured(arm([-10.0, -11, -9, -10]), arm([-8.0, -7, -9, -8])).as_relative()
    assert isinstance(below, Estimate)
    assert below.difference == pytest.approx(0.2)
    assert isinstance(measured(arm([-1.0, 1, 0.5]), arm([1.0, 2, 3])).as_relative(), Unmeasured)
    assert isinstance(measured(arm([0.0, 0, 0]), arm([1.0, 2, 3])).as_relative(), Unmeasured)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: arm([1, math.nan]), "'sums' holds nan. Leave out"),
        (lambda: arm([1, math.inf]), "'sums' holds inf"),
        (lambda: arm([1, 1e31]), "Give them in a fitting unit"),
        (lambda: arm([1, 2], [1]), "'counts' has the shape"),
        (lambda: arm([1, 2], [1, -1]), "'counts' holds -1.0"),
        (lambda: arm([1, 2], before_counts=[1, 1]), "without 'before'"),
        (lambda: estimate(arm([1, 2], units=[1, 2]), arm([1, 2])), "'units' was given for one arm"),
        (lambda: estimate(arm([1, 2], before=[1, 2]), arm([1, 2])), "'before' was given for one arm"),
        (lambda: estimate(arm([1, 2], units=[1, 1]), arm([1, 2], units=[3, 4])), "two entries in one epoch"),
    ],
)
def test_what_is_no_data_is_refused_with_the_remedy(make: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()  # type: ignore[operator]
