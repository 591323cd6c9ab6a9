"""On which answer a statement about a conversation is kept."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, event

from service.answer.record import insert_rows
from service.database import migrate, open_database
from service.feedback.event import Speaker
from service.feedback.record import write
from service.feedback.rights import answers_of_conversations
from service.ids import uuid7
from tests.service.answer.test_record import a_row
from tests.service.feedback.samples import an_event

NOW = datetime(2026, 6, 1, tzinfo=UTC)
ACTOR = "a" * 32


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    made = open_database(f"sqlite:///{tmp_path / 'db'}")
    migrate(made)
    yield made
    made.dispose()


def an_answer(engine: Engine, minute: int, **columns: Any) -> str:
    answer_id = uuid7()
    row = {
        "id": answer_id,
        "conversation_id": "c",
        "caller": "k",
        "created_at": NOW + timedelta(minutes=minute),
    }
    insert_rows(engine, [a_row(**{**row, **columns})])
    return answer_id


def chosen(engine: Engine, *, caller: str | None = "k", actor: str = ACTOR) -> str | None:
    found = answers_of_conversations(engine, [("c", actor)], caller).get(("c", actor))
    return found.id if found else None


def test_it_is_the_last_one_of_the_caller(engine: Engine) -> None:
    last = an_answer(engine, 2)
    an_answer(engine, 1)
    others = an_answer(engine, 3, caller="other")
    assert chosen(engine) == last
    assert chosen(engine, caller=None) == others
    assert chosen(engine, caller="nobody") is None


def test_a_treatment_s_answer_that_nobody_saw_is_never_it(engine: Engine) -> None:
    """A shadow answers after the control, under the same caller and conversation."""
    seen = an_answer(engine, 1, stage="shadow")
    an_answer(engine, 2, stage="unseen")
    assert chosen(engine) == seen


@pytest.mark.parametrize("conversation_id", ["c", None])
def test_who_has_spoken_stays_with_their_answer(engine: Engine, conversation_id: str | None) -> None:
    """With a token nobody has looked up which conversation an answer is of."""
    first = an_answer(engine, 1)
    said = an_event(
        answer_id=first,
        speaker=Speaker("token", ACTOR, "end_user", "widget"),
        target="conversation",
        conversation_id=conversation_id,
    )
    write(engine, [said])
    last = an_answer(engine, 2)
    assert (chosen(engine), chosen(engine, actor="b" * 32)) == (first, last)


def test_many_who_speak_of_many_conversations_cost_two_statements(engine: Engine) -> None:
    insert_rows(
        engine, [a_row(id=uuid7(), conversation_id=f"c{n}", caller="k", created_at=NOW) for n in range(300)]
    )
    statements: list[str] = []
    event.listen(engine, "before_cursor_execute", lambda *given: statements.append(given[2]))
    found = answers_of_conversations(engine, [(f"c{n}", f"actor {n}") for n in range(300)], "k")
    assert (len(found), len(statements)) == (300, 2)
