"""Fixed-horizon numbers against tea-tasting, which was written by others.

Comparable to 1e-9: means and CUPED of units (Welch), the quotient of a ratio metric and its CUPED coefficient, p of two
proportions. Not comparable: the error of a ratio metric, which is a delta method there and a jackknife here, and differs by
parts of 1/n; relative intervals, which are those of a log quotient there and Fieller's here; epochs, which it doesn't know.
"""

import numpy as np
import pyarrow as pa
import pytest
import tea_tasting as tt

from service.experiments.statistics.arm import Arm
from service.experiments.statistics.corrections import benjamini_hochberg, holm
from service.experiments.statistics.distributions import Floats
from service.experiments.statistics.estimate import Estimate, estimate
from service.experiments.statistics.fixed import Hits, Inference, fixed, two_proportions

CLOSE = 1e-9


@pytest.fixture(scope="module", params=[(60, 80), (500, 300)])
def data(request: pytest.FixtureRequest) -> dict[str, Floats]:
    """Users with answers, those resolved, and both from before, of two arms."""
    control, treatment = request.param
    rng = np.random.default_rng(control)
    n = control + treatment
    habit = rng.beta(2, 2, n)
    columns = {"variant": np.repeat([0, 1], [control, treatment])}
    for name in ("", "_before"):
        answers = np.ceil(rng.lognormal(1, 0.7, n))
        columns |= {f"answers{name}": answers, f"resolved{name}": rng.binomial(answers.astype(int), habit)}
    return {name: np.asarray(values, dtype=float) for name, values in columns.items()}


def theirs(data: dict[str, Floats], metric: object) -> object:
    table = pa.table({**data, "variant": data["variant"].astype(int)})
    return tt.Experiment(it=metric).analyze(table)["it"]


def ours(
    data: dict[str, Floats], sums: str, counts: str | None = None, *, is_known: bool = False
) -> Estimate:
    def arm(variant: int) -> Arm:
        mine = {name: values[data["variant"] == variant] for name, values in data.items()}
        size = len(mine["variant"])
        before = (
            {
                "before": mine[f"{sums}_before"],
                "before_counts": mine[f"{counts}_before"] if counts else np.ones(size),
            }
            if is_known
            else {}
        )
        return Arm(mine[sums], mine[counts] if counts else np.ones(size), np.ones(size, dtype=int), **before)

    found = estimate(arm(0), arm(1))
    assert isinstance(found, Estimate)
    return found


@pytest.mark.parametrize("covariate", [None, "resolved_before"])
def test_means_and_cuped(data: dict[str, Floats], covariate: str | None) -> None:
    peer = theirs(data, tt.Mean("resolved", covariate))
    found = ours(data, "resolved", is_known=covariate is not None)
    shown = fixed(found)
    assert found.control == pytest.approx(peer.control, rel=CLOSE)
    assert found.treatment == pytest.approx(peer.treatment, rel=CLOSE)
    assert found.difference == pytest.approx(peer.effect_size, rel=CLOSE)
    assert found.t == pytest.approx(peer.statistic, rel=CLOSE)
    assert (shown.low, shown.high) == (
        pytest.approx(peer.effect_size_ci_lower, rel=CLOSE),
        pytest.approx(peer.effect_size_ci_upper, rel=CLOSE),
    )
    assert shown.p == pytest.approx(peer.pvalue, rel=1e-8)


@pytest.mark.parametrize("is_known", [False, True])
def test_ratio_metrics(data: dict[str, Floats], is_known: bool) -> None:
    before = ("resolved_before", "answers_before") if is_known else ()
    peer = theirs(data, tt.RatioOfMeans("resolved", "answers", *before))
    found = ours(data, "resolved", "answers", is_known=is_known)
    assert found.difference == pytest.approx(peer.effect_size, rel=CLOSE)
    assert found.control == pytest.approx(peer.control, rel=CLOSE)
    smallest = min(np.bincount(data["variant"].astype(int)))
    assert found.t == pytest.approx(peer.statistic, rel=10 / smallest)


def test_two_proportions(data: dict[str, Floats]) -> None:
    hits = (data["resolved"] > 1).astype(float)
    peer = theirs(
        {**data, "hit": hits}, tt.Proportion("hit", method="norm", correction=False, equal_var=True)
    )
    arms = [hits[data["variant"] == variant] for variant in (0, 1)]
    found = two_proportions(*(Hits(int(arm.sum()), len(arm)) for arm in arms))
    assert isinstance(found, Inference)
    assert found.p == pytest.approx(peer.pvalue, rel=CLOSE)


def test_corrections(data: dict[str, Floats]) -> None:
    metrics = {name: tt.Mean(name) for name in data if name != "variant"}
    table = pa.table({**data, "variant": data["variant"].astype(int)})
    result = tt.Experiment(**metrics).analyze(table)
    p = [result[name].pvalue for name in metrics]
    by_holm = tt.adjust_fwer(result, arbitrary_dependence=True, method="bonferroni")
    by_bh = tt.adjust_fdr(result, arbitrary_dependence=False)
    for adjusted, mine in ((by_holm, holm(p)), (by_bh, benjamini_hochberg(p))):
        expected = {row["metric"]: row["pvalue_adj"] for row in adjusted.to_dicts()}
        assert mine.p == tuple(pytest.approx(expected[name], rel=CLOSE) for name in metrics)
