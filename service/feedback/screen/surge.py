"""When more people than usual say the same of a document, and whether the others fell silent, grew alike, or went on.

A document that goes out of date turns: those who praised it stop. One that becomes popular gets more praise and more
blame alike. In an attack one side grows and the other goes on as if nothing had happened. The window is found by
Kulldorff's scan statistic (1997, "A spatial scan statistic", Poisson model) over time, which is counted in the traffic of
the whole service, so that a busy week is no surge.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import lgamma, log
from typing import Literal

import numpy as np
import numpy.typing as npt

from service.feedback.screen.opinion import Opinion, Verdict

Floats = npt.NDArray[np.float64]
# A log likelihood ratio that windows of honest traffic reach in few documents of a hundred.
_LEAST_STRENGTH = 12.0
_LEAST_OPINIONS = 6
# A window of nearly all the time has nothing outside to be compared with.
_MOST_SHARE = 0.85
# Beginnings and ends that are tried; more opinions are thinned.
_PLACES = 200
# How far beyond its first and last opinion a window is taken to reach: a part of its length, and days.
_EDGE_SHARE, _EDGE_DAYS = 0.08, 0.5
# What the models of the other side believe: how sure a share is that was seen outside, the share of those who still say
# the opposite of a document that turned (a Beta distribution), and how much traffic varies by itself.
_SURENESS, _TURNED, _STEADINESS = 20.0, (1.5, 10.0), 10.0
# How many opinions the clock weighs: a service with one document has no other traffic.
_CLOCK = 50.0


@dataclass(frozen=True, slots=True)
class Surge:
    """Opinions of one verdict in a window. `expected` of them, and `others_expected` of the opposite verdict, there would
    be if both had gone on as outside. `before` is the share of all traffic that came before the window.

    `against_growth` and `against_turn` are log likelihood ratios of their going on: against both sides having grown
    alike, and against a document that turned.
    """

    begins: float
    ends: float
    before: float
    opinions: tuple[Opinion, ...]
    expected: float
    others_expected: float
    against_growth: float
    against_turn: float

    def holds(self, opinion: Opinion) -> bool:
        """Whether an opinion falls into the window."""
        return self.begins <= opinion.at <= self.ends


class Traffic:
    """Time as the service counts it: by the opinions that it gets on everything else, and a little by the clock."""

    def __init__(self, opinions: Sequence[Opinion]) -> None:
        self._times = _times(opinions)
        self._own = _times(())

    def beside(self, opinions: Sequence[Opinion]) -> "Traffic":
        """Without the opinions that are looked at: they must not hide themselves."""
        found = Traffic(())
        found._times, found._own = self._times, _times(opinions)
        return found

    def before(self, times: Floats) -> Floats:
        """The share of all that was said before each time."""
        return self._share(times, "left")

    def until(self, times: Floats) -> Floats:
        """The share of all that was said up to and with each time."""
        return self._share(times, "right")

    def _share(self, times: Floats, side: Literal["left", "right"]) -> Floats:
        others = np.searchsorted(self._times, times, side) - np.searchsorted(self._own, times, side)
        first, last = self._times[0], max(self._times[-1], self._times[0] + 1e-6)
        clock = np.clip((times - first) / (last - first), 0, 1)
        found: Floats = (others + _CLOCK * clock) / (len(self._times) - len(self._own) + _CLOCK)
        return found

    def share(self, begins: float, ends: float) -> float:
        """The share of all that was said in a window."""
        return float(self.until(np.array([ends]))[0] - self.before(np.array([begins]))[0])


def _times(opinions: Sequence[Opinion]) -> Floats:
    return np.sort(np.array([one.at for one in opinions], dtype=np.float64))


def find_surge(opinions: Sequence[Opinion], verdict: Verdict, traffic: Traffic) -> Surge | None:
    """The strongest window of a verdict on a document, if it is strong. An actor counts once a day in looking for it."""
    traffic = traffic.beside(opinions)
    camp = sorted((one for one in opinions if one.verdict == verdict), key=lambda one: one.at)
    first_of_day = {(one.actor, int(one.at)): one.at for one in reversed(camp)}
    times = np.array(sorted(first_of_day.values()), dtype=np.float64)
    window = _strongest(times, traffic)
    if window is None:
        return None
    margin = max(_EDGE_SHARE * (window[1] - window[0]), _EDGE_DAYS)
    begins, ends = window[0] - margin, window[1] + margin
    others = [one for one in opinions if one.verdict != verdict]
    surge = _weighed(camp, others, begins, ends, traffic.share(begins, ends))
    return replace(surge, before=float(traffic.before(np.array([begins]))[0]))


def _strongest(times: Floats, traffic: Traffic) -> tuple[float, float] | None:
    """The window whose rate differs most from the rate outside."""
    count = len(times)
    if count < _LEAST_OPINIONS:
        return None
    places = np.unique(np.linspace(0, count - 1, min(count, _PLACES)).astype(np.int64))
    before, until = traffic.before(times), traffic.until(times)
    best, window = _LEAST_STRENGTH, None
    for start in places:
        ends = places[places >= start + _LEAST_OPINIONS - 1]
        if len(ends) == 0:
            break
        shares = until[ends] - before[start]
        strengths = np.where(shares < _MOST_SHARE, _strength(ends - start + 1.0, count, shares), 0.0)
        strongest = int(strengths.argmax())
        if strengths[strongest] > best:
            best, window = float(strengths[strongest]), (float(times[start]), float(times[ends[strongest]]))
    return window


def _strength(inside: Floats, count: int, shares: Floats) -> Floats:
    """Kulldorff's log likelihood ratio for a higher rate inside."""
    expected = np.maximum(count * shares, 1e-3)
    outside, rest = count - inside, np.maximum(count - expected, 1e-9)
    ratio = inside * np.log(inside / expected) + np.where(
        outside > 0, outside * np.log(np.maximum(outside, 1e-9) / rest), 0.0
    )
    return np.where(inside > expected, ratio, 0.0)


def _weighed(
    camp: Sequence[Opinion], others: Sequence[Opinion], begins: float, ends: float, share: float
) -> Surge:
    inside = tuple(one for one in camp if begins <= one.at <= ends)
    found = sum(begins <= one.at <= ends for one in others)
    total = len(inside) + found
    outside, others_outside = len(camp) - len(inside), len(others) - found
    odds = share / max(1 - share, 0.02)
    expected = others_outside * odds
    opposite = (others_outside + 1) / (outside + others_outside + 2)
    went_on = _negative_binomial(found, max(expected, 0.3), _STEADINESS)
    grew = _beta_binomial(found, total, _SURENESS * opposite, _SURENESS * (1 - opposite))
    turned = _beta_binomial(found, total, *_TURNED)
    return Surge(begins, ends, 0.0, inside, outside * odds, expected, went_on - grew, went_on - turned)


def _beta_binomial(found: int, total: int, yes: float, no: float) -> float:
    """Log probability of so many of a total, whose share is Beta distributed."""
    ways = lgamma(total + 1) - lgamma(found + 1) - lgamma(total - found + 1)
    return ways + _log_beta(found + yes, total - found + no) - _log_beta(yes, no)


def _log_beta(a: float, b: float) -> float:
    return lgamma(a) + lgamma(b) - lgamma(a + b)


def _negative_binomial(found: int, mean: float, size: float) -> float:
    """Log probability of a count whose rate varies: a Poisson count with a Gamma distributed rate."""
    ways = lgamma(found + size) - lgamma(size) - lgamma(found + 1)
    return ways + size * log(size / (size + mean)) + found * log(mean / (size + mean))
