"""Files of feedback: each row by itself, once, and what is accepted is stored. Webhooks: signed, mapped, once."""

import hashlib
import hmac
import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.conftest import Demo, wait_until
from tests.service.routes.feedback_desk import FEEDBACK, Desk, desk_over

BATCH, HOOK = f"{FEEDBACK}/batch", f"{FEEDBACK}/webhook/desk"
JSON_LINES = {"content-type": "application/x-ndjson"}
SECRET = "shared secret"


@pytest.fixture(scope="module")
def desk(demo: Demo, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HELPDESK_SECRET", SECRET)
        with desk_over(demo, tmp_path_factory.mktemp("desk")) as found:
            yield found


def lines(*rows: Any) -> bytes:
    return "\n".join(row if isinstance(row, str) else json.dumps(row) for row in rows).encode()


def recorded(desk: Desk, name: str = "asker", **rag: Any) -> str:
    """The id of an answer that is in the database."""
    answer_id = str(desk.ask(name, **rag)["answer_id"])
    wait_until(lambda: desk.send("analyst", "GET", f"/v1/answers/{answer_id}").status_code == 200)
    return answer_id


def counts(reply: httpx.Response) -> tuple[int, int, int]:
    assert reply.status_code == 200, reply.text
    body = reply.json()
    return body["accepted"], body["known"], body["refused"]


def test_good_rows_are_stored_and_wrong_ones_named(desk: Desk) -> None:
    own, others = recorded(desk), recorded(desk, "other")
    rows = lines(
        {"answer_id": own, "kind": "rating", "value": 4, "user": "mara", "event_id": "1"},
        {"answer_id": own, "kind": "rating", "value": 9},
        "not json",
        {"answer_id": others, "kind": "thumb", "value": "up"},
        {"answer_id": "f" * 36, "kind": "thumb", "value": "up"},
        {"conversation_id": "nowhere", "kind": "outcome", "value": "resolved"},
        {"answer_id": own, "kind": "rating", "value": 5, "user": "mara", "event_id": "1"},
        {"answer_id": own, "kind": "comment", "value": "Ask mara.kovac@example.org", "event_id": "2"},
    )
    reply = desk.send("asker", "POST", BATCH, content=rows, headers=JSON_LINES)
    assert counts(reply) == (2, 0, 6)
    refused = {one["line"]: one["reason"] for one in reply.json()["refusals"]}
    assert set(refused) == {2, 3, 4, 5, 6, 7}
    assert "no answer with the conversation_id 'nowhere'" in refused[6]
    assert "used for another event" in refused[7]
    stored = desk.events(answer_id=own)
    assert [(one.kind, one.source, one.caller == stored[0].caller) for one in stored] == [
        ("rating", "batch", True),
        ("comment", "batch", True),
    ]
    assert "mara" not in str(stored[1].comment)
    assert counts(desk.send("asker", "POST", BATCH, content=rows, headers=JSON_LINES)) == (0, 2, 6)
    assert len(desk.events(answer_id=own)) == 2


def test_outcomes_come_as_csv_and_from_a_form(desk: Desk) -> None:
    recorded(desk, conversation_id="case-1")
    recorded(desk, conversation_id="case-2")
    text = "conversation_id,kind,value,observed_at\ncase-1,outcome,resolved,2026-01-01T10:00:00Z\ncase-2,outcome,escalated,\n"
    sent = desk.send(
        "asker", "POST", BATCH, content=text, headers={"content-type": "text/csv; charset=utf-8"}
    )
    assert counts(sent) == (2, 0, 0)
    form = {"file": ("outcomes.csv", text.encode(), "application/octet-stream")}
    assert counts(desk.send("asker", "POST", BATCH, files=form)) == (0, 2, 0), (
        "the same content is known without ids"
    )
    (one,) = desk.events(conversation_id="case-1")
    assert (one.value, one.target, one.observed_at.hour) == ("resolved", "conversation", 10)


@pytest.mark.parametrize(
    ("request_", "param"),
    [
        ({"content": b"x", "headers": {"content-type": "image/png"}}, "content-type"),
        ({"content": b"\xff", "headers": JSON_LINES}, None),
        ({"files": {"other": ("a.csv", b"a\n1")}}, "file"),
        ({"data": {"file": "text"}, "files": {"more": ("a.csv", b"")}}, "file"),
        ({"content": b"\n".join([b"{}"] * 10_001), "headers": JSON_LINES}, None),
        ({"content": b"--x", "headers": {"content-type": "multipart/form-data; boundary=y"}}, None),
        ({"content": b"", "headers": {"content-type": "multipart/form-data"}}, None),
    ],
)
def test_what_is_no_file_of_rows_is_a_400(desk: Desk, request_: dict[str, Any], param: str | None) -> None:
    reply = desk.send("asker", "POST", BATCH, **request_)
    assert (reply.status_code, reply.json()["error"]["param"]) == (400, param), reply.text


def test_ten_thousand_rows_are_stored_at_once_and_once(desk: Desk) -> None:
    own = recorded(desk)
    rows = lines(
        *({"answer_id": own, "kind": "rating", "value": 1 + n % 5, "user": f"u{n}"} for n in range(10_000))
    )
    assert len(rows) > 262_144, "more than another request may have"
    assert counts(desk.send("asker", "POST", BATCH, content=rows, headers=JSON_LINES)) == (10_000, 0, 0)
    assert counts(desk.send("asker", "POST", BATCH, content=rows, headers=JSON_LINES)) == (0, 10_000, 0)
    assert len(desk.events(answer_id=own)) == 10_000


def test_a_batch_needs_its_scope(desk: Desk) -> None:
    assert desk.send("analyst", "POST", BATCH, content=b"", headers=JSON_LINES).status_code == 403
    assert desk.send(None, "POST", BATCH, content=b"", headers=JSON_LINES).status_code == 401


# Webhooks


def post(desk: Desk, body: object, *, secret: str = SECRET, path: str = HOOK) -> httpx.Response:
    data = json.dumps(body).encode()
    signature = "sha256=" + hmac.new(secret.encode(), data, hashlib.sha256).hexdigest()
    return desk.send(None, "POST", path, content=data, headers={"x-signature": signature})


def a_ticket(conversation: str, status: str, event: str | int) -> dict[str, Any]:
    return {"event": event, "ticket": {"external_id": conversation, "status": status}}


def test_a_webhook_s_outcome_is_stored_once_whatever_is_sent_again(desk: Desk) -> None:
    answer_id = recorded(desk, conversation_id="hook-1")
    first = post(desk, a_ticket("hook-1", "solved", "e1"))
    assert (first.status_code, first.json()["status"]) == (200, "stored")
    again = post(desk, a_ticket("hook-1", "solved", "e1"))
    assert (again.json()["status"], again.json()["event_id"]) == ("known", first.json()["event_id"])
    closed = desk.event(post(desk, a_ticket("hook-1", "closed", "e2")))
    assert (closed.answer_id, closed.supersedes) == (answer_id, first.json()["event_id"])
    assert (closed.value, closed.source, closed.actor_kind, closed.caller) == (
        "ticket_closed",
        "webhook",
        "system",
        "webhook",
    )
    assert len(desk.events(conversation_id="hook-1")) == 2


def test_what_a_webhook_cannot_mean_is_ignored_so_that_it_is_not_sent_for_ever(desk: Desk) -> None:
    recorded(desk, conversation_id="hook-2")
    post(desk, a_ticket("hook-2", "solved", "e3"))
    for body, reason in (
        (a_ticket("hook-2", "open", "e4"), "unmapped_outcome"),
        (a_ticket("nowhere", "solved", "e5"), "unknown_conversation"),
        (a_ticket("", "solved", "e6"), "no_conversation"),
        (a_ticket("hook-2", "closed", "e3"), "id_of_another_event"),
    ):
        reply = post(desk, body)
        assert (reply.status_code, reply.json()) == (
            200,
            {"status": "ignored", "event_id": None, "reason": reason},
        )
    shown = desk.client.get("/metrics").text
    assert 'touchstone_feedback_webhooks_total{result="unmapped_outcome",webhook="desk"}' in shown


def test_a_wrong_signature_is_a_401_and_stores_nothing(desk: Desk) -> None:
    recorded(desk, conversation_id="hook-3")
    reply = post(desk, a_ticket("hook-3", "solved", "e7"), secret="another")
    assert (reply.status_code, reply.json()["error"]["code"]) == (401, "invalid_signature")
    assert SECRET not in reply.text
    assert post(desk, a_ticket("hook-3", "solved", "e7"), path=f"{FEEDBACK}/webhook/none").status_code == 404
    assert post(desk, ["list"]).status_code == 400
    assert desk.events(conversation_id="hook-3") == []
