"""Options of OpenAI's clients: each does what it says, or is refused by name; none is silently something else."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.conftest import Gateway, StartGateway
from tests.service.conftest import stream_of, text_of
from tests.upstream import ScriptedUpstream

QUESTION = "What does Larkmoor Plus cost?"
EXPRESS = "What does express delivery cost?"
PRICE_TOOL = {"type": "function", "function": {"name": "price", "parameters": {"type": "object"}}}
CALL = {"id": "c1", "type": "function", "function": {"name": "plan", "arguments": "{}"}}


@pytest.fixture(scope="module")
def answer(gateway: Gateway) -> str:
    return answer_of(gateway.ask(QUESTION).json())


@pytest.fixture
def generating(start_gateway: StartGateway, upstream: ScriptedUpstream) -> Iterator[Gateway]:
    with start_gateway(generator_url=upstream.url) as gateway:
        yield gateway


def answer_of(body: dict[str, Any]) -> str:
    text: str = body["choices"][0]["message"]["content"]
    return text


def rules(body: dict[str, Any]) -> list[str]:
    return [verdict["rule"] for verdict in body["rag"]["guards"]]


# What is accepted and changes nothing.


@pytest.mark.parametrize(
    "option",
    [
        {"user": ""},
        {"n": 1},
        {"seed": 7},
        {"top_p": 0.9},
        {"stop": None},
        {"stop": []},
        {"stop": ""},
        {"store": True, "metadata": {"a": "b"}, "service_tier": "auto", "safety_identifier": "x"},
        {"parallel_tool_calls": True},
        {"frequency_penalty": 0, "presence_penalty": 0.0, "logit_bias": {}, "logit_bias_": None},
        {"logprobs": False, "top_logprobs": None},
        {"modalities": ["text"], "audio": None, "prediction": None},
        {"tools": [], "tool_choice": "auto"},
        {"tools": [PRICE_TOOL], "tool_choice": "none"},
        {"response_format": {"type": "text"}},
        {"response_format": None},
        {"stream_options": {"include_usage": True, "include_obfuscation": False}},
    ],
    ids=str,
)
def test_what_changes_nothing_is_accepted(gateway: Gateway, answer: str, option: dict[str, Any]) -> None:
    reply = gateway.ask(QUESTION, **option)
    assert reply.status_code == 200, reply.text
    assert answer_of(reply.json()) == answer


# What would change the answer and isn't supported.


@pytest.mark.parametrize(
    ("option", "param"),
    [
        ({"n": 2}, "n"),
        ({"n": 0}, "n"),
        ({"logprobs": True, "top_logprobs": 3}, "logprobs"),
        ({"top_logprobs": 3}, "logprobs"),
        ({"tools": [PRICE_TOOL], "tool_choice": "required"}, "tools"),
        ({"tools": [PRICE_TOOL]}, "tools"),
        ({"tool_choice": "required"}, "tool_choice"),
        ({"functions": [{"name": "price"}]}, "functions"),
        ({"frequency_penalty": 0.5}, "frequency_penalty"),
        ({"presence_penalty": -1}, "presence_penalty"),
        ({"logit_bias": {"50256": -100}}, "logit_bias"),
        ({"modalities": ["text", "audio"]}, "modalities"),
        ({"audio": {"voice": "alloy"}}, "audio"),
        ({"prediction": {"type": "content", "content": "x"}}, "prediction"),
        ({"reasoning_effort": "high"}, "reasoning_effort"),
        ({"guided_json": {"type": "object"}}, "guided_json"),
        ({"stop": ["a", "b", "c", "d", "e"]}, "stop"),
        ({"stop": "x" * 201}, "stop"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"max_completion_tokens": -1}, "max_completion_tokens"),
        ({"seed": 2**63}, "seed"),
        ({"top_p": 1.5}, "top_p"),
        ({"response_format": {"type": "xml"}}, "response_format"),
        ({"response_format": {"type": "json_schema"}}, "response_format"),
        ({"rag": {"topk": 3}}, "rag.topk"),
    ],
    ids=str,
)
def test_what_would_change_the_answer_is_refused_by_name(
    gateway: Gateway, option: dict[str, Any], param: str
) -> None:
    reply = gateway.ask(QUESTION, **option)
    assert (reply.status_code, reply.json()["error"]["param"]) == (400, param), reply.text


def test_a_deep_value_of_an_option_is_refused_like_any_other(gateway: Gateway) -> None:
    deep = "[" * 800 + "]" * 800
    body = f'{{"model": "support", "messages": [{{"role": "user", "content": "x"}}], "logit_bias": {deep}}}'
    with gateway.client(headers={"content-type": "application/json"}) as client:
        reply = client.post("/v1/chat/completions", content=body)
    assert (reply.status_code, reply.json()["error"]["param"]) == (400, "logit_bias"), reply.text


# Messages.


def test_text_parts_are_joined_and_other_parts_are_refused_by_name(gateway: Gateway, answer: str) -> None:
    parts: list[dict[str, Any]] = [
        {"type": "text", "text": "What does Larkmoor Plus"},
        {"type": "text", "text": "cost?"},
    ]
    reply = gateway.ask("", messages=[{"role": "user", "content": parts}])
    assert answer_of(reply.json()) == answer
    picture = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}}
    reply = gateway.ask("", messages=[{"role": "user", "content": [*parts, picture]}])
    assert (reply.status_code, reply.json()["error"]["param"]) == (400, "messages.0.content.2.type")


@pytest.mark.parametrize("role", ["system", "developer"])
def test_rules_of_the_caller_change_nothing(gateway: Gateway, answer: str, role: str) -> None:
    messages = [{"role": role, "content": "Speak like a pirate."}, {"role": "user", "content": QUESTION}]
    assert answer_of(gateway.ask("", messages=messages).json()) == answer


def test_the_last_message_of_the_user_is_the_question(gateway: Gateway, answer: str) -> None:
    messages: list[dict[str, Any]] = [
        {"role": "user", "content": QUESTION},
        {"role": "assistant", "content": None, "tool_calls": [CALL]},
        {"role": "tool", "tool_call_id": "c1", "content": "Plus"},
    ]
    assert answer_of(gateway.ask("", messages=messages).json()) == answer
    messages += [{"role": "assistant", "content": "Let me see."}]
    assert answer_of(gateway.ask("", messages=messages).json()) == answer


def test_calls_of_tools_in_the_history_leave_no_empty_turn(
    generating: Gateway, upstream: ScriptedUpstream
) -> None:
    messages = [
        {"role": "user", "content": "Which plans are there?"},
        {"role": "assistant", "content": None, "tool_calls": [CALL]},
        {"role": "tool", "tool_call_id": "c1", "content": [{"type": "text", "text": "Plus"}]},
        {"role": "assistant", "content": "There is Plus."},
        {"role": "user", "content": EXPRESS},
    ]
    assert generating.ask("", messages=messages).status_code == 200
    assert [m["role"] for m in upstream.bodies[-1]["messages"]] == ["system", "user", "assistant", "user"]


def test_a_conversation_of_any_number_of_messages_goes_on(gateway: Gateway) -> None:
    polite = [{"role": "user", "content": "Thanks."}, {"role": "assistant", "content": "You are welcome."}]
    reply = gateway.ask("", messages=[*polite * 120, {"role": "user", "content": QUESTION}])
    assert reply.status_code == 200
    assert "HISTORY_TOO_LONG" in rules(reply.json())


# Length, seed and other numbers.


@pytest.mark.parametrize("name", ["max_tokens", "max_completion_tokens"])
def test_more_tokens_than_there_can_be_are_clamped_and_the_reply_tells_it(
    generating: Gateway, upstream: ScriptedUpstream, name: str
) -> None:
    body = generating.ask(EXPRESS, **{name: 32_000}).json()
    assert upstream.bodies[-1]["max_tokens"] == 8_192
    assert "MAX_TOKENS_CLAMPED" in rules(body)
    body = generating.ask(EXPRESS, **{name: 8_192}).json()
    assert "MAX_TOKENS_CLAMPED" not in rules(body)


def test_seed_top_p_and_stop_reach_the_server(generating: Gateway, upstream: ScriptedUpstream) -> None:
    generating.ask(EXPRESS, seed=7, top_p=0.5, stop="\n\n")
    sent = upstream.bodies[-1]
    assert (sent["seed"], sent["top_p"], sent["stop"]) == (7, 0.5, ["\n\n"])
    generating.ask(EXPRESS)
    assert not {"seed", "top_p", "stop", "response_format"} & upstream.bodies[-1].keys()


# Stop words.


@pytest.mark.parametrize("stream", [False, True])
def test_the_documents_sentences_end_before_a_stop_word(gateway: Gateway, stream: bool, answer: str) -> None:
    reply = gateway.ask(QUESTION, stop=["nowhere", "month"], stream=stream)
    if stream:
        events = stream_of(reply)
        text, finish = text_of(events), events[-1]["choices"][0]["finish_reason"]  # type: ignore[index]
    else:
        text, finish = answer_of(reply.json()), reply.json()["choices"][0]["finish_reason"]
        assert reply.json()["usage"]["completion_tokens"] > 0
    assert text == answer[: answer.index("month")]
    assert finish == "stop"


@pytest.mark.parametrize("stream", [False, True])
def test_a_stop_word_that_the_server_ignores_ends_the_answer_wherever_it_is_divided(
    generating: Gateway, upstream: ScriptedUpstream, stream: bool
) -> None:
    upstream.tokens = ["Express ", "cos", "ts €9", ".90. And a par", "cel. [1]", " And", " more. [1]"]
    reply = generating.ask(EXPRESS, stop=["a parcel"], stream=stream)
    if stream:
        events = stream_of(reply)
        text, finish = text_of(events), events[-1]["choices"][0]["finish_reason"]  # type: ignore[index]
    else:
        text, finish = answer_of(reply.json()), reply.json()["choices"][0]["finish_reason"]
    assert text == "Express costs €9.90. [1] And "
    assert finish == "stop"


def test_a_stop_word_that_a_mask_makes_ends_the_answer_too(
    generating: Gateway, upstream: ScriptedUpstream
) -> None:
    upstream.tokens = ["Express costs €9.90. ", "Write to ", "jane.doe@example.com", " for express. [1]"]
    masked, before = answer_of(generating.ask(EXPRESS).json()), "Express costs €9.90. [1] Write to "
    mask = masked[len(before) :].split()[0]
    assert "jane.doe" not in masked
    assert answer_of(generating.ask(EXPRESS, stop=[mask[:5]]).json()) == before


def test_an_answer_that_begins_with_the_stop_word_is_empty(gateway: Gateway, answer: str) -> None:
    body = gateway.ask(QUESTION, stop=[answer[:3]]).json()
    assert (answer_of(body), body["choices"][0]["finish_reason"]) == ("", "stop")


def test_fixed_replies_end_before_a_stop_word_too(gateway: Gateway) -> None:
    assert answer_of(gateway.ask("Hello!", stop=["question"]).json()) == "Hello! Ask me a "


# Models.


def test_a_model_is_found_by_name(gateway: Gateway) -> None:
    with gateway.client() as client:
        listed = client.get("/v1/models").json()["data"][0]
        assert client.get("/v1/models/support").json() == listed
        missing = client.get("/v1/models/gpt-9")
    assert (missing.status_code, missing.json()["error"]["code"]) == (404, "model_not_found")
    assert missing.json()["error"]["param"] == "model"
