"""Comparisons of evaluations: what must not change them, clusters, few pairs, and data that tell nothing."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.experiments.statistics.paired import Scores, compare, compare_family
from service.experiments.statistics.proportions import mcnemar


def scores(both: int, only_candidate: int, only_base: int, neither: int) -> Scores:
    pairs = [(1, 1)] * both + [(0, 1)] * only_candidate + [(1, 0)] * only_base + [(0, 0)] * neither
    return Scores([one for one, _ in pairs], [other for _, other in pairs])


def test_a_clear_gain_passes_a_clear_loss_fails_and_a_draw_can_not_be_told() -> None:
    won = compare(scores(300, 75, 45, 80))
    assert (won.verdict, won.difference, won.is_exact) == ("pass", pytest.approx(0.06), False)
    assert won.mcnemar_p == mcnemar(75, 45).exact_p
    assert won.low is not None
    assert 0 < won.low < 0.06
    assert compare(scores(300, 45, 75, 80)).verdict == "fail"
    assert compare(scores(300, 60, 60, 80)).verdict == "cannot tell"


def test_few_pairs_that_differ_are_left_to_the_exact_test() -> None:
    found = compare(scores(480, 5, 0, 15))
    assert (found.verdict, found.is_exact, found.p) == ("cannot tell", True, pytest.approx(0.0625))
    assert found.low is not None
    assert found.low < 0
    assert compare(scores(480, 6, 0, 14)).verdict == "pass"


def test_a_margin_lets_a_small_loss_pass() -> None:
    small_loss = scores(400, 28, 30, 42)
    assert compare(small_loss).verdict == "cannot tell"
    assert compare(small_loss, margin=0.05).verdict == "pass"
    assert compare(scores(300, 20, 100, 80), margin=0.05).verdict == "fail"


def test_cases_of_one_document_are_not_independent() -> None:
    rng = np.random.default_rng(1)
    of_document = rng.choice([-1, 0, 1], 30, p=[0.2, 0.4, 0.4])
    gains = np.repeat(of_document, 20).astype(float)
    documents = [f"d{i}" for i in np.repeat(range(30), 20)]
    alone = compare(Scores(np.zeros(600), gains))
    together = compare(Scores(np.zeros(600), gains, documents))
    assert together.clusters == 30
    assert together.mcnemar_p is None
    assert alone.verdict == "pass"
    assert together.high is not None
    assert alone.high is not None
    assert together.high - together.difference > 3 * (alone.high - alone.difference)


@given(
    st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4), st.integers(0, 5)), min_size=1, max_size=40),
    st.randoms(),
)
@settings(max_examples=30, deadline=None)
def test_order_changes_nothing_and_exchange_turns_the_verdict(
    rows: list[tuple[int, int, int]], random: object
) -> None:
    base, candidate, cluster = (list(one) for one in zip(*rows, strict=True))
    found = compare(Scores(base, candidate, cluster))
    random.shuffle(rows)  # type: ignore[attr-defined]
    assert compare(Scores(*(list(one) for one in zip(*rows, strict=True)))) == found
    turned = compare(Scores(candidate, base, cluster))
    assert turned.difference == pytest.approx(-found.difference)
    names = {"pass": "fail", "fail": "pass", "cannot tell": "cannot tell"}
    if abs(found.p - 0.05) > 0.02:
        assert turned.verdict == names[found.verdict]
    if found.low is not None and found.high is not None:
        assert (found.low > 0 or found.high < 0) == (found.verdict != "cannot tell")


def test_a_family_is_judged_by_holm() -> None:
    family = {
        "right": scores(300, 72, 48, 80),
        "grounded": scores(300, 90, 40, 70),
        "polite": scores(300, 60, 58, 82),
    }
    alone = {name: compare(one).verdict for name, one in family.items()}
    together = compare_family(family)
    assert alone == {"right": "pass", "grounded": "pass", "polite": "cannot tell"}
    assert {name: one.verdict for name, one in together.items()} == {
        "right": "cannot tell",
        "grounded": "pass",
        "polite": "cannot tell",
    }
    assert together["right"].low is not None
    assert together["right"].low < 0
    assert compare_family({}) == {}


@pytest.mark.parametrize(
    "told",
    [
        Scores([], []),
        Scores([1], [0]),
        Scores([1, 1], [1, 1]),
        Scores([0.5] * 9, [0.7] * 9),
        Scores([1, 0], [0, 1], ["a", "a"]),
    ],
)
def test_what_tells_nothing_can_not_be_told(told: Scores) -> None:
    found = compare(told)
    assert found.verdict == "cannot tell"
    assert math.isfinite(found.difference)


def test_what_is_no_score_is_refused() -> None:
    with pytest.raises(ValueError, match=r"The lengths \[1, 2\] differ"):
        Scores([1], [1, 2])
    with pytest.raises(ValueError, match="A score is nan"):
        Scores([1, math.nan], [1, 2])
    with pytest.raises(ValueError, match="margin is -1"):
        compare(Scores([1], [1]), margin=-1)
