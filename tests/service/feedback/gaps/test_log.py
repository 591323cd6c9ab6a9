"""Questions that count: abstentions and bad ratings that hold; not those that nobody saw, nor what was taken back."""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, update
from sqlalchemy.orm import Session

from evals.case import load_cases
from service.__main__ import main
from service.answer.record import insert_rows
from service.answer.rewrite import standalone
from service.database import migrate, open_database
from service.feedback.curated import store
from service.feedback.curated.answer import CuratedSource, CuratedText
from service.feedback.gaps.decisions import Decided, accept, cases_of, dismiss, read_decisions
from service.feedback.gaps.gap import Asked, Gap
from service.feedback.gaps.log import read_asked
from service.feedback.record import write
from service.tables import FeedbackEvent
from tests.service.answer.test_record import a_row
from tests.service.feedback.samples import SOMEBODY, an_event

NOW = datetime.now(UTC)
QUESTION = "Do you rent electric bikes?"
TEXT = CuratedText("support", QUESTION, "Yes, at every shop.", "en")


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    made = open_database(f"sqlite:///{tmp_path / 'db'}")
    migrate(made)
    yield made
    made.dispose()


def row(number: int, **changes: Any) -> dict[str, Any]:
    """An abstention of a conversation of its own."""
    return a_row(
        **{
            "id": f"{number:036}",
            "created_at": NOW - timedelta(days=1),
            "conversation_id": f"c{number}",
            "subject": None,
            "assistant": "support",
            "question": QUESTION,
            "outcome": "abstained",
            "reason": "below_relevance_floor",
            **changes,
        }
    )


def read(engine: Engine, days: int = 28) -> list[Asked]:
    return read_asked(engine, "support", NOW - timedelta(days=days), standalone)


@pytest.mark.parametrize(
    ("changes", "counts"),
    [
        ({}, True),
        ({"reason": "generator_found_no_answer"}, True),
        ({"reason": "not_grounded"}, False),
        ({"outcome": "answered", "reason": None}, False),
        ({"outcome": "refused", "reason": "guard:injection"}, False),
        ({"assistant": "another"}, False),
        ({"stage": "unseen"}, False),
        ({"stage": "shadow"}, True),
        ({"created_at": NOW - timedelta(days=29)}, False),
    ],
)
def test_abstentions_for_want_of_documents_count(
    engine: Engine, changes: dict[str, Any], counts: bool
) -> None:
    insert_rows(engine, [row(1, **changes)])
    assert len(read(engine)) == counts


@pytest.mark.parametrize(
    ("changes", "counts"),
    [
        ({"kind": "thumb", "value": "down"}, True),
        ({"kind": "thumb", "value": "up"}, False),
        ({"kind": "rating", "value": "2"}, True),
        ({"kind": "rating", "value": "3"}, False),
        ({"kind": "correction", "value": None, "correction": "No, ten."}, True),
        ({"kind": "comment", "value": None, "comment": "Bad."}, False),
        ({"kind": "thumb", "value": None, "state": "retracted"}, False),
    ],
)
def test_bad_words_that_hold_count(engine: Engine, changes: dict[str, Any], counts: bool) -> None:
    answered = row(1, outcome="answered", reason=None)
    insert_rows(engine, [answered, row(2, outcome="refused", reason="guard:injection")])
    write(engine, [an_event(answer_id=answered["id"], **changes)])
    write(engine, [an_event(answer_id=f"{2:036}", kind="thumb", value="down")])
    found = read(engine)
    assert [(one.has_abstained, one.is_rated_badly) for one in found] == ([(False, True)] if counts else [])


def test_what_was_taken_back_or_set_aside_does_not_count(engine: Engine) -> None:
    answers = [row(number, outcome="answered", reason=None) for number in (1, 2)]
    insert_rows(engine, answers)
    down = [an_event(answer_id=one["id"], kind="thumb", value="down", speaker=SOMEBODY) for one in answers]
    write(engine, down)
    assert len(read(engine)) == 2
    write(engine, [an_event(answer_id=answers[0]["id"], kind="thumb", value="up", speaker=SOMEBODY)])
    with Session(engine) as session, session.begin():
        session.execute(
            update(FeedbackEvent).where(FeedbackEvent.answer_id == answers[1]["id"]).values(suspect="many")
        )
    assert read(engine) == []


def test_a_person_is_the_same_in_two_conversations_and_nobody_is_two_without_a_name(engine: Engine) -> None:
    insert_rows(engine, [row(1, subject="s"), row(2, subject="s"), row(3), row(4)])
    assert sorted(one.asker for one in read(engine)) == ["c:c3", "c:c4", "s", "s"]


def test_a_follow_up_brings_what_it_leans_on(engine: Engine) -> None:
    first = row(
        1, conversation_id="c", question="Do you rent bikes in Utrecht?", outcome="answered", reason=None
    )
    insert_rows(engine, [first, row(2, conversation_id="c", question="And in Paris?")])
    (found,) = read(engine)
    assert found.text == "Do you rent bikes in Paris?"


def a_gap(**changes: Any) -> Gap:
    return Gap("f" * 16, QUESTION, (), 3, 4, NOW, NOW, 1.0, 0.0, **changes)


def test_a_decision_is_read_as_it_was_made(engine: Engine) -> None:
    dismiss(engine, Decided("support", a_gap(), 7, "me"), "Not our business.")
    (found,) = read_decisions(engine, "support")
    assert (found.question, found.verdict, found.askers, found.days) == (QUESTION, "dismissed", 3, 7)
    assert read_decisions(engine, "another") == []


def test_an_accepted_gap_is_a_case_that_the_suites_read(engine: Engine, tmp_path: Path) -> None:
    decided = Decided("support", a_gap(), 7, "me")
    cited = CuratedText(
        "support", QUESTION, "Yes.", "en", sources=(CuratedSource("Bikes", "bikes.md", digest="d"),)
    )
    first, case = accept(engine, decided, TEXT, passage=None, expected=[])
    accept(engine, decided, cited, passage="All shops rent bikes.", expected=["rent bikes"])
    assert cases_of(engine)[0] == case
    path = tmp_path / "cases.jsonl"
    path.write_text("".join(json.dumps(one) + "\n" for one in cases_of(engine, "support")))
    one, other = load_cases(path)
    assert (one.question, one.documents, one.passage, one.answers) == (
        QUESTION,
        (f"curated:{first.id}",),
        TEXT.answer,
        (TEXT.answer,),
    )
    assert (other.documents, other.passage, other.answers) == (
        ("bikes.md",),
        "All shops rent bikes.",
        ("rent bikes",),
    )
    store.retire(engine, first.id, by="me")
    assert len(cases_of(engine)) == 1
    assert cases_of(engine, "another") == []


def test_the_cases_are_printed_by_command(
    engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    accept(engine, Decided("support", a_gap(), 7, "me"), TEXT, passage=None, expected=[])
    monkeypatch.setenv("TOUCHSTONE_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("TOUCHSTONE_DATABASE_URL", f"sqlite:///{tmp_path / 'db'}")
    assert main(["export", "cases"]) == 0
    assert [json.loads(line) for line in capsys.readouterr().out.splitlines()] == cases_of(engine)


def test_a_changed_answer_is_changed_in_its_case(engine: Engine) -> None:
    first, _ = accept(engine, Decided("support", a_gap(), 7, "me"), TEXT, passage=None, expected=[])
    store.put(engine, first.id, replace(TEXT, answer="No longer."), by="me")
    assert cases_of(engine)[0]["answers"] == ["No longer."]
