"""How often the statistics of experiments err, and what they find, in simulations; beside what is often done instead.

Each rate is over 2,000 seeded runs, with Wilson's interval. The `peer` figures are of the same data.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import tea_tasting as tt  # type: ignore[import-untyped]
from numpy.typing import NDArray
from tea_tasting.aggr import Aggregates  # type: ignore[import-untyped]

from evals.bench import simulated
from evals.bench.assignment import measure_assignment
from evals.bench.simulated import Looks
from evals.metrics import Figure, share
from ingestion.config import read_scope
from ingestion.settings import load_settings
from service.experiments.statistics.arm import Arm
from service.experiments.statistics.decide import LOOKING, Plan, Reading, decide
from service.experiments.statistics.distributions import normal_of_t, t_tail
from service.experiments.statistics.estimate import Estimate, estimate
from service.experiments.statistics.fixed import Hits, Inference, fixed, two_proportions
from service.experiments.statistics.guardrail import guard_canary
from service.experiments.statistics.paired import Scores, compare
from service.experiments.statistics.power import units_for_proportions
from service.experiments.statistics.sample_ratio import Split, check_sample_ratio
from service.experiments.statistics.sequence import always_valid_p
from service.settings import Settings

Figures = dict[str, Figure]
Rng = np.random.Generator
_RUNS, _QUICK_RUNS = 2_000, 400
_LOOKS = 100
_RATE = 0.3
_Z95 = 1.959964
_USERS = (50, 100, 300, 1_000)
_ERROR_RATES = (0.005, 0.02, 0.1)


def measure(*, data: Path | None, is_quick: bool) -> Figures:
    """The figures `statistics.*`; see the functions below for what each is."""
    runs = _QUICK_RUNS if is_quick else _RUNS
    parts = (looked_at, found, covered, of_clusters, of_a_ramp, of_sample_ratios, of_canaries, compared)
    figures: Figures = {}
    for seed, part in enumerate(parts, 1):
        figures |= part(np.random.default_rng(seed), runs)
    figures |= measure_assignment(read_scope(load_settings(Settings).scope_file))
    return {f"statistics.{name}": figure for name, figure in figures.items()}


def _rate(outcomes: Iterable[bool]) -> Figure:
    return share([bool(outcome) for outcome in outcomes])


def _rate_of_any(batches: Iterable[NDArray[np.bool_]]) -> Figure:
    """The share of rows in which something is true."""
    return share([bool(row.any()) for batch in batches for row in batch])


def _rate_of_none(batches: Iterable[NDArray[np.bool_]]) -> Figure:
    """The share of rows in which nothing is true."""
    return share([not row.any() for batch in batches for row in batch])


def looked_at(rng: Rng, runs: int) -> Figures:
    """False verdicts of an A/A of 2,000 users at 100 looks, and of one of 1,000 at every user, with the fixed test at the end.

    The peer is a z-test at 5 % at each of these looks, which begin at 20 users.
    """
    figures = {}
    for name, users, every in (("aa_100_looks", 2_000, 2_000 // _LOOKS), ("aa_every_user", 1_000, 1)):
        batches = list(simulated.experiments(rng, runs, users, (_RATE, _RATE)))
        at = slice(every - 1, None, every)
        figures[name] = _rate_of_any(_hybrid(looks, at) for looks in batches)
        figures[f"{name}.sequence"] = _rate_of_any(_watched(looks, at, 0.05) for looks in batches)
        after = slice(max(20, every) - 1, None, every)
        figures[f"peer.z_test.{name}"] = _rate_of_any(np.abs(looks.t[:, after]) > _Z95 for looks in batches)
    return figures


def _watched(looks: Looks, at: slice, alpha: float, *, truth: float = 0.0) -> NDArray[np.bool_]:
    """Where the sequence leaves out `truth`. Shape: (experiments, looks)."""
    users = looks.se.shape[1]
    progress = np.arange(1, users + 1)[at] / users
    z = normal_of_t((looks.difference[:, at] - truth) / looks.se[:, at], looks.df[:, at])
    return np.asarray(always_valid_p(z, progress, tuned_for=alpha) <= alpha)


def _tested(looks: Looks, alpha: float, *, truth: float = 0.0) -> NDArray[np.bool_]:
    """Where the test at the end leaves out `truth`. Shape: (experiments, 1)."""
    t = (looks.difference[:, -1:] - truth) / looks.se[:, -1:]
    return np.asarray(2 * t_tail(abs(t), looks.df[:, -1:]) <= alpha)


def _hybrid(looks: Looks, at: slice, *, truth: float = 0.0) -> NDArray[np.bool_]:
    """Where `decide` leaves out `truth`: at its looks, and as one more at the end. Shape: (experiments, looks + 1)."""
    plan = Plan()
    tested = _tested(looks, plan.alpha * (1 - LOOKING), truth=truth)
    return np.concatenate([_watched(looks, at, plan.looking_alpha, truth=truth), tested], axis=1)


def found(rng: Rng, runs: int) -> Figures:
    """A difference that a fixed test finds in 80 %: how often each method does, at 100 looks, and after which part."""
    better = _RATE + 0.06
    users = 2 * round(units_for_proportions(_RATE, better))
    batches = list(simulated.experiments(rng, runs, users, (_RATE, better)))
    at = slice(users // _LOOKS - 1, None, users // _LOOKS)
    hits = np.concatenate([_hybrid(looks, at) for looks in batches])
    first = [int(row.argmax()) + 1 if row.any() else _LOOKS for row in hits]
    return {
        "hybrid_power": _rate_of_any([hits]),
        "hybrid_power.users_needed": Figure(float(np.minimum(first, _LOOKS).mean()) / _LOOKS, n=len(first)),
        "fixed_power": _rate_of_any(_tested(looks, 0.05) for looks in batches),
        "sequence_power": _rate_of_any(_watched(looks, at, 0.05) for looks in batches),
    }


def covered(rng: Rng, runs: int) -> Figures:
    """Experiments in which every interval holds the true difference, from the first user to the 1,000th."""
    control, treatment = 0.5, 0.56
    batches = list(simulated.experiments(rng, runs, 1_000, (control, treatment)))
    truth, every = treatment - control, slice(None)
    far = [np.abs(looks.difference - truth) / looks.se for looks in batches]
    return {
        "coverage": _rate_of_none(_watched(looks, every, 0.05, truth=truth) for looks in batches),
        "coverage.hybrid": _rate_of_none(_hybrid(looks, every, truth=truth) for looks in batches),
        "peer.z_interval.coverage": _rate_of_none(one[:, 19:] > _Z95 for one in far),
    }


def of_clusters(rng: Rng, runs: int) -> Figures:
    """False verdicts of one test where a few users have most of the requests, the worst of 50 to 1,000 users an arm.

    The peers count requests, or use the delta method as tea-tasting does. `aa_clustered_looks` is the hybrid at
    20 looks at 150 users an arm who come back.
    """
    tests: dict[str, Callable[[Arm, Arm], bool]] = {
        "aa_clustered": _is_found,
        "peer.requests.aa_clustered": _is_found_by_requests,
        "peer.tea_tasting.aa_clustered": _is_found_by_tea_tasting,
    }
    figures: Figures = {}
    for users in _USERS:
        pairs = [(simulated.clustered(rng, users), simulated.clustered(rng, users)) for _ in range(runs)]
        for name, test in tests.items():
            figures[f"{name}@{users}"] = _rate(test(*pair) for pair in pairs)
    for name in tests:
        figures[name] = max((figures[f"{name}@{users}"] for users in _USERS), key=lambda one: one.value)
    return figures | {"aa_clustered_looks": _rate(_is_found_by_looking(rng) for _ in range(runs))}


def _is_found(control: Arm, treatment: Arm) -> bool:
    effect = estimate(control, treatment)
    return isinstance(effect, Estimate) and fixed(effect).p <= 0.05


def _is_found_by_requests(control: Arm, treatment: Arm) -> bool:
    hits = [Hits(int(arm.sums.sum()), int(arm.counts.sum())) for arm in (control, treatment)]
    tested = two_proportions(hits[0], hits[1])
    return isinstance(tested, Inference) and tested.p <= 0.05


def _is_found_by_tea_tasting(control: Arm, treatment: Arm) -> bool:
    found = tt.RatioOfMeans("sums", "counts").analyze_aggregates(_aggregates(control), _aggregates(treatment))
    return bool(found.pvalue <= 0.05)


def _aggregates(arm: Arm) -> Aggregates:
    covariance = np.cov(arm.sums, arm.counts)
    return Aggregates(
        count_=len(arm.sums),
        mean_={"sums": arm.sums.mean(), "counts": arm.counts.mean()},
        var_={"sums": covariance[0, 0], "counts": covariance[1, 1]},
        cov_={("counts", "sums"): covariance[0, 1]},
    )


def _is_found_by_looking(rng: Rng) -> bool:
    looks = 20
    for look, arms in enumerate(simulated.growing(rng, 300, looks), 1):
        reading = Reading(estimate(*arms), look / looks)
        if decide(reading, Plan(), is_ended=look == looks).verdict in ("better", "worse"):
            return True
    return False


def of_a_ramp(rng: Rng, runs: int) -> Figures:
    """False verdicts where the treatment grows from 10 to 50 % of 1,000 users while the base rate goes from 20 to 60 %.

    The peers pool the epochs, or take a user who met two epochs for two users. `error_saved` is by how much smaller the
    standard error is, where the treatment begins at 2 %, if epochs are weighed by what they tell.
    """
    hits: dict[str, list[bool]] = {"aa_ramp": [], "peer.pooled.aa_ramp": [], "peer.unlinked.aa_ramp": []}
    for _ in range(runs):
        arms = simulated.ramp(rng, 1_000, (0.1, 0.3, 0.5), (0.2, 0.4, 0.6))
        hits["aa_ramp"].append(_is_found(*arms))
        hits["peer.pooled.aa_ramp"].append(_is_found(*(_pooled(arm) for arm in arms)))
        hits["peer.unlinked.aa_ramp"].append(_is_found(*(replace(arm, units=None) for arm in arms)))
    slow = [simulated.ramp(rng, 1_000, (0.02, 0.1, 0.5), (0.2, 0.4, 0.6)) for _ in range(runs // 4)]
    told = [estimate(*arms, weighting="information") for arms in slow]
    saved = [
        1 - one.se / plain.se
        for one, plain in zip(told, (estimate(*arms) for arms in slow), strict=True)
        if isinstance(one, Estimate) and isinstance(plain, Estimate)
    ]
    by_information = _rate(isinstance(one, Estimate) and fixed(one).p <= 0.05 for one in told)
    return {
        **{name: _rate(outcomes) for name, outcomes in hits.items()},
        "aa_ramp.by_information": by_information,
        "aa_ramp.error_saved": Figure(float(np.mean(saved)), n=len(saved)),
    }


def _pooled(arm: Arm) -> Arm:
    units, place = np.unique(np.asarray(arm.units), return_inverse=True)
    sums, counts = (np.bincount(place, values).astype(float) for values in (arm.sums, arm.counts))
    return Arm(sums, counts, np.ones(len(units), dtype=int), units=units)


def of_sample_ratios(rng: Rng, runs: int) -> Figures:
    """Alarms over 20,000 users with 100 looks: false ones at 50/50, and those at 52/48. The peer is χ² at each look."""
    figures = {}
    for name, rate in (("srm_null", 0.5), ("srm_power", 0.52)):
        drawn = rng.binomial(20_000 // _LOOKS, rate, (runs, _LOOKS)).cumsum(axis=1)
        checks = [
            [_ratio(int(one), (look + 1) * 20_000 // _LOOKS) for look, one in enumerate(row)] for row in drawn
        ]
        figures[name] = _rate(any(alarm for alarm, _ in row) for row in checks)
        figures[f"peer.chi2.{name}"] = _rate(any(p <= 0.01 for _, p in row) for row in checks)
    return figures


def _ratio(treated: int, users: int) -> tuple[bool, float]:
    """Whether there is an alarm, and the p-value of χ²."""
    weights = {"control": 1.0, "treatment": 1.0}
    found = check_sample_ratio([Split(1, weights, {"control": users - treated, "treatment": treated})])
    return found.is_alarm, 1.0 if found.chi2_p is None else found.chi2_p


def of_canaries(rng: Rng, runs: int) -> Figures:
    """Canaries of 10 % that are aborted within 800 of their requests, at 100 looks: as good ones, and one at .5 → 2 %.

    The peer aborts when the canary's error rate is more than twice the baseline's.
    """
    figures: Figures = {}
    for rate in _ERROR_RATES:
        ends = [_aborted(rng, (rate, rate)) for _ in range(runs)]
        figures[f"canary_null@{rate:g}"] = _rate(ours is not None for ours, _ in ends)
        figures[f"peer.twice.canary_null@{rate:g}"] = _rate(theirs is not None for _, theirs in ends)
    for name in ("canary_null", "peer.twice.canary_null"):
        figures[name] = max((figures[f"{name}@{rate:g}"] for rate in _ERROR_RATES), key=lambda one: one.value)
    ends = [_aborted(rng, (0.005, 0.02)) for _ in range(runs)]
    caught = [ours for ours, _ in ends if ours is not None]
    figures["canary_caught_800"] = _rate(ours is not None for ours, _ in ends)
    figures["canary_caught_after_requests"] = Figure(float(np.median(caught)), n=len(caught))
    return figures


def _aborted(rng: Rng, rates: tuple[float, float]) -> tuple[int | None, int | None]:
    """After how many canary requests our guard aborts and the rule of twice the baseline does; None where they don't."""
    looks = simulated.canary(rng, rates, share=0.1, requests=800, looks=_LOOKS)
    ours = (one.canary_requests for one in looks if guard_canary([one]).state == "breached")
    theirs = (
        one.canary_requests
        for one in looks
        if one.canary_errors * one.baseline_requests > 2 * one.baseline_errors * one.canary_requests
    )
    return next(ours, None), next(theirs, None)


def compared(rng: Rng, runs: int) -> Figures:
    """Verdicts on a candidate over 500 cases: false ones, and passes at 6 points more. The peer doesn't pair them."""
    figures: Figures = {}
    for name, gain, wanted in (("compare_null", 0.0, ("pass", "fail")), ("compare_power", 0.06, ("pass",))):
        pairs = [simulated.judged_twice(rng, 500, gain) for _ in range(runs)]
        results = [compare(Scores(*pair)) for pair in pairs]
        figures[name] = _rate(one.verdict in wanted for one in results)
        figures[f"peer.mcnemar.{name}"] = _rate(
            one.mcnemar_p is not None and one.mcnemar_p <= 0.05 for one in results
        )
        figures[f"peer.unpaired.{name}"] = _rate(_is_found_unpaired(*pair) for pair in pairs)
    return figures


def _is_found_unpaired(base: Sequence[int], candidate: Sequence[int]) -> bool:
    tested = two_proportions(Hits(sum(base), len(base)), Hits(sum(candidate), len(candidate)))
    return isinstance(tested, Inference) and tested.p <= 0.05
