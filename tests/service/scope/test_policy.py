"""Policies of guards: what a scope leaves open has its default."""

import pytest

from service.scope.policy import Zone, policy_of

LIMITED: list[tuple[Zone, str, int]] = [
    ("input", "length", 20_000),
    ("output", "length", 20_000),
    ("output", "repetition", 3),
    ("retrieved", "near_copies", 3),
    ("retrieved", "per_source", 3),
]


@pytest.mark.parametrize(("zone", "name", "limit"), LIMITED)
def test_a_limit_of_zero_means_the_default(zone: Zone, name: str, limit: int) -> None:
    assert policy_of({zone: {name: {"limit": 0}}}).of(zone)[name].limit == limit
    assert policy_of({zone: {name: {"limit": 7}}}, {zone: {name: {"limit": 0}}}).of(zone)[name].limit == limit
    assert policy_of({zone: {name: {"limit": 7}}}).of(zone)[name].limit == 7
