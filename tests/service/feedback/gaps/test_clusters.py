"""Clusters are those of average linkage, whatever the order of the questions, and few enough when there are many."""

import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingestion.embed import Embedder
from ingestion.embed.anchors import ANCHORS
from service.feedback.gaps.clusters import MOST, SIMILAR, clusters_of, similar_for


def unit(rows: np.ndarray) -> np.ndarray:
    made: np.ndarray = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
    return made


def random_rows(seed: int, count: int) -> np.ndarray:
    """Around a few directions, so that there is something to find."""
    chance = np.random.default_rng(seed)
    middles = chance.normal(size=(max(1, count // 4), 12))
    return unit(middles[chance.integers(0, len(middles), count)] + 0.5 * chance.normal(size=(count, 12)))


def by_definition(vectors: np.ndarray, least: float) -> set[frozenset[int]]:
    """Join the two clusters of the highest mean similarity, as long as it is high enough."""
    groups = [[row] for row in range(len(vectors))]
    while len(groups) > 1:
        sums = np.stack([vectors[group].sum(axis=0) for group in groups])
        sizes = np.array([len(group) for group in groups])
        means = sums @ sums.T / np.outer(sizes, sizes)
        np.fill_diagonal(means, -2)
        one, other = np.unravel_index(int(means.argmax()), means.shape)
        if means[one, other] < least:
            break
        groups[one] += groups[other]
        del groups[other]
    return {frozenset(group) for group in groups}


@given(st.integers(0, 10_000), st.integers(1, 40), st.sampled_from([0.3, 0.55, 0.8]))
def test_clusters_are_those_of_the_definition(seed: int, count: int, least: float) -> None:
    vectors = random_rows(seed, count)
    assert {frozenset(group) for group in clusters_of(vectors, least)} == by_definition(vectors, least)


@given(st.integers(0, 10_000), st.integers(1, 60), st.randoms())
def test_every_question_is_in_one_cluster_whatever_their_order(seed: int, count: int, chance) -> None:  # type: ignore[no-untyped-def]
    vectors, order = random_rows(seed, count), list(range(count))
    chance.shuffle(order)
    found = clusters_of(vectors)
    assert sorted(row for group in found for row in group) == list(range(count))
    again = clusters_of(vectors[order])
    assert {frozenset(order[row] for row in group) for group in again} == {frozenset(g) for g in found}


def test_nothing_has_no_clusters() -> None:
    assert clusters_of(np.empty((0, 4), np.float32)) == []


def test_the_rest_of_very_many_joins_or_stays_alone() -> None:
    middle, other = np.eye(8, dtype=np.float32)[:2]
    vectors = np.concatenate([np.tile(middle, (MOST, 1)), [middle], [other]])
    found = clusters_of(vectors)
    assert [len(group) for group in found] == [MOST + 1, 1]


def test_thousands_take_seconds() -> None:
    vectors = random_rows(1, MOST)
    begun = time.perf_counter()
    clusters_of(vectors)
    assert time.perf_counter() - begun < 10


def test_the_threshold_of_the_built_in_embedder_is_the_measured_one(embedder: Embedder) -> None:
    assert similar_for(embedder.embed(list(ANCHORS))) == pytest.approx(SIMILAR, abs=0.005)


@given(st.integers(0, 1_000), st.sampled_from([0.0, 1.0, 3.0]))
def test_an_embedder_that_sees_all_alike_finds_the_same_clusters(seed: int, alike: float) -> None:
    """A common direction is what squeezes the cosines of many models."""
    chance = np.random.default_rng(seed)
    anchors = np.eye(30, dtype=np.float32)[: len(ANCHORS)]
    vectors = np.repeat(np.eye(30, dtype=np.float32)[12:16], 4, axis=0) + 0.05 * chance.normal(size=(16, 30))
    common = np.zeros(30)
    common[-1] = alike
    found = clusters_of(unit(vectors + common), similar_for(unit(anchors + common)))
    assert [len(group) for group in found] == [4, 4, 4, 4]
