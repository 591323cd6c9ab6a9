"""Measures and their intervals."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

_RESAMPLES = 2_000
_Z95 = 1.959964


@dataclass(frozen=True, slots=True)
class Figure:
    """A value, and where it is a sample its 95 % interval and size."""

    value: float
    low: float | None = None
    high: float | None = None
    n: int | None = None


def share(outcomes: Sequence[bool]) -> Figure:
    """A proportion with Wilson's interval (Wilson 1927)."""
    n, hits = len(outcomes), sum(outcomes)
    if n == 0:
        raise ValueError("no outcomes")
    p = hits / n
    centre = (p + _Z95**2 / (2 * n)) / (1 + _Z95**2 / n)
    half = _Z95 * math.sqrt(p * (1 - p) / n + _Z95**2 / (4 * n * n)) / (1 + _Z95**2 / n)
    return Figure(p, max(0.0, centre - half), min(1.0, centre + half), n)


def mean(values: Sequence[float]) -> Figure:
    """A mean with a percentile bootstrap interval (2,000 resamples, fixed seed)."""
    if not values:
        raise ValueError("no values")
    data = np.asarray(values, dtype=float)
    rng = np.random.default_rng(7)
    means = [data[rng.integers(0, len(data), len(data))].mean() for _ in range(_RESAMPLES)]
    low, high = np.percentile(means, [2.5, 97.5])
    return Figure(float(data.mean()), float(low), float(high), len(data))


def ndcg(ranked: Sequence[str], gains: Mapping[str, int], k: int = 10) -> float:
    """Normalised discounted cumulative gain at `k` with linear gains (Järvelin & Kekäläinen 2002)."""
    got = sum(gains.get(name, 0) / math.log2(r + 2) for r, name in enumerate(ranked[:k]))
    ideal = sorted(gains.values(), reverse=True)[:k]
    best = sum(gain / math.log2(r + 2) for r, gain in enumerate(ideal))
    return got / best if best else 0.0


def auroc(scores: Sequence[float], labels: Sequence[bool]) -> Figure:
    """Area under the ROC curve: the chance that a positive scores above a negative, ties half.

    The interval is DeLong's (DeLong et al. 1988).
    """
    positive = np.array([s for s, is_positive in zip(scores, labels, strict=True) if is_positive])
    negative = np.array([s for s, is_positive in zip(scores, labels, strict=True) if not is_positive])
    if not len(positive) or not len(negative):
        raise ValueError("both labels are needed")
    wins = (positive[:, None] > negative) + 0.5 * (positive[:, None] == negative)
    value = float(wins.mean())
    variance = wins.mean(axis=1).var() / len(positive) + wins.mean(axis=0).var() / len(negative)
    half = _Z95 * math.sqrt(float(variance))
    return Figure(value, max(0.0, value - half), min(1.0, value + half), len(scores))


def grouping(truth: Sequence[str], found: Sequence[int]) -> tuple[Figure, Figure, Figure]:
    """Clusters against labels: F1 and precision of pairs, and V-measure (Rosenberg & Hirschberg 2007).

    A pair is two items of one cluster; it is right when they have one label.
    """
    table = np.zeros((len(set(truth)), len(set(found))))
    np.add.at(table, (np.unique(truth, return_inverse=True)[1], np.unique(found, return_inverse=True)[1]), 1)
    right, of_labels, of_clusters = _pairs(table), _pairs(table.sum(1)), _pairs(table.sum(0))
    precision = right / of_clusters if of_clusters else 1.0
    recall = right / of_labels if of_labels else 1.0
    f1 = 2 * precision * recall / (precision + recall) if precision + recall else 0.0
    joint, labels, clusters = _entropy(table), _entropy(table.sum(1)), _entropy(table.sum(0))
    homogeneity = 1 - (joint - clusters) / labels if labels else 1.0
    completeness = 1 - (joint - labels) / clusters if clusters else 1.0
    both = homogeneity + completeness
    v_measure = 2 * homogeneity * completeness / both if both else 0.0
    n = len(truth)
    return Figure(f1, n=n), Figure(precision, n=n), Figure(v_measure, n=n)


def _pairs(counts: npt.NDArray[np.float64]) -> float:
    return float((counts * (counts - 1) / 2).sum())


def _entropy(counts: npt.NDArray[np.float64]) -> float:
    shares = counts[counts > 0] / counts.sum()
    return float(-(shares * np.log(shares)).sum())
