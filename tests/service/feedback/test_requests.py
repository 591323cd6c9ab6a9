"""What may be said: values of their kind, within bounds, at a time that can be."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from service.feedback.requests import FeedbackRequest

ID = "0" * 36


def a_request(**changes: Any) -> FeedbackRequest:
    return FeedbackRequest.model_validate({"answer_id": ID, "kind": "thumb", "value": "up", **changes})


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        ("thumb", ["up", "down"]),
        ("rating", [1, 5, "3"]),
        ("comment", ["x", "y" * 4_000]),
        ("correction", ["x", "y" * 20_000]),
        ("outcome", ["resolved", "escalated", "reopened", "ticket_closed"]),
    ],
)
def test_values_of_each_kind_are_taken_and_null_retracts(kind: str, values: list[Any]) -> None:
    for value in values:
        found = a_request(kind=kind, value=value)
        assert found.state == "set"
        assert str(value) in (found.stored_value, found.remark, found.correction)
    assert a_request(kind=kind, value=None).state == "retracted"


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("thumb", "sideways"), ("thumb", 1), ("thumb", True), ("rating", 0), ("rating", 6), ("rating", 2.5), ("rating", True),
        ("rating", ""), ("comment", ""), ("comment", "  "), ("comment", "x" * 4_001), ("comment", 7), ("comment", "\ud800"),
        ("correction", "x" * 20_001), ("outcome", "solved"), ("outcome", "up"), ("star", "up"),
    ],
)  # fmt: skip
def test_other_values_are_refused_by_the_field(kind: str, value: Any) -> None:
    with pytest.raises(ValidationError) as raised:
        a_request(kind=kind, value=value)
    assert raised.value.errors()[0]["loc"][0] in ("value", "kind")


@pytest.mark.parametrize(
    "changes",
    [
        {"conversation_id": "c"},
        {"answer_id": None},
        {"reasons": ["Not a code"]},
        {"reasons": ["wrong"] * 11},
        {"value": None, "reasons": ["wrong"]},
        {"value": None, "comment": "but"},
        {"kind": "comment", "value": "x", "comment": "y"},
        {"target": "sentence"},
        {"target": "citation:x"},
        {"consent": "all"},
        {"actor_kind": "robot"},
        {"observed_at": "2019-12-31T23:59:59Z"},
        {"observed_at": "2026-01-01T00:00:00"},
        {"answer_id": None, "conversation_id": "c", "token": "1.x"},
        {"answer_id": None, "conversation_id": "a\x00b"},
        {"more": 1},
    ],
)
def test_what_contradicts_itself_or_is_out_of_bounds_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        a_request(**changes)


def test_nothing_was_observed_later_than_now() -> None:
    with pytest.raises(ValidationError):
        a_request(observed_at=(datetime.now(UTC) + timedelta(minutes=2)).isoformat())


def test_outcomes_and_what_names_a_conversation_are_about_the_conversation() -> None:
    of_conversation = {"answer_id": None, "conversation_id": "c"}
    assert a_request().aim == "answer"
    assert a_request(kind="outcome", value="resolved").aim == "conversation"
    assert a_request(**of_conversation, kind="rating", value=4).aim == "conversation"
    assert a_request(target="sentence:2").aim == "sentence:2"


def test_no_text_has_a_nul() -> None:
    assert a_request(kind="comment", value="a\x00b").remark == "a\N{REPLACEMENT CHARACTER}b"
    assert a_request(comment="a\x00b").remark == "a\N{REPLACEMENT CHARACTER}b"
