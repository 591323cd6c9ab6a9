"""Whatever a server streams, splits, delays or breaks: the client gets a whole answer or a typed error, and in time."""

import json
import random
from collections.abc import Sequence

import httpx
import pytest

from tests.conftest import Gateway, StartGateway
from tests.fuzzing import any_text
from tests.service.answer.generate.test_fuzz import damaged, split
from tests.upstream import ScriptedUpstream

QUESTION = "What does express delivery cost?"
FEW, MANY = 60, 1_000
SECONDS = 20
# What a client may hear when nobody could answer.
ERRORS = {"generator_failed", "generator_interrupted", "context_length_exceeded"}


def said(rng: random.Random) -> bytes:
    """A stream of good events: sentences that answer, that don't, and that are none."""
    sentences = [
        "Express costs €9.90. [1] ",
        "The moon is made of cheese. [2] ",
        "NO_ANSWER",
        "[1] ",
        "Yes. ",
        "<think>",
        "</think>\n",
    ]
    texts = [
        rng.choice(sentences) if rng.random() < 0.8 else any_text(rng, most_pieces=3)
        for _ in range(rng.randrange(1, 8))
    ]
    text = "".join(texts)
    pieces = [text[i : i + 4] for i in range(0, len(text), 4)]
    events = [{"choices": [{"index": 0, "delta": {"content": piece}}]} for piece in pieces]
    events.append({"choices": [{"index": 0, "delta": {}, "finish_reason": rng.choice(["stop", "length"])}]})
    return (
        b"".join(b"data: " + json.dumps(event).encode() + b"\n\n" for event in events) + b"data: [DONE]\n\n"
    )


def arranged(upstream: ScriptedUpstream, rng: random.Random) -> None:
    upstream.chunks = split(said(rng) if rng.random() < 0.5 else damaged(rng), rng)
    upstream.break_after = rng.randrange(len(upstream.chunks) + 1) if rng.random() < 0.2 else None
    upstream.statuses = (
        [rng.choice([500, 503, 429, 404, 400, 401])] * rng.randrange(3) if rng.random() < 0.2 else []
    )
    upstream.pause_s = rng.choice([0, 0, 0.002])


def check(gateway: Gateway, client: httpx.Client, *, is_streamed: bool) -> None:
    body = {"model": "support", "messages": [{"role": "user", "content": QUESTION}], "stream": is_streamed}
    reply = client.post(f"{gateway.url}/v1/chat/completions", json=body, timeout=SECONDS)
    assert reply.status_code in (200, 400, 502), reply.text
    if reply.status_code != 200:
        assert reply.json()["error"]["code"] in ERRORS
    elif is_streamed:
        check_events(
            [line.removeprefix("data: ") for line in reply.text.split("\n") if line.startswith("data: ")]
        )
    else:
        whole = reply.json()
        check_answer(whole["choices"][0]["message"]["content"], whole["rag"])


def check_events(lines: Sequence[str]) -> None:
    assert lines[-1] == "[DONE]"
    events = [json.loads(line) for line in lines[:-1]]
    last = events[-1]
    if "error" in last:
        assert last["error"]["code"] in ERRORS
        return
    assert last["choices"][0]["finish_reason"]
    text = "".join(choice["delta"].get("content", "") for event in events for choice in event["choices"])
    check_answer(text, last["rag"])


def check_answer(text: str, rag: dict[str, object]) -> None:
    assert text.strip()
    assert "<think" not in text
    assert "</think" not in text
    # What nothing supports never goes out as an answer.
    assert rag["outcome"] != "answered" or rag["citations"]


def check_many(start_gateway: StartGateway, upstream: ScriptedUpstream, count: int, first: int) -> None:
    settings = {"generator_url": upstream.url, "generator_idle_timeout_s": 5}
    with start_gateway(**settings) as gateway, gateway.client() as client:
        for seed in range(first, first + count):
            rng = random.Random(seed)
            arranged(upstream, rng)
            try:
                check(gateway, client, is_streamed=rng.random() < 0.7)
            except Exception as exc:
                raise AssertionError(f"seed {seed}, {upstream.chunks}: {exc!r}") from exc


def test_a_client_hears_the_end_of_whatever_a_server_streams(
    start_gateway: StartGateway, upstream: ScriptedUpstream
) -> None:
    check_many(start_gateway, upstream, FEW, 0)


@pytest.mark.slow
def test_a_client_hears_the_end_of_a_thousand_random_streams(
    start_gateway: StartGateway, upstream: ScriptedUpstream
) -> None:
    check_many(start_gateway, upstream, MANY, 1_000)
