"""All that can be said of an answer, by whom, and what is stored of it; what is too much, and what no one may say."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from service.feedback.tokens import Pseudonyms
from service.tables import Answer
from tests.conftest import Demo, wait_until
from tests.service.routes.feedback_desk import FEEDBACK, Desk, desk_over


@pytest.fixture(scope="module")
def desk(demo: Demo, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HELPDESK_SECRET", "shared secret")
        with desk_over(demo, tmp_path_factory.mktemp("desk")) as found:
            yield found


@pytest.fixture(scope="module")
def rag(desk: Desk) -> dict[str, Any]:
    return desk.ask()


@pytest.mark.parametrize(
    ("kind", "value", "column"),
    [
        ("thumb", "down", "value"),
        ("rating", 4, "value"),
        ("comment", "Too long by half.", "comment"),
        ("correction", "You get ten recovery codes.", "correction"),
        ("outcome", "resolved", "value"),
    ],
)
def test_every_kind_is_stored_with_a_token_and_retracted(
    desk: Desk, rag: dict[str, Any], kind: str, value: object, column: str
) -> None:
    event = desk.event(desk.rate_by_token(rag, kind=kind, value=value, consent="train"))
    assert (event.kind, getattr(event, column), event.state) == (kind, str(value), "set")
    assert (event.caller, event.actor_kind, event.source, event.consent) == (
        "token",
        "end_user",
        "widget",
        "train",
    )
    assert event.target == ("conversation" if kind == "outcome" else "answer")
    reply = desk.rate_by_token(rag, kind=kind, value=None)
    assert reply.json()["state"] == "retracted"
    taken_back = desk.event(reply)
    assert (taken_back.supersedes, taken_back.actor) == (event.event_id, event.actor)


def test_a_thumb_carries_reasons_and_a_remark(desk: Desk, rag: dict[str, Any]) -> None:
    said = {
        "reasons": ["wrong", "out_of_date"],
        "comment": "It was nine in the letter.",
        "target": "sentence:1",
    }
    event = desk.event(desk.rate_by_token(rag, value="down", **said))
    assert {name: getattr(event, name) for name in said} == said


def test_an_actor_is_whoever_asked_and_a_token_is_its_voice_alone(desk: Desk) -> None:
    asked = desk.ask(user="mara@example.com")
    first = desk.event(desk.rate_by_token(asked))
    other = desk.event(desk.rate_by_token(desk.ask(user="mara@example.com")))
    assert first.actor == other.actor
    assert first.actor is not None
    assert "mara" not in first.actor
    assert desk.event(desk.rate_by_token(asked, user="mara@example.com")).actor == first.actor
    nobody = desk.ask()
    for rag, user in ((asked, "ivo@example.com"), (nobody, "mara@example.com")):
        refused = desk.rate_by_token(rag, user=user)
        assert (refused.status_code, refused.json()["error"]["param"]) == (403, "user")
    assert desk.event(desk.rate_by_token(nobody)).actor not in (None, first.actor)


def test_a_key_says_who_speaks_and_when(desk: Desk, rag: dict[str, Any]) -> None:
    said = {"answer_id": rag["answer_id"], "user": "mara@example.com", "actor_kind": "agent"}
    event = desk.event(desk.rate("asker", **said, observed_at="2026-01-01T12:00:00+01:00"))
    assert (event.actor_kind, event.source, len(event.actor or "")) == ("agent", "api", 32)
    assert event.observed_at == datetime(2026, 1, 1, 11, tzinfo=UTC)
    assert event.received_at > event.observed_at
    alone = desk.event(desk.rate("asker", answer_id=rag["answer_id"]))
    assert alone.actor not in (None, event.actor)
    for name, value in (("actor_kind", "agent"), ("observed_at", "2026-01-01T00:00:00Z")):
        refused = desk.rate_by_token(rag, **{name: value})
        assert (refused.status_code, refused.json()["error"]["param"]) == (403, name)


def is_recorded(desk: Desk, answer_id: str) -> bool:
    with Session(desk.engine) as session:
        return session.get(Answer, answer_id) is not None


def test_an_outcome_finds_the_conversation_s_last_answer(desk: Desk) -> None:
    first, last = (desk.ask(conversation_id="ticket-1") for _ in range(2))
    desk.ask("other", conversation_id="ticket-1")
    wait_until(lambda: is_recorded(desk, last["answer_id"]))
    said = {"conversation_id": "ticket-1", "kind": "outcome"}
    event = desk.event(desk.rate("asker", **said, value="resolved"))
    assert (event.answer_id, event.conversation_id, event.target) == (
        last["answer_id"],
        "ticket-1",
        "conversation",
    )
    assert (event.actor_kind, event.value) == ("system", "resolved")
    third = desk.ask(conversation_id="ticket-1")
    reopened = desk.event(desk.rate("asker", **said, value="reopened"))
    assert (reopened.answer_id, reopened.supersedes) == (last["answer_id"], event.event_id), (
        "one word on one conversation"
    )
    assert third["answer_id"] != first["answer_id"]


def test_a_conversation_of_another_caller_looks_like_none(desk: Desk) -> None:
    desk.ask(conversation_id="ticket-2")
    said = {"kind": "outcome", "value": "resolved"}
    texts = []
    for name in ("ticket-2", "ticket-9"):
        reply = desk.rate("other", conversation_id=name, **said)
        assert (reply.status_code, reply.json()["error"]["param"]) == (404, "conversation_id")
        texts.append(reply.json()["error"]["message"].replace(name, "#"))
    assert texts[0] == texts[1]
    assert desk.rate("boss", conversation_id="ticket-2", **said).status_code == 201


def test_texts_are_masked_before_they_are_stored(desk: Desk, rag: dict[str, Any]) -> None:
    text = (
        "Write to mara.kovac@example.org, card 4111 1111 1111 1111, key sk-abcdefghijklmnopqrstuvwx please."
    )
    for kind in ("comment", "correction"):
        event = desk.event(desk.rate_by_token(rag, kind=kind, value=text))
        stored = event.comment or event.correction or ""
        assert "Write to" in stored
        assert not any(secret in stored for secret in ("mara.kovac", "4111", "sk-abc")), stored
    beside = desk.event(desk.rate_by_token(rag, value="down", comment=text))
    assert "sk-abc" not in (beside.comment or "")
    assert (
        desk.rate_by_token(rag, "k", kind="comment", value=text).json()
        == desk.rate_by_token(rag, "k", kind="comment", value=text).json()
    )


@pytest.mark.parametrize(
    "changes",
    [
        {"value": "sideways"},
        {"kind": "rating", "value": 6},
        {"answer_id": None},
        {"conversation_id": "c"},
        {"reasons": ["Not a code"]},
        {"comment": "x" * 4_001},
        {"more": 1},
    ],
)
def test_what_cannot_be_is_a_400_that_names_it(
    desk: Desk, rag: dict[str, Any], changes: dict[str, Any]
) -> None:
    reply = desk.rate_by_token(rag, **changes)
    assert reply.status_code == 400, reply.text
    assert reply.json()["error"]["code"] == "invalid_request"


def test_forged_expired_and_foreign_tokens_are_refused_and_nothing_is_stored(desk: Desk) -> None:
    one, two = desk.ask(user="mara"), desk.ask(user="ivo")
    expiry, actor, signature = one["feedback_token"].split(".")
    wrong = [
        two["feedback_token"],
        f"{expiry}.{two['feedback_token'].split('.')[1]}.{signature}",
        f"{expiry}.{signature}",
        f"1000000000.{actor}.{signature}",
        f"{int(expiry) + 1}.{actor}.{signature}",
        "", ".", "..", "x", "é", "1" * 200,
    ]  # fmt: skip
    for token in wrong:
        reply = desk.rate_by_token({**one, "feedback_token": token})
        assert (reply.status_code, reply.json()["error"]["param"]) == (403, "token"), token
    assert desk.events(answer_id=one["answer_id"]) == []


def test_too_much_of_one_token_one_user_and_one_key_is_a_429(
    demo: Demo, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HELPDESK_SECRET", "s")
    limits = {"events_an_answer": 3, "events_an_actor_a_day": 5, "events_a_caller_a_minute": 4}
    with desk_over(demo, tmp_path, feedback=limits) as desk:
        one, two = desk.ask(user="mara"), desk.ask(user="mara")
        statuses = [desk.rate_by_token(one).status_code for _ in range(4)]
        assert statuses == [201, 201, 201, 429]
        assert [desk.rate_by_token(two).status_code for _ in range(3)] == [201, 201, 429]
        absent = [desk.rate("asker", answer_id="0" * 36).status_code for _ in range(5)]
        assert absent == [404] * 5, "what is not stored takes nothing"
        own = desk.ask()["answer_id"]
        replies = [desk.rate("asker", answer_id=own) for _ in range(5)]
        assert [reply.status_code for reply in replies] == [201] * 4 + [429]
        error = replies[-1].json()["error"]
        assert (error["code"], error["type"]) == ("rate_limit_exceeded", "rate_limit_error")
        assert 0 < int(replies[-1].headers["retry-after"]) <= 60
        rows = "\n".join(f'{{"answer_id": "{own}", "kind": "rating", "value": {n}}}' for n in (1, 2, 3, 4, 5))
        sent = send_rows(desk, rows)
        assert sent.status_code == 429, "each row counts"
        assert "Divide it" in sent.json()["error"]["message"]
        assert [send_rows(desk, "{}\n{}\n{}").status_code for _ in range(3)] == [200] * 3
        theirs = desk.ask("other")["answer_id"]
        one = f'{{"answer_id": "{theirs}", "kind": "rating", "value": 1}}'
        wait_until(lambda: send_rows(desk, one).json()["refused"] == 0)
        replies = [send_rows(desk, f"{one}\n{one}\n{one}") for _ in range(3)]
        assert [reply.json()["known"] for reply in replies] == [3] * 3, "sent again it takes nothing"


def send_rows(desk: Desk, rows: str) -> httpx.Response:
    headers = {"content-type": "application/x-ndjson"}
    return desk.send("other", "POST", f"{FEEDBACK}/batch", content=rows, headers=headers)


def test_the_pseudonym_is_the_one_that_answers_have(desk: Desk) -> None:
    """So that a subject's feedback can be found with its answers."""
    asked = desk.ask(user="zoe")
    event = desk.event(desk.rate_by_token(asked))

    def subject() -> str | None:
        with Session(desk.engine) as session:
            return session.scalar(select(Answer.subject).where(Answer.id == asked["answer_id"]))

    wait_until(subject)
    assert event.actor == subject()
    assert Pseudonyms(b"other").of("zoe") != event.actor
