"""Analysts read feedback and answers: pages in order, what counts, and no text of documents that they may not see."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from ingestion.embed import Embedder
from tests.conftest import Demo, keyed, wait_until
from tests.service.routes.feedback_desk import FEEDBACK, Desk, desk_over


@pytest.fixture(scope="module")
def desk(demo: Demo, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HELPDESK_SECRET", "s")
        with desk_over(demo, tmp_path_factory.mktemp("desk")) as found:
            yield found


@pytest.fixture(scope="module")
def rags(desk: Desk) -> list[dict[str, Any]]:
    """Answers with four events each: up, down, retracted, and a rating."""
    found = [desk.ask(conversation_id=f"talk-{n}") for n in range(3)]
    for rag in found:
        for kind, value in (("thumb", "up"), ("thumb", "down"), ("thumb", None), ("rating", 4)):
            assert desk.rate_by_token(rag, kind=kind, value=value).status_code == 201
    answers = [f"/v1/answers/{rag['answer_id']}" for rag in found]
    wait_until(lambda: all(desk.send("analyst", "GET", path).status_code == 200 for path in answers))
    return found


def listed(desk: Desk, **params: Any) -> list[dict[str, Any]]:
    reply = desk.send("analyst", "GET", FEEDBACK, params=params)
    assert reply.status_code == 200, reply.text
    events: list[dict[str, Any]] = reply.json()["events"]
    return events


def test_feedback_is_found_by_answer_conversation_kind_and_time(
    desk: Desk, rags: list[dict[str, Any]]
) -> None:
    first = rags[0]
    assert len(listed(desk)) == 12
    assert {one["answer_id"] for one in listed(desk, answer_id=first["answer_id"])} == {first["answer_id"]}
    assert len(listed(desk, conversation_id="talk-1")) == 4
    assert len(listed(desk, kind="rating")) == 3
    assert [one["value"] for one in listed(desk, current=True)] == ["4"] * 3
    newest = listed(desk)[-1]["received_at"]
    assert 0 < len(listed(desk, since=newest)) <= 12
    assert listed(desk, since="2999-01-01T00:00:00Z") == listed(desk, conversation_id="none") == []


def test_pages_are_in_the_order_of_arrival_and_hold_everything_once(
    desk: Desk, rags: list[dict[str, Any]]
) -> None:
    seen: list[str] = []
    cursor: str | None = None
    for _ in range(10):
        params = {"limit": 5, **({"cursor": cursor} if cursor else {})}
        page = desk.send("analyst", "GET", FEEDBACK, params=params).json()
        seen += [one["event_id"] for one in page["events"]]
        cursor = page["cursor"]
        if cursor is None:
            break
    assert seen == [one["event_id"] for one in listed(desk)] == sorted(seen)


def test_an_answer_comes_with_the_feedback_that_counts(desk: Desk, rags: list[dict[str, Any]]) -> None:
    reply = desk.send("boss", "GET", f"/v1/answers/{rags[0]['answer_id']}").json()
    assert reply["answer"]["conversation_id"] == "talk-0"
    assert [(one["kind"], one["value"]) for one in reply["feedback"]] == [("rating", "4")]
    assert desk.send("analyst", "GET", f"/v1/answers/{'0' * 36}").status_code == 404


@pytest.mark.parametrize("path", [FEEDBACK, f"/v1/answers/{'0' * 36}"])
def test_only_analysts_read(desk: Desk, path: str) -> None:
    assert desk.send("asker", "GET", path).status_code == 403
    assert desk.send(None, "GET", path).status_code == 401


@pytest.mark.parametrize(
    "params", [{"limit": 0}, {"limit": 1_001}, {"kind": "star"}, {"since": "yesterday"}, {"cursor": "\x00"}]
)
def test_wrong_parameters_are_a_400(desk: Desk, params: dict[str, Any]) -> None:
    assert desk.send("analyst", "GET", FEEDBACK, params=params).status_code == 400


SCOPE = """
version: 1
use_case: Tests.
collections:
  c:
    sources: [{path: open, name: open}, {path: legal, name: legal, groups: [legal]}]
    languages: [en]
    clearance: {supplier: tests, licence: internal, legal_basis: no_personal_data}
    pii: {names: none}
variants: {v: {retrieval: {relevance_floor: 0.0}}}
assistants: {a: {collection: c, variant: v}}
"""


def test_what_rests_on_documents_of_others_is_withheld(tmp_path: Path, embedder: Embedder) -> None:
    (tmp_path / "scope.yaml").write_text(SCOPE)
    for name, text in (
        ("open", "Lamps are repaired free of charge."),
        ("legal", "The merger with Larkmoor is planned for May."),
    ):
        (tmp_path / name).mkdir()
        (tmp_path / name / f"{name}.md").write_text(f"# {name.title()}\n\n{text}\n")
    groups = {"lawyer": ["legal"], "clerk": []}
    with (
        keyed(tmp_path, embedder, ["answer", "analyst"], groups) as (keys, url),
        httpx.Client(base_url=url, timeout=60) as client,
    ):

        def call(name: str, method: str, path: str, **request: Any) -> httpx.Response:
            return client.request(method, path, headers={"authorization": f"Bearer {keys[name]}"}, **request)

        def asked(name: str, question: str) -> str:
            body = {"model": "a", "messages": [{"role": "user", "content": question}]}
            reply = call(name, "POST", "/v1/chat/completions", json=body).json()
            assert reply["rag"]["outcome"] == "answered"
            path = f"/v1/answers/{reply['rag']['answer_id']}"
            wait_until(lambda: call("lawyer", "GET", path).status_code == 200)
            return path

        secret, harmless = (
            asked("lawyer", "When is the merger planned?"),
            asked("lawyer", "Who repairs lamps free of charge?"),
        )
        seen = call("lawyer", "GET", secret).json()
        assert "May" in seen["answer"]["answer"]
        hidden = call("clerk", "GET", secret).json()
        assert (hidden["withheld"], hidden["answer"]["answer"], hidden["answer"]["citations"]) == (
            True,
            "",
            [],
        )
        assert "May" not in call("clerk", "GET", secret).text
        assert "repaired" in call("clerk", "GET", harmless).json()["answer"]["answer"]
