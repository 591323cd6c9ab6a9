"""Forwarded streams: whatever arrives together, each choice says what its whole text would."""

import asyncio
import threading
from collections import defaultdict
from collections.abc import AsyncIterator, Callable
from typing import Any

import orjson
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ingestion.config import PiiPolicy
from ingestion.scrub import Scrubber
from service.answer.completions import guard_prompt, guard_reply, guard_stream
from service.errors import BusyError, InvalidRequestError
from service.guard.build import AssistantGuards
from service.guard.chain import Digests
from service.scope.policy import policy_of
from tests.service.conftest import WatchedScrubber, patient

SCRUBBER = Scrubber(PiiPolicy(), with_names=False)
GUARDS = AssistantGuards(
    policy_of(),
    input_scrubber=SCRUBBER,
    output_scrubber=SCRUBBER,
    models=None,
    executor=None,
    digests=Digests(b"test"),
    canary="",
)
WORDS = st.sampled_from(
    ["Write ", "to ", "jo.", "doe@mail", "box.example", " now", " 4111 1111", " 1111 1111 ", "\n"]
)
TOLD = st.lists(st.tuples(st.integers(0, 1), WORDS), max_size=20)


def events_of(context: list[tuple[int, str]]) -> bytes:
    """One event a word, the end of each choice, and what was used."""
    events = [
        {"id": "x", "choices": [{"index": i, "text": text, "finish_reason": None}]} for i, text in context
    ]
    ends = [{"id": "x", "choices": [{"index": i, "text": "", "finish_reason": "stop"}]} for i in (0, 1)]
    used = {"id": "x", "choices": [], "usage": {"completion_tokens": len(context)}}
    return (
        b"".join(b"data: " + orjson.dumps(e) + b"\n\n" for e in [*events, *ends, used]) + b"data: [DONE]\n\n"
    )


async def guarded(chunks: list[bytes]) -> list[dict[str, Any]]:
    async def sent() -> AsyncIterator[bytes]:
        for chunk in chunks:
            yield chunk

    lines = b"".join([piece async for piece in guard_stream(sent(), GUARDS)]).split(b"\n\n")
    assert lines[-2:] == [b"data: [DONE]", b""]
    return [orjson.loads(line.removeprefix(b"data: ")) for line in lines[:-2]]


@settings(deadline=None)
@given(TOLD, st.lists(st.integers(0, 4_000), max_size=8))
@example([(0, "jo."), (0, "doe@mail"), (1, "box.example")], [])  # half an address in each choice is none
def test_a_forwarded_stream_says_what_the_whole_reply_would(
    context: list[tuple[int, str]], cuts: list[int]
) -> None:
    raw = events_of(context)
    places = sorted({min(cut, len(raw)) for cut in cuts} | {0, len(raw)})
    events = asyncio.run(guarded([raw[a:b] for a, b in zip(places, places[1:], strict=False)]))
    texts: dict[int, str] = defaultdict(str)
    for event in events:
        for choice in event["choices"]:
            texts[choice["index"]] += choice["text"]
    whole = defaultdict(str)
    for i, text in context:
        whole[i] += text
    for i in (0, 1):
        reply = guard_reply({"choices": [{"index": i, "text": whole[i]}]}, GUARDS)
        assert texts[i] == reply["choices"][0]["text"]
    assert not any("jo.doe@mailbox.example" in text for text in texts.values())
    assert events[-1]["usage"] == {"completion_tokens": len(context)}
    assert [c["index"] for e in events for c in e["choices"] if c["finish_reason"]] == [0, 1]


def test_what_arrives_together_leaves_as_one_event() -> None:
    raw = events_of([(0, word) for word in "one two three four".split()])
    together = asyncio.run(guarded([raw]))
    singly = asyncio.run(guarded([line + b"\n\n" for line in raw.split(b"\n\n")]))
    assert (len(together), len(singly)) == (3, 7)


def test_an_error_ends_a_stream_after_what_was_held_back() -> None:
    raw = b'data: {"choices": [{"index": 0, "text": "Half a wor"}]}\n\ndata: {"error": {"code": "x"}}\n\ndata: [DONE]\n\n'
    events = asyncio.run(guarded([raw]))
    assert [event["error"]["code"] for event in events if "error" in event] == ["generator_failed"]
    assert "".join(c["text"] for e in events for c in e.get("choices", [])) == "Half a wor"


@pytest.mark.parametrize(
    "prompts",
    [["I am jo.doe@mailbox.example. " + "x " * 2_000], ["I am jo.doe@mailbox.example."] * 150, [""] * 1_000],
    ids=["one long", "many", "many empty"],
)
def test_long_prompts_are_screened_beside_the_event_loop(prompts: list[str]) -> None:
    scrubber = WatchedScrubber()
    guards = AssistantGuards(
        policy_of(),
        input_scrubber=scrubber,
        output_scrubber=SCRUBBER,
        models=None,
        executor=None,
        digests=Digests(b"test"),
        canary="",
    )
    body = asyncio.run(guard_prompt({"prompt": prompts}, guards))
    assert "jo.doe" not in str(body)
    assert scrubber.threads
    assert threading.get_ident() not in scrubber.threads


@pytest.mark.parametrize(
    "value", [None, 7, "words", [], [1], {}, {"choices": None}, {"choices": [7]}], ids=repr
)
@pytest.mark.parametrize("path", ["event", "text", "index", "logprobs"])
def test_every_malformed_event_ends_a_stream_with_a_typed_error(path: str, value: object) -> None:
    allowed = {
        "text": [None, "words"],
        "index": [7],
        "logprobs": [None, {}, {"choices": None}, {"choices": [7]}],
    }
    good: dict[str, Any] = {"choices": [{"index": 0, "text": "One two ", "logprobs": None}]}
    bad = value if path == "event" else {"choices": [{**good["choices"][0], path: value}]}
    raw = b"".join(b"data: " + orjson.dumps(one) + b"\n\n" for one in (good, bad))
    codes = [event["error"]["code"] for event in asyncio.run(guarded([raw])) if "error" in event]
    assert codes == ([] if value in allowed.get(path, []) else ["generator_failed"])


def test_nothing_but_known_fields_leaves() -> None:
    said = "jo.doe@mailbox.example"
    choice = {"index": 0, "text": "Fine.", "finish_reason": said, "message": said, "prompt_logprobs": [said]}
    reply = {"id": said, "choices": [choice], "usage": {"total_tokens": 3, "note": said}, "prompt": said}
    assert guard_reply(reply, GUARDS) == {
        "choices": [{"index": 0, "text": "Fine.", "finish_reason": "stop", "logprobs": None}],
        "usage": {"total_tokens": 3},
    }
    events = asyncio.run(guarded([b"data: " + orjson.dumps(reply) + b"\n\n"]))
    assert said not in str(events)


def test_log_probabilities_leave_where_no_guard_finds_anything_in_them() -> None:
    clean = {"tokens": ["Fi", "ne."], "token_logprobs": [None, -0.5], "top_logprobs": [None, {"ne.": -0.5}]}
    hidden = {**clean, "top_logprobs": [{"jo.doe@mail": -1.0}, {"box.example": -1.0}]}
    found = [
        guard_reply({"choices": [{"text": "Fine.", "logprobs": one}]}, GUARDS)["choices"][0]["logprobs"]
        for one in (clean, hidden)
    ]
    assert found == [{**clean, "text_offset": []}, None]


def test_links_of_a_completion_go_only_where_its_prompt_does() -> None:
    text = "See https://help.example/a or https://evil.example/?q=1 now."
    reply = guard_reply({"choices": [{"text": text}]}, GUARDS, ["Read https://help.example/ first."])
    assert reply["choices"][0]["text"] == "See https://help.example/a or [link removed] now."


async def test_a_suspected_prompt_is_forwarded_and_one_that_late_guards_hold_is_not(
    build: Callable[..., AssistantGuards],
) -> None:
    suspicious = patient({"input": {"injection_model": {"threshold": 1, "degrade_threshold": 0}}})
    assert await guard_prompt({"prompt": "The lamp is"}, build(suspicious)) == {"prompt": "The lamp is"}
    certain = patient({"input": {"injection_model": {"threshold": 0, "degrade_threshold": 0}}})
    with pytest.raises(InvalidRequestError, match="injection_model"):
        await guard_prompt({"prompt": "The lamp is"}, build(certain))
    late = patient({"input": {"injection_model": {"deadline_s": 1e-6, "fail": "degrade"}}})
    with pytest.raises(BusyError):
        await guard_prompt({"prompt": "The lamp is"}, build(late))
