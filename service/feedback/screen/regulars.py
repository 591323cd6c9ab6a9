"""Whether those who speak often of something say what all others say of it, or something else together.

One person who disagrees is a person. Many who each come back to say the same, against what everybody else says of the same
passages, are a campaign, however many honest opinions on other things they give beside it.
"""

from bisect import bisect
from collections import Counter
from collections.abc import Callable, Sequence
from itertools import accumulate
from math import exp, lgamma, log

import numpy as np
import numpy.typing as npt

from service.feedback.screen.opinion import Opinion, Verdict, by_passage

Floats = npt.NDArray[np.float64]
# The chance that others would say the same of what an opinion is about.
Chance = Callable[[Opinion], float]
_LEAST_REGULARS = 6
# How often a campaigner says what the campaign wants.
_LOYALTY = 0.92
_LEAST_CHANCE, _MOST_CHANCE = 0.03, 0.97
# Likelihood ratios from which on an actor counts as one who stands apart: a few opinions can't reach the higher ones, and
# many people with two opinions hide nobody with ten.
_LEVELS = (log(8.0), log(100.0), log(10_000.0))
_ROUNDS, _SEED = 60, 7
# People differ more than dice: so much more often, and one in a hundred beside that.
_SPREAD, _ODD_SHARE = 1.3, 0.01
_SIGNIFICANCE = 1e-6
# How many opinions a document's average weighs beside those on the passage itself.
_PRIOR = 3.0
# What was said at about a time: so many of the opinions nearest to it.
_NEAR, _NEAR_PASSAGE = 20, 8


def campaigners(opinions: Sequence[Opinion], verdict: Verdict, chance: Chance) -> frozenset[str]:
    """Actors with several opinions who together stand apart; nobody, unless there are more than chance explains.

    An actor's likelihood ratio compares a campaigner with somebody who says what others would. How many stand apart by
    chance is found by drawing verdicts; then those are named whom the odds are against.
    """
    # Whoever is unhappy says so several times in one conversation: that is one opinion.
    mine: dict[str, dict[tuple[str, int], Opinion]] = {}
    for one in opinions:
        mine.setdefault(one.actor, {})[one.passage, int(one.at)] = one
    regulars = {actor: said for actor, said in mine.items() if len(said) >= 2}
    if len(regulars) < _LEAST_REGULARS:
        return frozenset()
    rows = [(number, one) for number, said in enumerate(regulars.values()) for one in said.values()]
    owners = np.array([number for number, _ in rows])
    chances = np.clip(np.array([chance(one) for _, one in rows]), _LEAST_CHANCE, _MOST_CHANCE)
    loyal = np.maximum(_LOYALTY, chances)
    if_said, if_not = np.log(loyal / chances), np.log((1 - loyal) / (1 - chances))

    def scores(said: npt.NDArray[np.bool_]) -> Floats:
        return np.bincount(owners, np.where(said, if_said, if_not), len(regulars)).astype(np.float64)

    own = scores(np.array([one.verdict == verdict for _, one in rows]))
    draws = np.random.default_rng(_SEED)
    drawn = np.array([scores(draws.random(len(rows)) < chances) for _ in range(_ROUNDS)])
    share = max(_share(own, drawn, level) for level in _LEVELS)
    if share <= 0:
        return frozenset()
    return frozenset(
        actor for actor, score in zip(regulars, own, strict=True) if score + log(share / (1 - share)) > 0
    )


def _share(own: Floats, drawn: Floats, level: float) -> float:
    """The part of the regulars who stand apart beyond chance at a level; 0 where they are no more than chance explains."""
    apart, count = int((own > level).sum()), len(own)
    expected = _SPREAD * float((drawn > level).sum(axis=1).mean()) + _ODD_SHARE * count + 1
    if _poisson_tail(apart, expected) >= _SIGNIFICANCE:
        return 0.0
    return min((apart - expected) / count, 0.99)


def chance_by_single(opinions: Sequence[Opinion], verdict: Verdict) -> Chance:
    """What those say who speak once, at about that time: of the passage, and where few do, of all that is given."""
    often = Counter(one.actor for one in opinions)
    once = sorted((one for one in opinions if often[one.actor] == 1), key=lambda one: one.at)
    everywhere = _Course(once, verdict)
    passages = {name: _Course(said, verdict) for name, said in by_passage(once).items()}

    def chance(one: Opinion) -> float:
        agreeing, total = everywhere.around(one.at, _NEAR)
        average = (agreeing + 1) / (total + 2)
        there = passages.get(one.passage)
        agreeing, total = there.around(one.at, _NEAR_PASSAGE) if there else (0, 0)
        return (agreeing + _PRIOR * average) / (total + _PRIOR)

    return chance


class _Course:
    """What was said over time, in order of time."""

    def __init__(self, opinions: Sequence[Opinion], verdict: Verdict) -> None:
        self._times = [one.at for one in opinions]
        self._agreeing = [0, *accumulate(one.verdict == verdict for one in opinions)]

    def around(self, at: float, most: int) -> tuple[int, int]:
        """Of the opinions nearest in time, how many agree, and how many there are."""
        place = bisect(self._times, at)
        first = max(0, min(place - most // 2, len(self._times) - most))
        last = min(len(self._times), first + most)
        return self._agreeing[last] - self._agreeing[first], last - first


def chance_by_others(opinions: Sequence[Opinion], verdict: Verdict) -> Chance:
    """What everybody else says of the same passage; an actor's last word on a passage counts."""
    total: dict[str, int] = {}
    agreeing: dict[str, int] = {}
    for passage, said in by_passage(opinions).items():
        last = {one.actor: one.verdict for one in said}
        total[passage], agreeing[passage] = len(last), sum(v == verdict for v in last.values())
    return lambda one: (agreeing[one.passage] - (one.verdict == verdict) + 0.5) / max(total[one.passage], 1)


def _poisson_tail(count: int, mean: float) -> float:
    """The chance of so many or more."""
    term = exp(-mean + count * log(mean) - lgamma(count + 1))
    total = 0.0
    for step in range(1, 1_000):
        total += term
        term *= mean / (count + step)
        if term < total * 1e-12:
            break
    return min(total, 1.0)
