"""Whether the arms have as many units as their weights say. Where they don't, units got lost, and no effect is to be trusted.

The alarm may be looked at after every unit: it is the sequential multinomial test of Lindon and Malek, "Anytime-valid
inference for multinomial count data" (2022). Beside it stands Pearson's χ², which people know, with a strict limit.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from service.experiments.statistics.distributions import chi2_tail, log_gamma
from service.experiments.statistics.sequence import check_alpha

ALARM_ALPHA = 0.01
DISPLAY_ALPHA = 0.001
# How near to the weights the test looks for another ratio: about ±1/√k. Found best for 52 against 48.
CONCENTRATION = 1_000.0
# Below so many expected units, χ² is no approximation (Cochran 1954).
_FEWEST_EXPECTED = 5.0


@dataclass(frozen=True, slots=True)
class Split:
    """An epoch's weights and the units that it met, by arm. Weights need not add up to 1.

    Raises `ValueError` for weights or counts that are negative, for no weight at all, and for an arm without a weight.
    """

    epoch: int
    weights: Mapping[str, float]
    units: Mapping[str, int]

    def __post_init__(self) -> None:
        for arm, number in (*self.weights.items(), *self.units.items()):
            if not (math.isfinite(number) and number >= 0):
                raise ValueError(f"The arm {arm!r} has {number!r}. Give weights and counts of 0 or more.")
        if set(self.units) - set(self.weights):
            raise ValueError(
                f"{sorted(set(self.units) - set(self.weights))!r} have no weight. Give 0 for none."
            )
        if not sum(self.weights.values()) > 0:
            raise ValueError(f"The weights {dict(self.weights)!r} are all 0. Leave the epoch out.")


@dataclass(frozen=True, slots=True)
class EpochRatio:
    """An epoch's share of the alarm: its e-value's logarithm, and χ² with its p-value, None for too few units."""

    epoch: int
    log_e: float
    chi2: float | None
    chi2_p: float | None


@dataclass(frozen=True, slots=True)
class SampleRatio:
    """Whether an alarm is raised, the always valid p-value behind it, and χ² over all epochs for display."""

    is_alarm: bool
    p: float
    chi2: float | None
    chi2_p: float | None
    is_chi2_low: bool
    epochs: tuple[EpochRatio, ...]


def check_sample_ratio(
    splits: Sequence[Split], *, alpha: float = ALARM_ALPHA, concentration: float = CONCENTRATION
) -> SampleRatio:
    """Hold each epoch's units against its own weights. `splits` lie in the order of the epochs.

    The alarm's chance of being false is at most `alpha`, over all looks and all epochs: the i-th epoch gets 6/(π²i²) of it.
    Whoever comes back meets the same arm, so epochs depend on each other, and their evidence isn't multiplied. Before any
    unit there is no alarm. Raises `ValueError` for an impossible `alpha`.
    """
    check_alpha(alpha)
    epochs = tuple(_epoch(split, concentration) for split in splits)
    weighed = [one.log_e + math.log(6) - 2 * math.log(math.pi * i) for i, one in enumerate(epochs, 1)]
    p = math.exp(-max([0.0, *weighed]))
    tested = [(one.chi2, len(_arms(split)) - 1) for one, split in zip(epochs, splits, strict=True)]
    known = [(chi2, df) for chi2, df in tested if chi2 is not None and df]
    total, df = sum(chi2 for chi2, _ in known), sum(df for _, df in known)
    chi2_p = chi2_tail(total, df) if known else None
    is_low = chi2_p is not None and chi2_p < DISPLAY_ALPHA
    return SampleRatio(p <= alpha, p, total if known else None, chi2_p, is_low, epochs)


def _epoch(split: Split, concentration: float) -> EpochRatio:
    arms = _arms(split)
    units = [split.units.get(arm, 0) for arm in arms]
    shares = [split.weights[arm] for arm in arms]
    if sum(split.units.values()) > sum(units):  # somebody met an arm that nobody could meet
        return EpochRatio(split.epoch, math.inf, math.inf, 0.0)
    chi2 = pearson(units, shares) if len(arms) > 1 else None
    chi2_p = None if chi2 is None else chi2_tail(chi2, len(arms) - 1)
    return EpochRatio(split.epoch, log_multinomial_e(units, shares, concentration), chi2, chi2_p)


def _arms(split: Split) -> list[str]:
    return [arm for arm, weight in split.weights.items() if weight > 0]


def log_multinomial_e(
    units: Sequence[int], weights: Sequence[float], concentration: float = CONCENTRATION
) -> float:
    """The logarithm of the evidence against the weights: of the Bayes factor with a Dirichlet prior around them.

    Its inverse is a p-value at any time (Ville 1939). All weights are above 0; without units it is 0.
    """
    seen, shares = np.asarray(units, dtype=float), np.asarray(weights, dtype=float) / sum(weights)
    prior = concentration * shares
    marginal = log_gamma(concentration) - log_gamma(concentration + seen.sum())
    marginal = marginal + (log_gamma(prior + seen) - log_gamma(prior)).sum()
    return float(marginal - (seen * np.log(shares)).sum())


def pearson(units: Sequence[int], weights: Sequence[float]) -> float | None:
    """Pearson's χ² of the units against the weights, with one degree of freedom less than arms; None for too few units."""
    seen, shares = np.asarray(units, dtype=float), np.asarray(weights, dtype=float) / sum(weights)
    expected = seen.sum() * shares
    if expected.min() < _FEWEST_EXPECTED:
        return None
    return float(((seen - expected) ** 2 / expected).sum())
