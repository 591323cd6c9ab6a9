"""Feedback needs its answer's token, is kept once, and says when it could not be kept."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager

import httpx
from sqlalchemy import Engine

from service.auth import KeyScope, create_key
from service.database import open_database
from tests.conftest import Gateway, StartGateway, wait_until
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


def test_a_key_rates_its_own_answers_and_no_others(start_gateway: StartGateway) -> None:
    with start_gateway() as gateway, closing_engine(gateway) as engine:
        scopes: dict[str, list[KeyScope]] = {
            "asker": ["answer", "feedback"],
            "other": ["answer", "feedback"],
            "boss": ["admin"],
        }
        keys = {name: create_key(engine, name, own) for name, own in scopes.items()}
        with gateway.client() as client:
            wait_until(lambda: client.get("/v1/models").status_code == 401)

            def post(path: str, name: str, body: object, key: str | None = None) -> httpx.Response:
                headers = {"authorization": f"Bearer {keys[name]}"} | (
                    {"idempotency-key": key} if key else {}
                )
                return client.post(path, json=body, headers=headers)

            ask = {"model": "support", "messages": [{"role": "user", "content": QUESTION}]}
            answer_id = post("/v1/chat/completions", "asker", ask).json()["rag"]["answer_id"]
            thumb = {"answer_id": answer_id, "kind": "thumb", "value": "up"}
            assert post(FEEDBACK, "asker", thumb, "k1").status_code == 201
            denied = post(FEEDBACK, "other", thumb)
            absent = post(FEEDBACK, "other", {**thumb, "answer_id": "0" * 36})
            assert (denied.status_code, absent.status_code) == (404, 404)
            texts = [one.json()["error"]["message"] for one in (denied, absent)]
            assert texts[0].replace(answer_id, "0" * 36) == texts[1]
            own = post("/v1/chat/completions", "other", ask).json()["rag"]["answer_id"]
            theirs = post(FEEDBACK, "other", {**thumb, "answer_id": own}, "k1")
            assert theirs.status_code == 201, "the same key of another caller is another key"
            assert post(FEEDBACK, "boss", thumb).status_code == 201
            assert post(FEEDBACK, "boss", {**thumb, "answer_id": "0" * 36}).status_code == 404


def test_feedback_without_keys_needs_an_answer_too(start_gateway: StartGateway) -> None:
    with start_gateway() as gateway, gateway.client() as client:
        thumb = {"answer_id": "0" * 36, "kind": "thumb", "value": "up"}
        assert client.post(FEEDBACK, json=thumb).status_code == 404
        own = gateway.ask(QUESTION).json()["rag"]["answer_id"]
        assert client.post(FEEDBACK, json={**thumb, "answer_id": own}).status_code == 201


@contextmanager
def closing_engine(gateway: Gateway) -> Iterator[Engine]:
    engine = open_database(gateway.settings.database())
    yield engine
    engine.dispose()
