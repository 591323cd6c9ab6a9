"""How many units a difference takes, how many days that is, and how much of the planned information there is."""

import math
from collections.abc import Mapping

from service.experiments.statistics.decide import LOOKING, Method
from service.experiments.statistics.distributions import normal_quantile
from service.experiments.statistics.estimate import Estimate, Unmeasured
from service.experiments.statistics.sequence import check_alpha, multiplier


def units_for_proportions(
    control: float, treatment: float, *, alpha: float = 0.05, power: float = 0.8, method: Method = "fixed"
) -> float:
    """Units in each arm at which a difference of two proportions is found with the chance `power`, not rounded.

    The test is the pooled one, as in R's `power.prop.test` (Fleiss, Levin and Paik 2003, chapter 4). Raises `ValueError` for
    proportions outside 0 to 1 or the same, and for a chance that is none.
    """
    for value in (control, treatment):
        if not 0 <= value <= 1:
            raise ValueError(f"{value!r} is no proportion. Give a number from 0 to 1.")
    critical, beyond = _critical(alpha, method), _beyond(alpha, power)
    mean = (control + treatment) / 2
    null = math.sqrt(2 * mean * (1 - mean))
    alternative = math.sqrt(control * (1 - control) + treatment * (1 - treatment))
    return ((critical * null + beyond * alternative) / _difference(treatment - control)) ** 2


def units_for_means(
    deviation: float, difference: float, *, alpha: float = 0.05, power: float = 0.8, method: Method = "fixed"
) -> float:
    """Units in each arm at which a difference of two means is found with the chance `power`, not rounded.

    `deviation` is the standard deviation between units, in the metric's own unit. The normal's number and a quarter of the
    critical value's square for Student's t (Guenther 1981). Raises `ValueError` for a deviation below 0, for no difference,
    and for a chance that is none.
    """
    if not (math.isfinite(deviation) and deviation >= 0):
        raise ValueError(f"deviation is {deviation!r}. Give the standard deviation between units, 0 or more.")
    critical, beyond = _critical(alpha, method), _beyond(alpha, power)
    return 2 * ((critical + beyond) * deviation / _difference(difference)) ** 2 + critical**2 / 4


def _critical(alpha: float, method: Method) -> float:
    """The standard errors at which the difference is found at the planned end.

    The hybrid's test has a smaller alpha at the end, so that it takes 7 % more units at 80 % power; what its looks find
    earlier comes on top. The sequence needs almost twice as many, and seldom all of them.
    """
    check_alpha(alpha)
    if method == "sequence":
        return float(multiplier(1.0, alpha))
    return float(normal_quantile(alpha * (1 - LOOKING if method == "hybrid" else 1.0) / 2))


def _beyond(alpha: float, power: float) -> float:
    if not alpha < power < 1:
        raise ValueError(f"power is {power!r}. Give a chance between alpha, {alpha!r}, and 1, such as 0.8.")
    return float(normal_quantile(1 - power))


def _difference(value: float) -> float:
    if not math.isfinite(value) or value == 0:
        raise ValueError(
            f"The difference is {value!r}. Give the smallest one that matters; no number of units shows none."
        )
    return value


def design_effect(mean_size: float, correlation: float, size_variation: float = 0.0) -> float:
    """How many times the observations clusters take, compared with independent observations.

    `mean_size` is the observations of a unit, `correlation` that of two observations of one unit (ICC), `size_variation` the
    standard deviation of the sizes over their mean: 1 + ((1 + cv²)·mean − 1)·ICC (Eldridge, Ashby and Kerry 2006).
    """
    if not (mean_size > 0 and 0 <= correlation <= 1 and size_variation >= 0):
        raise ValueError(
            f"{mean_size!r} observations, a correlation of {correlation!r} and a variation of {size_variation!r} are"
            " impossible. Give a size above 0, a correlation from 0 to 1, and a variation of 0 or more."
        )
    return max(1.0, 1 + ((1 + size_variation**2) * mean_size - 1) * correlation)


def units_for_clusters(observations: float, mean_size: float, effect: float) -> float:
    """The units that give as much as so many independent observations, with a `design_effect`."""
    return observations * effect / mean_size


def days(per_arm: float, units_per_day: float, weights: Mapping[str, float], coverage: float = 1.0) -> float:
    """Days until each arm has its units, where every day brings new ones; infinite without any.

    `weights` by arm need not add up to 1; the smallest arm decides. `coverage` is the share of units that takes part.
    """
    if not weights or min(weights.values()) <= 0 or not 0 <= coverage <= 1 or units_per_day < 0:
        raise ValueError(
            f"{units_per_day!r} units a day, weights {dict(weights)!r} and a coverage of {coverage!r} are impossible."
            " Give numbers of 0 or more, weights above 0, and a coverage from 0 to 1."
        )
    smallest = units_per_day * coverage * min(weights.values()) / sum(weights.values())
    return per_arm / smallest if smallest else math.inf


def progress_of(
    effect: Estimate | Unmeasured,
    difference: float,
    *,
    alpha: float = 0.05,
    power: float = 0.8,
    method: Method = "hybrid",
) -> float:
    """How much of the planned information an estimate holds: 1 where it would find `difference` with the chance `power`.

    The square of the planned standard error over that of the estimate, so that it takes account of clusters and of CUPED;
    0 for an effect that is not known yet.
    """
    planned = abs(_difference(difference)) / (_critical(alpha, method) + _beyond(alpha, power))
    return 0.0 if isinstance(effect, Unmeasured) else (planned / effect.se) ** 2
