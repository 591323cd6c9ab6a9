"""The distributions that the tests need, typed. `scipy.special` loads faster than `scipy.stats` and is all it takes."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special  # type: ignore[import-untyped]

Floats = NDArray[np.float64]


def normal_tail(z: ArrayLike) -> Floats:
    """The chance that a standard normal lies above `z`. Any shape."""
    return _floats(special.ndtr(-np.asarray(z)))


def normal_quantile(tail: ArrayLike) -> Floats:
    """The point above which a standard normal lies with the chance `tail`. Any shape."""
    return _floats(-special.ndtri(np.asarray(tail)))


def t_tail(t: ArrayLike, df: ArrayLike) -> Floats:
    """The chance that Student's t with `df` degrees of freedom lies above `t`; `inf` degrees are the normal's."""
    return _floats(special.stdtr(np.asarray(df), -np.asarray(t)))


def t_quantile(tail: ArrayLike, df: ArrayLike) -> Floats:
    """The point above which Student's t lies with the chance `tail`, which is at most one half."""
    df = np.asarray(df, dtype=float)
    # Where the tail is smaller than a float can say, the sign of scipy's infinity is not to be relied on.
    student = np.abs(special.stdtrit(np.where(np.isinf(df), 1.0, df), np.asarray(tail)))
    return _floats(np.where(np.isinf(df), normal_quantile(tail), student))


def normal_of_t(t: ArrayLike, df: ArrayLike) -> Floats:
    """The normal point with as large a tail as Student's t has beyond `t`; the sign stays.

    What is true of normal statistics is so carried over to few units, whose spread is itself a guess.
    """
    t = np.asarray(t, dtype=float)
    z = np.where(np.isinf(np.asarray(df)), np.abs(t), normal_quantile(t_tail(np.abs(t), df)))
    return _floats(np.sign(t) * z)


def chi2_tail(value: float, df: int) -> float:
    """The chance that χ² with `df` degrees of freedom lies above `value`."""
    return float(special.chdtrc(df, value))


def binomial_tail(hits: int, n: int) -> float:
    """The chance of at most `hits` heads in `n` throws of a fair coin."""
    return float(special.bdtr(hits, n, 0.5))


def beta_quantile(below: float, a: float, b: float) -> float:
    """The point below which a beta distribution lies with the chance `below`."""
    return float(special.betaincinv(a, b, below))


def log_gamma(value: ArrayLike) -> Floats:
    """The logarithm of the gamma function. Any shape."""
    return _floats(special.gammaln(np.asarray(value)))


def log_sum_exp(values: ArrayLike) -> float:
    """The logarithm of a sum of which the logarithms of the terms are given."""
    return float(special.logsumexp(np.asarray(values)))


def _floats(value: Any) -> Floats:
    found: Floats = np.asarray(value, dtype=np.float64)
    return found
