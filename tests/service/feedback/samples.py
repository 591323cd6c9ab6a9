"""Feedback events for tests."""

from typing import Any

from service.feedback.event import Event, Speaker
from service.ids import uuid7

SOMEBODY = Speaker("token", "a" * 32, "end_user", "widget")


def an_event(**changes: Any) -> Event:
    """A thumb up on an answer of its own."""
    return Event(
        **{
            "answer_id": uuid7(),
            "speaker": SOMEBODY,
            "kind": "thumb",
            "value": "up",
            "state": "set",
            **changes,
        }
    )
