"""Every malformed event of a server is a broken stream: typed before any text was sent, and after it."""

import copy
import json
from collections.abc import Iterator
from typing import Any

import aiohttp
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.answer.abstain import Relevance
from service.answer.evidence import Evidence
from service.answer.generate import Event, Finished, Task, Text
from service.answer.generate.chunks import ChatStream, MalformedError, clean, message_of, served_of
from service.answer.generate.openai import OpenAIGenerator
from service.answer.generate.replica import Replica, Upstream
from service.answer.prompts import load_prompt
from service.answer.tools import ToolCall
from service.errors import GeneratorError, GeneratorInterruptedError
from service.guard.texts import MaskedText
from service.scope import Sampling
from tests.conftest import StartGateway
from tests.service.conftest import stream_of, text_of
from tests.upstream import ScriptedUpstream

QUESTION = "What does express delivery cost?"
GOOD: dict[str, Any] = {
    "choices": [{"index": 0, "delta": {"content": "It costs €9.90 [1]. "}, "finish_reason": None}]
}
END: dict[str, Any] = {
    "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 3, "completion_tokens": 4},
}
DEEP = json.loads("[" * 500 + "]" * 500)
WRONG: list[object] = [None, True, 7, -1, 1.5, 10**30, "words", [], [1], [None], {}, {"a": 1}, DEEP]
PATHS: list[tuple[str | int, ...]] = [
    (),
    ("choices",),
    ("choices", 0),
    ("choices", 0, "delta"),
    ("choices", 0, "delta", "content"),
    ("choices", 0, "finish_reason"),
    ("usage",),
    ("usage", "prompt_tokens"),
    ("usage", "completion_tokens"),
]
# What the protocol allows in a place after all.
ALLOWED: dict[tuple[str | int, ...], list[object]] = {
    (): [None, {}, {"a": 1}],
    ("choices",): [None, []],
    ("choices", 0): [{}, {"a": 1}],
    ("choices", 0, "delta"): [None, {}, {"a": 1}],
    ("choices", 0, "delta", "content"): [None, "words"],
    ("choices", 0, "finish_reason"): [None, "words"],
    ("usage",): [None, {}, {"a": 1}],
    ("usage", "prompt_tokens"): [None, 7],
    ("usage", "completion_tokens"): [None, 7],
}


def put(event: object, path: tuple[str | int, ...], value: object) -> object:
    if not path:
        return value
    changed: Any = copy.deepcopy(event)
    place = changed
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    return changed


def malformed() -> Iterator[bytes]:
    for path in PATHS:
        allowed = [(type(one), one) for one in ALLOWED.get(path, [])]
        for value in WRONG:
            if (type(value), value) not in allowed:
                yield json.dumps(put({**GOOD, "usage": END["usage"]}, path, value)).encode()
    yield from (b"", b"{", b"nonsense", b"\xff\xfe", b'{"choices": [', b"[" * 100_000, b"{" * 5_000)
    yield from (b'{"error": {"message": "boom"}}', b'{"error": "boom"}', b'{"error": [], "choices": []}')


FORMS = list(malformed())


def task() -> Task:
    relevance = Relevance(1.0, 1.0, 1.0, 1.0, 1.0, 1.0)
    evidence = Evidence((), (), relevance, None, {})  # type: ignore[arg-type]  # no generator asks the release
    return Task(MaskedText(QUESTION), (), evidence, Sampling(), load_prompt("cited"))


async def events_of(upstream: ScriptedUpstream) -> list[Event]:
    async with aiohttp.ClientSession() as session:
        generator = OpenAIGenerator("openai", [Replica("openai", session, Upstream(upstream.url, retries=0))])
        return [event async for event in generator.generate(task())]


def test_there_are_enough_malformed_forms() -> None:
    assert len(FORMS) >= 90


@pytest.mark.parametrize("path", sorted(ALLOWED, key=str), ids=str)
def test_what_the_protocol_allows_is_no_broken_stream(path: tuple[str | int, ...]) -> None:
    for value in ALLOWED[path]:
        event = put({**GOOD, "usage": END["usage"]}, path, value)
        stream = ChatStream()
        stream.take([b"data: " + json.dumps(event).encode()])
        assert stream.broken is None


async def test_every_malformed_event_before_any_text_is_a_failed_generator(
    upstream: ScriptedUpstream,
) -> None:
    for form in FORMS:
        upstream.payloads = [form]
        with pytest.raises(GeneratorError) as raised:
            await events_of(upstream)
        assert raised.value.code == "generator_failed", form[:80]


async def test_every_malformed_event_after_text_is_an_interruption(upstream: ScriptedUpstream) -> None:
    for form in FORMS:
        upstream.payloads = [json.dumps(GOOD).encode(), form]
        with pytest.raises(GeneratorInterruptedError):
            await events_of(upstream)


@pytest.mark.parametrize("form", [b"7", b'{"choices": 7}', b"[" * 100_000], ids=["number", "choices", "deep"])
def test_the_documents_answer_where_a_generator_says_nonsense(
    start_gateway: StartGateway, upstream: ScriptedUpstream, form: bytes
) -> None:
    said = put(GOOD, ("choices", 0, "delta", "content"), "It costs €9.90 [1]. It comes ")
    with start_gateway(generator_url=upstream.url, generator_retries=0) as gateway:
        upstream.payloads = [form]
        whole, streamed = gateway.ask(QUESTION), gateway.ask(QUESTION, stream=True)
        upstream.payloads = [json.dumps(said).encode(), form]
        events = stream_of(gateway.ask(QUESTION, stream=True))
    assert whole.json()["rag"]["degraded"] is True
    assert "€9.90" in text_of(stream_of(streamed))
    assert text_of(events[:-1]).startswith("It costs €9.90 [1].")
    assert events[-1]["error"]["code"] == "generator_interrupted"  # type: ignore[index]


async def test_strange_characters_of_a_generator_are_cleaned(upstream: ScriptedUpstream) -> None:
    said = [rb'"a\u0000b"', rb'"half \ud800 and \udc00"', rb'"whole \ud83d\ude00"']
    upstream.payloads = [b'{"choices": [{"delta": {"content": %s}}]}' % one for one in said]
    upstream.payloads.append(json.dumps(END).encode())
    events = await events_of(upstream)
    text = "".join(event.text for event in events if isinstance(event, Text))
    assert text == "abhalf � and �whole 😀"
    assert [(e.reason, e.prompt_tokens) for e in events if isinstance(e, Finished)] == [("stop", 3)]
    text.encode("utf-8")


def test_halves_of_a_character_that_came_apart_are_one_again() -> None:
    assert clean("\ud83d\ude00") == "😀"


def test_an_answer_without_an_end_is_malformed() -> None:
    stream = ChatStream()
    line = b"data: " + json.dumps(put(GOOD, ("choices", 0, "delta", "content"), "x" * 90_000)).encode()
    assert len(stream.take([line, line])) == 180_000
    assert stream.broken is None
    assert stream.take([line]) == ""
    assert "without an end" in str(stream.broken)


@pytest.mark.parametrize("value", WRONG, ids=repr)
def test_whole_replies_of_the_wrong_form_are_malformed(value: object) -> None:
    reply = {"choices": [{"message": {"role": "assistant", "content": "x"}}], "data": [{"id": "m"}]}
    for path in ((), ("choices",), ("choices", 0), ("choices", 0, "message")):
        if path[-1:] == ("message",) and isinstance(value, dict):
            continue  # a message may say nothing
        with pytest.raises(MalformedError):
            message_of(json.dumps(put(reply, path, value)).encode())
    for path in ((), ("data", 0), ("data", 0, "id")):
        if path != ("data", 0, "id") or value != "words":
            with pytest.raises(MalformedError):
                served_of(json.dumps(put(reply, path, value)).encode())


# Calls of tools.


def called(*pieces: object) -> tuple[ToolCall, ...]:
    stream = ChatStream()
    events = [{"choices": [{"delta": {"tool_calls": [piece]}}]} for piece in pieces]
    stream.take([b"data: " + json.dumps(event).encode() for event in events])
    if stream.broken:
        raise stream.broken
    return stream.parts.calls


@given(
    st.lists(st.tuples(st.text("ab_", min_size=1), st.text('{"é🙂}')), max_size=3),
    st.randoms(use_true_random=False),
)
def test_calls_are_the_same_however_they_come_in_pieces(calls: list[tuple[str, str]], chance: Any) -> None:
    pieces = []
    for index, (name, arguments) in enumerate(calls):
        cut = chance.randrange(len(arguments) + 1)
        first = {"index": index, "id": f"c{index}", "function": {"name": name, "arguments": arguments[:cut]}}
        pieces += [first, *({"index": index, "function": {"arguments": one}} for one in arguments[cut:])]
    assert called(*pieces) == tuple(ToolCall(f"c{i}", name, said) for i, (name, said) in enumerate(calls))


@pytest.mark.parametrize(
    "pieces",
    [
        [{"index": 0, "id": "a", "function": {"name": "x", "arguments": '{"n": 1}'}}],
        [{"id": "a", "function": {"name": "x", "arguments": '{"n"'}}, {"function": {"arguments": ": 1}"}}],
        [{"index": 0, "id": "a", "function": {"name": "x"}}, {"index": 0, "id": "a", "function": {"name": "x", "arguments": '{"n": 1}'}}],
        [{"index": 0, "id": "a", "function": {"name": "", "arguments": None}}, {"index": 0, "function": {"name": "x", "arguments": '{"n": 1}'}}],
        [{"index": 3, "id": "a", "type": None, "function": {"name": "x", "arguments": '{"n": 1}'}}],
    ],
    ids=["whole", "no index", "repeated name and id", "late name", "odd index"],
)  # fmt: skip
def test_oddities_of_calls_are_understood(pieces: list[object]) -> None:
    assert called(*pieces) == (ToolCall("a", "x", '{"n": 1}'),)


def test_arguments_may_be_an_object_and_another_id_is_another_call() -> None:
    first = {"index": 0, "id": "a", "function": {"name": "x", "arguments": {"n": 1}}}
    second = {"index": 0, "id": "b", "function": {"name": "y", "arguments": "{}"}}
    assert called(first, second) == (ToolCall("a", "x", '{"n":1}'), ToolCall("b", "y", "{}"))


def test_ids_that_are_none_or_taken_are_replaced() -> None:
    ids = [
        one.id
        for one in called(
            *({"index": i, "id": one, "function": {}} for i, one in enumerate(["a", "", "a", "a b"]))
        )
    ]
    assert ids[0] == "a"
    assert len(set(ids)) == 4
    assert all(one.startswith("call_") for one in ids[1:])


@pytest.mark.parametrize(
    "piece",
    [
        None, [], "x", {"index": -1}, {"index": True}, {"index": "0"}, {"index": 10**6}, {"id": 5}, {"function": []},
        {"function": {"name": 5}}, {"function": {"arguments": 5}}, {"function": {"arguments": [1]}},
    ],
    ids=str,
)  # fmt: skip
def test_a_malformed_call_breaks_the_stream(piece: object) -> None:
    with pytest.raises(MalformedError):
        called(piece)


def test_calls_without_an_end_break_the_stream() -> None:
    with pytest.raises(MalformedError, match="calls without an end"):
        called(*({"id": str(i)} for i in range(129)))
    with pytest.raises(MalformedError, match="an answer without an end"):
        called(*({"index": 0, "function": {"arguments": "x" * 50_000}} for _ in range(5)))
