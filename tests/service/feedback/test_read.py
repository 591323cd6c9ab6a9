"""Feedback is found from any moment on that a client can write."""

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest
from sqlalchemy import Engine

from service.database import migrate, open_database
from service.feedback.read import FeedbackQuery, find_feedback
from service.feedback.record import write
from tests.service.feedback.samples import an_event


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    made = open_database(f"sqlite:///{tmp_path / 'db'}")
    migrate(made)
    yield made
    made.dispose()


@pytest.mark.parametrize(
    ("since", "count"), [("0001-01-01T00:00:00+14:00", 1), ("9999-12-31T23:59:59-14:00", 0)]
)
def test_the_ends_of_the_calendar_are_moments_too(engine: Engine, since: str, count: int) -> None:
    write(engine, [an_event()])
    assert len(find_feedback(engine, FeedbackQuery(since=datetime.fromisoformat(since)))) == count
