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


def test_a_prompt_is_refused_above_one_score_and_kept_from_generators_above_another() -> None:
    rule = policy_of().input["injection_model"]
    assert rule.action == "block"
    assert rule.degrade_threshold is not None
    assert rule.degrade_threshold < rule.threshold


@pytest.mark.parametrize("rule", ["flag", "off", {"threshold": 0.2}, {"action": "flag", "threshold": 0.9}])
def test_a_rule_without_room_for_the_lower_point_has_none(rule: object) -> None:
    assert policy_of({"input": {"injection_model": rule}}).input["injection_model"].degrade_threshold is None


def test_a_layer_may_move_the_lower_point_or_take_it_away() -> None:
    lower = {"input": {"injection_model": {"degrade_threshold": 0.3}}}
    assert policy_of(lower).input["injection_model"].degrade_threshold == 0.3
    none = {"input": {"injection_model": {"degrade_threshold": None}}}
    assert policy_of(lower, none).input["injection_model"].degrade_threshold is None


@pytest.mark.parametrize(
    ("zone", "name", "rule", "message"),
    [
        ("input", "injection_model", {"threshold": 0.6, "degrade_threshold": 0.7}, "must not be above"),
        ("input", "injection_model", {"action": "flag", "degrade_threshold": 0.3}, "needs the action"),
        ("input", "toxicity", {"action": "block", "degrade_threshold": 0.3}, "has no degrade_threshold"),
        ("output", "toxicity", {"action": "block", "degrade_threshold": 0.3}, "has no degrade_threshold"),
    ],
)
def test_a_lower_point_that_can_mean_nothing_is_refused(
    zone: str, name: str, rule: dict[str, object], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        policy_of({zone: {name: rule}})
