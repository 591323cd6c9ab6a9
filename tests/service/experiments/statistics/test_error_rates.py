"""Error rates of small seeded simulations, and that the benchmark's many looks are those of the estimate.

The limits are those of the brief and three standard deviations of so few runs; `touchstone evals bench statistics` has more.
"""

import math

import numpy as np
import pytest

from evals.bench import experiment_statistics as bench
from evals.bench.simulated import looks_of
from evals.metrics import Figure
from service.experiments.statistics.estimate import Estimate, estimate
from tests.service.experiments.statistics.arms import arm

RUNS = 300


def within(figure: Figure, limit: float) -> bool:
    return figure.value <= limit + 3 * math.sqrt(limit * (1 - limit) / (figure.n or 1))


def at_least(figure: Figure, limit: float) -> bool:
    return figure.value >= limit - 3 * math.sqrt(limit * (1 - limit) / (figure.n or 1))


def test_the_looks_of_the_benchmark_are_those_of_the_estimate() -> None:
    rng = np.random.default_rng(1)
    values = (rng.random((3, 60)) < 0.2).astype(float)
    is_treated = rng.random((3, 60)) < 0.5
    looks = looks_of(values, is_treated)
    for row in range(3):
        for users in range(1, 61):
            seen, mine = values[row, :users], is_treated[row, :users]
            expected = estimate(arm(seen[~mine]), arm(seen[mine]))
            if isinstance(expected, Estimate):
                assert looks.difference[row, users - 1] == pytest.approx(expected.difference, abs=1e-12)
                assert looks.se[row, users - 1] == pytest.approx(expected.se, rel=1e-9)
                assert looks.df[row, users - 1] == pytest.approx(max(1.0, expected.df), rel=1e-9)
            else:
                assert looks.t[row, users - 1] == 0


@pytest.mark.slow
def test_looking_makes_no_errors_and_costs_little_power() -> None:
    figures = bench.looked_at(np.random.default_rng(1), RUNS)
    assert within(figures["aa_100_looks"], 0.05)
    assert within(figures["aa_every_user"], 0.05)
    assert figures["peer.z_test.aa_100_looks"].value > 0.25
    assert at_least(bench.found(np.random.default_rng(2), RUNS)["hybrid_power"], 0.75)
    assert at_least(bench.covered(np.random.default_rng(3), RUNS)["coverage"], 0.95)


@pytest.mark.slow
def test_clusters_and_ramps_make_no_errors() -> None:
    figures = bench.of_clusters(np.random.default_rng(4), RUNS)
    assert within(figures["aa_clustered"], 0.055)
    assert within(figures["aa_clustered_looks"], 0.05)
    assert figures["peer.requests.aa_clustered@50"].value > 0.3
    figures = bench.of_a_ramp(np.random.default_rng(5), RUNS)
    assert within(figures["aa_ramp"], 0.06)
    assert figures["peer.pooled.aa_ramp"].value > 0.9
    assert figures["aa_ramp.error_saved"].value > 0


@pytest.mark.slow
def test_alarms_are_seldom_false_and_soon_raised() -> None:
    figures = bench.of_sample_ratios(np.random.default_rng(6), RUNS) | bench.of_canaries(
        np.random.default_rng(7), RUNS
    )
    assert within(figures["srm_null"], 0.01)
    assert at_least(figures["srm_power"], 0.95)
    assert within(figures["canary_null"], 0.05)
    assert at_least(figures["canary_caught_800"], 0.9)


@pytest.mark.slow
def test_comparisons_err_as_seldom_as_they_say() -> None:
    figures = bench.compared(np.random.default_rng(8), RUNS)
    assert within(figures["compare_null"], 0.06)
    assert at_least(figures["compare_power"], 0.75)
