"""What stops a treatment: harm that is sure, and nothing else."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.experiments.statistics.decide import Reading
from service.experiments.statistics.estimate import Estimate, Unmeasured
from service.experiments.statistics.guardrail import Traffic, guard_canary, guard_margin


def test_four_times_the_errors_abort_a_canary_and_a_usual_day_does_not() -> None:
    bad = guard_canary([Traffic(400, 8, 3_600, 18)])
    assert (bad.state, bad.action) == ("breached", "abort")
    assert bad.expected_errors == pytest.approx(2.6)
    usual = guard_canary([Traffic(400, 2, 3_600, 18)])
    assert (usual.state, usual.action) == ("cannot tell", None)


def test_the_rule_of_twice_the_baseline_would_abort_what_this_does_not() -> None:
    assert 3 / 200 > 2 * 9 / 1_800
    assert guard_canary([Traffic(200, 3, 1_800, 9)]).action is None


def test_a_tolerated_rate_is_tolerated() -> None:
    window = Traffic(4_000, 40, 36_000, 180)
    assert guard_canary([window]).state == "breached"
    assert guard_canary([window], tolerated=2.0).state == "cannot tell"


def test_windows_with_one_side_only_say_nothing() -> None:
    for windows in ([], [Traffic(10, 10, 0, 0)], [Traffic(0, 0, 10, 10)], [Traffic(5, 0, 50, 0)]):
        found = guard_canary(windows)
        assert (found.state, found.p, found.action) == ("cannot tell", 1.0, None)


@settings(deadline=None)
@given(st.lists(st.tuples(*[st.integers(0, 300)] * 4), max_size=5))
def test_an_error_more_in_the_canary_is_never_reassuring(counts: list[tuple[int, ...]]) -> None:
    windows = [Traffic(a + b, a, c + d, c) for a, b, c, d in counts]
    found = guard_canary(windows)
    assert 0 <= found.p <= 1
    if windows and windows[0].canary_errors < windows[0].canary_requests:
        one = windows[0]
        more = Traffic(one.canary_requests, one.canary_errors + 1, one.baseline_requests, one.baseline_errors)
        assert guard_canary([more, *windows[1:]]).p <= found.p + 1e-12


def reading(difference: float, better: str = "higher", progress: float = 1.0) -> Reading:
    return Reading(Estimate(0.5, 0.5 + difference, 0.01, 500.0, 0.007, 0.007), progress, better)  # type: ignore[arg-type]


def test_a_margin_is_breached_held_or_open() -> None:
    breached = guard_margin(reading(-0.08), 0.03)
    assert (breached.state, breached.action) == ("breached", "pause")
    assert breached.harm == pytest.approx(0.08)
    held = guard_margin(reading(0.0), 0.04)
    assert (held.state, held.action) == ("holds", None)
    assert guard_margin(reading(-0.03), 0.03).state == "cannot tell"
    assert guard_margin(reading(0.08, better="lower"), 0.03).state == "breached"


@settings(deadline=None)
@given(st.floats(-0.2, 0.2), st.floats(0, 0.1), st.floats(0.01, 5))
def test_bounds_and_p_values_agree(difference: float, margin: float, progress: float) -> None:
    found = guard_margin(reading(difference, progress=progress), margin)
    assert found.least is not None
    assert found.most is not None
    assert found.p is not None
    assert found.p_holds is not None
    if abs(found.least - margin) > 1e-9 and abs(found.most - margin) > 1e-9:
        assert (found.state == "breached") == (found.p < 0.05)
        assert (found.state == "holds") == (found.p_holds < 0.05)


def test_nothing_known_stops_nothing() -> None:
    found = guard_margin(Reading(Unmeasured("No units yet."), 0.0), 0.02)
    assert (found.state, found.action, found.reason) == ("cannot tell", None, "No units yet.")
    few = Reading(Estimate(0.5, 0.1, 0.01, 1.0, 0.01, 0.0), 1e-9)
    assert guard_margin(few, 0.0).state == "cannot tell"
    with pytest.raises(ValueError, match="margin is -1"):
        guard_margin(reading(0.0), -1)
    with pytest.raises(ValueError, match="Traffic\\(canary_requests=1, canary_errors=2"):
        Traffic(1, 2, 1, 0)
    with pytest.raises(ValueError, match="tolerated is nan"):
        guard_canary([], tolerated=math.nan)
