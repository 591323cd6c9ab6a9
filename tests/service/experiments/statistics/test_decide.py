"""Verdicts: each method keeps to its looks, p-values and intervals agree, and nothing known is no verdict."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.experiments.statistics.arm import Arm
from service.experiments.statistics.decide import (
    LOOKING,
    Decision,
    Method,
    Plan,
    Reading,
    decide,
    decide_family,
    no_verdict,
)
from service.experiments.statistics.estimate import Estimate, Unmeasured, estimate
from service.experiments.statistics.guardrail import guard_margin
from service.experiments.statistics.power import progress_of
from service.experiments.statistics.relative import relative_interval

METHODS: tuple[Method, ...] = ("hybrid", "fixed", "sequence")


def effect(t: float, df: float = 1_000.0) -> Estimate:
    """An effect of so many standard errors, of 0.01 each, on a control of 0.5."""
    return Estimate(0.5, 0.5 + 0.01 * t, 0.01, df, 0.007, math.sqrt(0.01**2 - 0.007**2))


def reading(t: float, progress: float = 1.0, better: str = "higher") -> Reading:
    return Reading(effect(t), progress, better)  # type: ignore[arg-type]


def test_a_fixed_test_is_not_looked_at_before_its_end() -> None:
    early = decide(reading(9.0, 0.5), Plan(method="fixed"), is_ended=False)
    assert (early.verdict, early.low, early.p) == ("running", None, None)
    late = decide(reading(2.0), Plan(method="fixed"), is_ended=True)
    assert (late.verdict, late.coverage, late.is_always_valid) == ("better", 0.95, False)
    assert late.p == pytest.approx(0.0458, abs=1e-4)


def test_a_sequence_never_ends_and_the_hybrid_does() -> None:
    for t, progress in ((2.5, 1.0), (2.5, 2.0)):
        found = decide(reading(t, progress), Plan(method="sequence"), is_ended=True)
        assert (found.verdict, found.is_always_valid) == ("no difference shown", True)
    running = decide(reading(2.5), Plan(), is_ended=False)
    assert (running.verdict, running.coverage, running.is_always_valid) == ("running", 0.99, True)
    ended = decide(reading(2.5), Plan(), is_ended=True)
    assert (ended.verdict, ended.coverage, ended.is_always_valid) == ("better", 0.96, False)
    assert decide(reading(2.0), Plan(), is_ended=True).verdict == "no difference shown"
    assert decide(reading(4.0, 0.5), Plan(), is_ended=False).verdict == "better"


def test_which_way_is_better_is_the_metrics_own() -> None:
    assert decide(reading(5.0), Plan(), is_ended=True).verdict == "better"
    assert decide(reading(5.0, better="lower"), Plan(), is_ended=True).verdict == "worse"
    assert decide(reading(-5.0), Plan(), is_ended=True).verdict == "worse"
    assert decide(reading(-5.0, better="lower"), Plan(), is_ended=True).verdict == "better"


@settings(deadline=None)
@given(
    st.floats(-8, 8),
    st.floats(0.01, 3),
    st.floats(1, 1e5),
    st.sampled_from(METHODS),
    st.booleans(),
    st.sampled_from([0.01, 0.05, 0.2]),
)
def test_verdict_interval_and_p_agree(
    t: float, progress: float, df: float, method: Method, is_ended: bool, alpha: float
) -> None:
    found = decide(Reading(effect(t, df), progress), Plan(alpha, method), is_ended=is_ended)
    if found.low is None or found.high is None or found.p is None:
        assert found.verdict in ("running", "cannot tell")
        assert found.reason
        return
    is_shown = found.low > 0 or found.high < 0
    assert (found.verdict in ("better", "worse")) == is_shown
    if abs(found.p - alpha) > 1e-9:
        assert (found.p < alpha) == is_shown
    if found.relative_low is not None and found.relative_high is not None and abs(found.p - alpha) > 1e-6:
        assert (found.relative_low > 0 or found.relative_high < 0) == is_shown


def test_nothing_known_is_no_verdict() -> None:
    unknown = Reading(Unmeasured("The control has no units yet."), 0.0)
    for method in METHODS:
        for is_ended in (False, True):
            found = decide(unknown, Plan(method=method), is_ended=is_ended)
            assert found == Decision("cannot tell", reason="The control has no units yet.")
    assert decide(Reading(effect(3.0, 1.0), 1e-9), Plan(), is_ended=False).verdict == "cannot tell"
    assert no_verdict("The sample ratio fails.").reason == "The sample ratio fails."


_VALUES = st.sampled_from([0.0, 0.0, 1.0, 1.0, 1.0, 2.0, 0.1, -1.0, 1e-6, 1e6, 1e28, -1e28, 1e-28])
_ENTRIES = st.lists(st.tuples(_VALUES, _VALUES.map(abs), st.integers(1, 2)), max_size=7)


@given(_ENTRIES, _ENTRIES, st.sampled_from(METHODS), st.booleans())
@settings(max_examples=300, deadline=None)
def test_no_data_break_a_page(
    control: list[tuple[float, ...]], treatment: list[tuple[float, ...]], method: Method, is_ended: bool
) -> None:
    arms = [
        Arm(*(np.array(column) for column in (zip(*rows, strict=True) if rows else ([], [], []))))
        for rows in (control, treatment)
    ]
    found = estimate(*arms)
    one = Reading(found, progress_of(found, 0.1, method=method))
    decision, guard = decide(one, Plan(method=method), is_ended=is_ended), guard_margin(one, 0.1)
    numbers = [decision.low, decision.high, decision.relative_low, decision.relative_high, decision.p]
    numbers += [guard.harm, guard.least, guard.most, guard.p, guard.p_holds]
    assert all(value is None or math.isfinite(value) for value in numbers)
    assert decision.low is not None or decision.verdict in ("cannot tell", "running")


def test_several_primary_metrics_are_judged_by_holm() -> None:
    plan = Plan(method="fixed")
    # p = .0093, .0280, .0300 alone: Holm finds the first, and the second stops at .05 / 2.
    readings = {"c": reading(2.173), "a": reading(2.605), "b": reading(2.2)}
    found = decide_family(readings, plan, is_ended=True)
    assert {name: one.verdict for name, one in found.items()} == {
        "a": "better",
        "b": "no difference shown",
        "c": "no difference shown",
    }
    assert found["a"].p == pytest.approx(3 * decide(readings["a"], plan, is_ended=True).p)  # type: ignore[operator]
    assert found["b"].low is not None
    assert found["b"].low < 0
    assert list(found) == ["c", "a", "b"]


@settings(deadline=None)
@given(
    st.lists(st.floats(-6, 6), min_size=1, max_size=6),
    st.sampled_from(METHODS),
    st.sampled_from(["holm", "benjamini-hochberg"]),
    st.booleans(),
)
def test_in_a_family_verdict_interval_and_adjusted_p_agree(
    ts: list[float], method: Method, correction: str, is_ended: bool
) -> None:
    readings = {str(i): reading(t, 0.8) for i, t in enumerate(ts)}
    found = decide_family(readings, Plan(method=method), is_ended=is_ended, correction=correction)  # type: ignore[arg-type]
    for one in found.values():
        if one.p is not None and one.low is not None and one.high is not None and abs(one.p - 0.05) > 1e-9:
            assert (one.p < 0.05) == (one.low > 0 or one.high < 0) == (one.verdict in ("better", "worse"))


def test_what_is_not_known_counts_in_a_family() -> None:
    plan = Plan(method="fixed")
    alone = decide_family({"a": reading(2.0)}, plan, is_ended=True)
    beside = decide_family(
        {"a": reading(2.0), "b": Reading(Unmeasured("Nothing yet."), 0.0)}, plan, is_ended=True
    )
    assert alone["a"].verdict == "better"
    assert beside["a"].verdict == "no difference shown"
    assert beside["b"].verdict == "cannot tell"
    assert decide_family({}, plan, is_ended=True) == {}


def test_the_parts_of_alpha_add_up() -> None:
    assert Plan().looking_alpha == pytest.approx(0.01)
    assert Plan(method="sequence").looking_alpha == 0.05
    assert LOOKING == 0.2
    with pytest.raises(ValueError, match="alpha is 0"):
        Plan(alpha=0)


def test_fiellers_interval_matches_a_grid() -> None:
    one = Estimate(2.0, 2.6, math.sqrt(0.05 - 2 * 0.004), math.inf, 0.1, 0.2, covariance=0.004)
    grid = [r / 10_000 for r in range(-10_000, 20_000)]
    inside = [
        r
        for r in grid
        if abs(one.treatment - (1 + r) * one.control)
        <= 1.96
        * math.sqrt(one.treatment_se**2 + ((1 + r) * one.control_se) ** 2 - 2 * (1 + r) * one.covariance)
    ]
    found = relative_interval(one, 1.96)
    assert found is not None
    assert found == (pytest.approx(inside[0], abs=2e-4), pytest.approx(inside[-1], abs=2e-4))
    below = relative_interval(replace(one, control=-2.0, treatment=-2.6), 1.96)
    assert below == (pytest.approx(-found[1]), pytest.approx(-found[0]))
    assert relative_interval(replace(one, control=0.1), 1.96) is None
    assert relative_interval(one, math.inf) is None
