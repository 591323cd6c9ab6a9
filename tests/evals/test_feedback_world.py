"""The simulated campaigns are the same in every run, as many as was said, and do not reach the dataset."""

import numpy as np
import pytest

from evals.bench.feedback import _shares
from evals.bench.feedback_world import DAYS, STRATEGIES, World, attack


def a_world(seed: int = 1) -> World:
    return World(np.random.default_rng(seed))


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_one_actor_in_twenty_was_told_what_to_say(strategy: str) -> None:
    world = a_world()
    said = attack(world, strategy)
    told = {one.actor for one in said}
    assert told == set(range(950, 1_000))
    assert all(one.is_attacker for one in said)
    assert {one.actor for one in said if one.is_poison} == told
    assert all(0 <= one.day <= DAYS for one in said)
    assert said == attack_again(strategy)


def attack_again(strategy: str) -> object:
    return attack(a_world(), strategy)


def test_honest_people_are_told_nothing_and_disagree() -> None:
    said = a_world().honest()
    assert said == a_world().honest()
    assert not any(one.is_poison or one.is_attacker for one in said)
    assert 0.6 < np.mean([one.is_good for one in said]) < 0.9
    assert all(bool(one.text) == (one.kind == "correction") for one in said)


@pytest.mark.slow
@pytest.mark.parametrize("strategy", sorted(STRATEGIES.keys() - {"one_each"}))
def test_a_campaign_stays_out_of_the_dataset_and_people_stay_in(strategy: str) -> None:
    kept, lost = _shares(strategy, 77)
    assert kept <= 0.005
    assert lost <= 0.02
