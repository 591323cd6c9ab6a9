"""Generation over OpenAI's protocol against a scripted server: retries, fallback, interruption, silence."""

import asyncio
import json

import httpx
import pytest

from tests.conftest import Gateway, StartGateway, wait_until
from tests.service.conftest import open_file, stream_of, text_of
from tests.upstream import ScriptedUpstream

QUESTION = "What does express delivery cost?"


def start(start_gateway: StartGateway, upstream: ScriptedUpstream, **changes: object):  # type: ignore[no-untyped-def]
    return start_gateway(generator_url=upstream.url, **changes)


def test_generated_text_is_streamed_with_citations_and_usage(
    start_gateway: StartGateway, upstream: ScriptedUpstream
) -> None:
    with start(start_gateway, upstream) as gateway:
        body = gateway.ask(QUESTION).json()
        events = stream_of(gateway.ask(QUESTION, stream=True))
    assert body["choices"][0]["message"]["content"] == "Express costs €9.90. [1]"
    assert text_of(events) == "Express costs €9.90. [1]"
    assert body["usage"] == {"prompt_tokens": 321, "completion_tokens": 4, "total_tokens": 325}
    assert body["rag"]["sentences"] == [
        {"start": 0, "end": 24, "citations": [1], "supported": True, "cited_by": "model"}
    ]
    assert "9.90" in body["rag"]["citations"][0]["quote"]
    sent = upstream.bodies[0]
    assert (sent["model"], sent["stream"], sent["temperature"]) == ("scripted-model", True, 0.2)
    assert sent["messages"][-1]["content"].endswith(f"Question: {QUESTION}")


def test_invented_numbers_and_sources_never_leave(
    start_gateway: StartGateway, upstream: ScriptedUpstream
) -> None:
    upstream.tokens = [
        "Express costs €9.90. ",
        "It costs €",
        "77",
        ".50",
        " [1][9",
        "]. Call 0",
        "30 901",
        "820 45.",
    ]
    with start(start_gateway, upstream) as gateway:
        body = gateway.ask(QUESTION).json()
        events = stream_of(gateway.ask(QUESTION, stream=True))
    text = body["choices"][0]["message"]["content"]
    assert text == text_of(events) == "Express costs €9.90. [1] It costs €[…]. Call <PHONE_NUMBER>."
    rules = {verdict["rule"] for verdict in body["rag"]["guards"]}
    assert rules == {"NOT_IN_SOURCES", "NOT_RETRIEVED", "PHONE_NUMBER", "UNSUPPORTED"}


def test_no_answer_becomes_an_abstention(start_gateway: StartGateway, upstream: ScriptedUpstream) -> None:
    upstream.tokens = [" NO", "_ANS", "WER", "."]
    with start(start_gateway, upstream) as gateway:
        body = gateway.ask(QUESTION).json()
        events = stream_of(gateway.ask(QUESTION, stream=True))
    assert (body["rag"]["outcome"], body["rag"]["reason"]) == ("abstained", "generator_found_no_answer")
    assert "NO_ANSWER" not in text_of(events)
    assert text_of(events) == body["choices"][0]["message"]["content"]


def test_the_server_is_not_asked_what_the_documents_do_not_say(
    start_gateway: StartGateway, upstream: ScriptedUpstream
) -> None:
    with start(start_gateway, upstream) as gateway:
        assert gateway.ask("What was the share price last year?").json()["rag"]["outcome"] == "abstained"
    assert upstream.requests == 0


def test_a_busy_server_is_asked_again(start_gateway: StartGateway, upstream: ScriptedUpstream) -> None:
    upstream.statuses = [503, 429]
    with start(start_gateway, upstream) as gateway:
        rag = gateway.ask(QUESTION).json()["rag"]
    assert (rag["degraded"], upstream.requests) == (False, 3)


@pytest.mark.parametrize("is_streamed", [True, False])
@pytest.mark.parametrize("statuses", [[500] * 9, [401]])
def test_a_failing_server_gives_a_degraded_answer_from_the_documents(
    start_gateway: StartGateway, upstream: ScriptedUpstream, statuses: list[int], is_streamed: bool
) -> None:
    upstream.statuses = list(statuses)
    with start(start_gateway, upstream) as gateway:
        reply = gateway.ask(QUESTION, stream=is_streamed)
        with gateway.client() as client:
            metrics = client.get("/metrics").text
    if is_streamed:
        events = stream_of(reply)
        text, rag = text_of(events), next(e["rag"] for e in events if "rag" in e)
    else:
        text, rag = reply.json()["choices"][0]["message"]["content"], reply.json()["rag"]
    assert rag["degraded"] is True  # type: ignore[index]
    assert "€9.90" in text
    assert upstream.requests == min(3, len(statuses)), "retries are bounded"
    assert 'touchstone_degraded_answers_total{assistant="support"}' in metrics


def test_an_unreachable_server_gives_a_degraded_answer(start_gateway: StartGateway) -> None:
    with start_gateway(generator_url="http://127.0.0.1:9/v1") as gateway:
        assert gateway.ask(QUESTION).json()["rag"]["degraded"] is True


def test_a_slow_server_gives_a_degraded_answer_in_time(
    start_gateway: StartGateway, upstream: ScriptedUpstream
) -> None:
    upstream.first_pause_s = 60
    with start(start_gateway, upstream, generator_first_token_timeout_s=0.5) as gateway:
        assert gateway.ask(QUESTION).json()["rag"]["degraded"] is True
    assert upstream.cancelled >= 1


def test_broken_off_in_the_middle_the_stream_ends_with_a_typed_error(
    start_gateway: StartGateway, upstream: ScriptedUpstream
) -> None:
    upstream.tokens, upstream.break_after = (
        ["Express costs €9.90 [1]. ", "It ", "costs ", "nothing ", "more "],
        3,
    )
    upstream.pause_s = 0.05
    with start(start_gateway, upstream) as gateway:
        events = stream_of(gateway.ask(QUESTION, stream=True))
        whole = gateway.ask(QUESTION)
    assert text_of([e for e in events if "choices" in e]).startswith("Express")
    assert events[-1]["error"]["code"] == "generator_interrupted"  # type: ignore[index]
    assert events[-1]["error"]["request_id"]  # type: ignore[index]
    # Nothing was sent yet without streaming, so the documents can still answer.
    assert whole.json()["rag"]["degraded"] is True
    assert "€9.90" in whole.json()["choices"][0]["message"]["content"]


def test_silence_in_the_middle_ends_with_a_typed_error(
    start_gateway: StartGateway, upstream: ScriptedUpstream
) -> None:
    upstream.tokens, upstream.pause_s = ["Express costs €9.90 [1]. It ", "costs "], 30
    with start(start_gateway, upstream, generator_idle_timeout_s=2.0, keep_alive_s=0.05) as gateway:
        reply = gateway.ask(QUESTION, stream=True)
    assert stream_of(reply)[-1]["error"]["code"] == "generator_interrupted"  # type: ignore[index]
    assert ": keep-alive" in reply.text


def test_a_long_wait_is_bridged_with_comments(
    start_gateway: StartGateway, upstream: ScriptedUpstream
) -> None:
    upstream.gate.clear()
    body = {"model": "support", "stream": True, "messages": [{"role": "user", "content": QUESTION}]}
    heard, events = 0, []
    with (
        start(start_gateway, upstream, keep_alive_s=0.1) as gateway,
        gateway.client() as client,
        client.stream("POST", "/v1/chat/completions", json=body) as reply,
    ):
        for line in reply.iter_lines():
            heard += line == ": keep-alive"
            if line.startswith("data: {"):
                events.append(json.loads(line.removeprefix("data: ")))
            if heard == 2:
                upstream.gate.set()
    assert heard >= 2
    assert text_of(events) == "Express costs €9.90. [1]"


@pytest.mark.parametrize("is_streamed", [True, False])
def test_a_client_that_hangs_up_stops_the_server(
    start_gateway: StartGateway, upstream: ScriptedUpstream, is_streamed: bool
) -> None:
    upstream.tokens, upstream.pause_s = ["word "] * 500, 0.05
    body = {"model": "support", "stream": is_streamed, "messages": [{"role": "user", "content": QUESTION}]}

    with start(start_gateway, upstream) as gateway:
        asyncio.run(hang_up(gateway.url, "/v1/chat/completions", body, upstream))
        wait_until(lambda: upstream.cancelled == 1)
        wait_until(lambda: "cancelled" in open_file(gateway))


async def hang_up(url: str, path: str, body: dict[str, object], upstream: ScriptedUpstream) -> None:
    """Ask, and go away while the generator is at work."""
    async with httpx.AsyncClient(base_url=url, timeout=30) as client:
        task = asyncio.ensure_future(client.send(client.build_request("POST", path, json=body), stream=True))
        while not upstream.requests:
            await asyncio.sleep(0.02)
        # Of a stream some is read first; what is not streamed sends nothing.
        while "chat" in path and upstream.sent < 3:
            await asyncio.sleep(0.02)
        task.cancel() if not task.done() else await task.result().aclose()
        await asyncio.gather(task, return_exceptions=True)


@pytest.mark.parametrize("path", ["/v1/completions", "/tokenize"])
def test_a_client_that_hangs_up_stops_what_was_forwarded(
    start_gateway: StartGateway, upstream: ScriptedUpstream, path: str
) -> None:
    upstream.whole_pause_s = 60.0
    with start(start_gateway, upstream) as gateway:
        asyncio.run(hang_up(gateway.url, path, {"model": "support", "prompt": "x"}, upstream))
        wait_until(lambda: upstream.cancelled == 1)


def test_too_long_a_prompt_is_shortened_then_refused(
    start_gateway: StartGateway, upstream: ScriptedUpstream
) -> None:
    upstream.error_text = json.dumps({"error": {"message": "maximum context length is 512 tokens"}})
    with start(start_gateway, upstream) as gateway:
        upstream.statuses = [400]
        assert gateway.ask(QUESTION).json()["rag"]["degraded"] is False
        first, second = (body["messages"][-1]["content"].count("</passage-") for body in upstream.bodies)
        assert (first, second) == (5, 2)
        upstream.statuses = [400] * 9
        reply = gateway.ask(QUESTION)
    assert (reply.status_code, reply.json()["error"]["code"]) == (400, "context_length_exceeded")
    assert "512 tokens" not in reply.text, "the server's own words stay inside"


def test_completions_and_tokens_are_forwarded(
    start_gateway: StartGateway, upstream: ScriptedUpstream
) -> None:
    with start(start_gateway, upstream) as gateway, gateway.client() as client:
        whole = client.post("/v1/completions", json={"model": "support", "prompt": "x", "max_tokens": 3})
        stream = client.post("/v1/completions", json={"model": "support", "prompt": "x", "stream": True})
        tokens = client.post("/tokenize", json={"model": "support", "prompt": "x"})
        upstream.tokens, upstream.break_after = ["a", "b"], 1
        broken = client.post("/v1/completions", json={"prompt": "x", "stream": True})
    assert whole.json()["choices"][0]["text"] == "forwarded"
    assert upstream.bodies[0] == {"model": "scripted-model", "prompt": "x", "max_tokens": 3}
    assert stream.text.endswith("data: [DONE]\n\n")
    assert tokens.json() == {"count": 2, "max_model_len": 0, "tokens": [1, 2]}
    assert '"code":"generator_failed"' in broken.text


@pytest.mark.parametrize("path", ["/v1/completions", "/tokenize"])
def test_a_server_that_fails_or_talks_nonsense_gets_a_typed_error_in_our_own_words(
    start_gateway: StartGateway, upstream: ScriptedUpstream, path: str
) -> None:
    upstream.error_text = json.dumps({"error": {"message": "no route to 10.0.0.7:8000"}})
    with start(start_gateway, upstream) as gateway, gateway.client() as client:
        upstream.statuses = [400, 422, 429, 500]
        replies = [client.post(path, json={"prompt": "x"}) for _ in range(4)]
        for raw in (b"null", b"[]", b"nonsense", b'{"choices": 7, "tokens": 7}', b"[" * 10_000):
            upstream.raw = raw
            replies.append(client.post(path, json={"prompt": "x"}))
    assert {(one.status_code, one.json()["error"]["code"]) for one in replies} == {(502, "generator_failed")}
    assert all("10.0.0.7" not in one.text for one in replies)


@pytest.mark.parametrize("count", [20, pytest.param(200, marks=pytest.mark.slow)])
def test_many_questions_at_once_are_all_answered(
    start_gateway: StartGateway, upstream: ScriptedUpstream, count: int
) -> None:
    async def ask_all(gateway: Gateway) -> list[httpx.Response]:
        body = {"model": "support", "messages": [{"role": "user", "content": QUESTION}]}
        limits = httpx.Limits(max_connections=50)
        async with httpx.AsyncClient(base_url=gateway.url, timeout=300, limits=limits) as client:
            return await asyncio.gather(
                *(client.post("/v1/chat/completions", json=body) for _ in range(count))
            )

    with start(start_gateway, upstream) as gateway:
        replies = asyncio.run(ask_all(gateway))
    ids = {reply.json()["rag"]["answer_id"] for reply in replies}
    assert len(ids) == count
    assert open_file(gateway).count('INSERT INTO "answers"') == count, "every answer is on record"


def test_a_database_that_goes_away_loses_no_answer(
    start_gateway: StartGateway, upstream: ScriptedUpstream
) -> None:
    import sqlite3

    with start(start_gateway, upstream) as gateway:
        gateway.ask(QUESTION)
        path = gateway.settings.database().removeprefix("sqlite:///")
        blocker = sqlite3.connect(path, isolation_level=None)
        blocker.execute("begin immediate")  # nobody else can write now
        before = open_file(gateway).count('INSERT INTO "answers"')
        for _ in range(5):
            assert gateway.ask(QUESTION).status_code == 200
        assert open_file(gateway).count('INSERT INTO "answers"') == before, "answers don't wait for the log"
        blocker.execute("rollback")
        blocker.close()
    assert open_file(gateway).count('INSERT INTO "answers"') == 6


def test_a_server_that_restarts_with_another_model_is_asked_for_that(
    start_gateway: StartGateway, upstream: ScriptedUpstream
) -> None:
    with start(start_gateway, upstream) as gateway:
        assert not gateway.ask(QUESTION).json()["rag"]["degraded"]
        upstream.model = "another-model"
        again = gateway.ask(QUESTION).json()
        with gateway.client() as client:
            upstream.model = "a-third-model"
            forwarded = client.post("/v1/completions", json={"prompt": "Once", "model": "support"})
    assert not again["rag"]["degraded"]
    assert again["choices"][0]["message"]["content"] == "Express costs €9.90. [1]"
    assert forwarded.status_code == 200
    assert [body["model"] for body in upstream.bodies][-1] == "a-third-model"


def test_a_model_that_the_settings_name_and_the_server_lacks_degrades_the_answer(
    start_gateway: StartGateway, upstream: ScriptedUpstream
) -> None:
    with start(start_gateway, upstream, generator_model="missing") as gateway:
        assert gateway.ask(QUESTION).json()["rag"]["degraded"]
    assert {body["model"] for body in upstream.bodies} == {"missing"}


def test_an_answer_that_starts_over_tells_nothing_of_the_void_text(
    start_gateway: StartGateway, upstream: ScriptedUpstream
) -> None:
    upstream.tokens = ["It costs €77.50 here. ", "And ", "more. "]
    upstream.break_after = 2
    with start(start_gateway, upstream, generator_retries=0) as gateway:
        body = gateway.ask(QUESTION).json()
    assert body["rag"]["degraded"]
    assert body["rag"]["notices"] == []
    assert "77" not in body["choices"][0]["message"]["content"]
