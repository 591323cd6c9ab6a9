"""Feedback needs its answer's token, is kept once, and says when it could not be kept."""

import sqlite3
from contextlib import closing

import httpx

from tests.conftest import StartGateway
from tests.service.conftest import open_file

QUESTION, FEEDBACK = "How many recovery codes do I get?", "/v1/feedback"


def test_feedback_needs_the_token_of_its_answer_and_is_stored_once(start_gateway: StartGateway) -> None:
    with start_gateway() as gateway, gateway.client() as client:
        one, two = (gateway.ask(QUESTION).json()["rag"] for _ in range(2))

        def send(rag: dict[str, str], token: str, value: str | None, key: str) -> httpx.Response:
            body = {"answer_id": rag["answer_id"], "token": token, "kind": "thumb", "value": value}
            return client.post(FEEDBACK, json=body, headers={"idempotency-key": key})

        first = send(one, one["feedback_token"], "up", "k1")
        assert first.status_code == 201
        assert send(one, one["feedback_token"], "up", "k1").json() == first.json()
        assert send(one, one["feedback_token"], "down", "k1").status_code == 409
        assert send(one, one["feedback_token"], None, "k2").json()["state"] == "retracted"
        assert send(one, two["feedback_token"], "up", "k3").status_code == 403
        expired = "1000000000." + one["feedback_token"].split(".")[1]
        assert send(one, expired, "up", "k4").status_code == 403
    dump = open_file(gateway)
    assert dump.count('INSERT INTO "feedback"') == 2


def test_feedback_that_the_database_cannot_take_is_to_be_sent_again(start_gateway: StartGateway) -> None:
    with start_gateway() as gateway, gateway.client() as client:
        rag = gateway.ask(QUESTION).json()["rag"]
        body = {"answer_id": rag["answer_id"], "token": rag["feedback_token"], "kind": "thumb", "value": "up"}
        with closing(sqlite3.connect(gateway.settings.database().removeprefix("sqlite:///"))) as db:
            db.execute("alter table feedback rename to elsewhere")
        reply = client.post(FEEDBACK, json=body)
        assert (reply.status_code, reply.json()["error"]["code"]) == (503, "not_ready")
        assert int(reply.headers["retry-after"]) > 0
        assert "Idempotency-Key" in reply.json()["error"]["message"]
