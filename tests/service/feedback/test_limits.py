"""So much and no more, each for itself, and again after its time."""

import pytest

from service.errors import RateLimitError
from service.feedback import limits
from service.feedback.limits import Limits, Quota, Taken
from service.scope.feedback import FeedbackLimits


def test_a_quota_is_of_each_name_and_begins_anew() -> None:
    quota = Quota(3, 60.0, "A key")
    for second in range(3):
        quota.take("a", now=float(second))
    with pytest.raises(RateLimitError, match="A key gives at most 3") as raised:
        quota.take("a", now=10.0)
    assert raised.value.retry_after_s == 50
    quota.take("b", 3, now=10.0)
    quota.take("a", now=60.0)


def test_what_is_refused_does_not_count() -> None:
    quota = Quota(3, 60.0, "A key")
    quota.take("a", 2, now=0.0)
    with pytest.raises(RateLimitError):
        quota.take("a", 2, now=1.0)
    quota.take("a", 1, now=1.0)


def test_what_no_stretch_of_time_has_room_for_is_to_be_divided() -> None:
    quota = Quota(3, 60.0, "A key")
    with pytest.raises(RateLimitError, match="Divide it"):
        quota.take("a", 4, now=0.0)
    quota.take("b", 2, now=0.0)
    with pytest.raises(RateLimitError, match="Send it again in 30 s"):
        quota.take("b", 2, now=30.0)


def test_what_is_given_back_late_makes_no_room_in_the_next_stretch() -> None:
    quota = Quota(3, 60.0, "A key")
    first = quota.take("a", 3, now=0.0)
    quota.take("a", 3, now=60.0)
    Taken((first,)).give_back(3)
    with pytest.raises(RateLimitError):
        quota.take("a", now=61.0)


def test_names_do_not_fill_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "_REMEMBERED", 10)
    quota = Quota(1, 60.0, "A key")
    for number in range(11):
        quota.take(str(number), now=0.0)
    quota.take("0", now=1.0)
    with pytest.raises(RateLimitError):
        quota.take("10", now=1.0)


def test_the_scope_s_defaults() -> None:
    found = Limits(FeedbackLimits.model_validate({}))
    found.answers.take("a", 20)
    found.actors.take("a", 200)
    for quota in (found.answers, found.actors):
        with pytest.raises(RateLimitError):
            quota.take("a")


def test_what_was_not_stored_is_given_back() -> None:
    found = Limits(FeedbackLimits.model_validate({"events_an_answer": 1, "events_an_actor_a_day": 2}))
    for _ in range(5):
        found.take((found.answers, "a"), (found.actors, "u")).give_back()
    found.take((found.answers, "a"), (found.actors, "u"))
    with pytest.raises(RateLimitError, match="The token"):
        found.take((found.answers, "a"), (found.actors, "u"))
    found.take((found.answers, "b"), (found.actors, "u"))
    with pytest.raises(RateLimitError, match="One user"):
        found.take((found.answers, "c"), (found.actors, "u"))
    found.take((found.answers, "c"))
