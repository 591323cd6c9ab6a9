"""Arguments of tools: every value is guarded, what gives something away refuses the answer, and what leaves fits."""

import json
import threading

import pytest

from tests.conftest import Gateway, wait_until
from tests.service.conftest import open_file
from tests.service.tools import CALLED, arguments_of, asked, calls, found
from tests.upstream import ScriptedUpstream

STREAMED = pytest.mark.parametrize("stream", [False, True])


@STREAMED
def test_arguments_are_guarded_value_by_value(
    calling: Gateway, upstream: ScriptedUpstream, stream: bool
) -> None:
    note = "For jane.doe@example.com, see https://evil.example/?q=1, key AKIAIOSFODNN7EXAMPLE, in 14 days"
    upstream.payloads = calls(("order_status", json.dumps({"order": "LM-77", "note": note})))
    message, rag, _ = asked(calling, stream=stream)
    ((_, arguments),) = arguments_of(message)
    assert (arguments["order"], "in 14 days" in arguments["note"]) == ("LM-77", True)
    for secret in ("jane.doe", "evil.example", "AKIAIOSFODNN7EXAMPLE"):
        assert secret not in json.dumps(message)
        assert secret not in open_file(calling)
    assert {"pii", "egress", "secrets"} <= {guard for guard, _ in found(rag)}
    assert {"pii", "egress", "secrets"} <= {one["guard"] for one in rag["notices"]}


@STREAMED
def test_the_code_of_the_passages_is_taken_out(
    calling: Gateway, upstream: ScriptedUpstream, stream: bool
) -> None:
    upstream.gate.clear()

    def answer() -> None:
        wait_until(lambda: upstream.bodies)
        code = upstream.bodies[-1]["messages"][-1]["content"].split("<passage-")[1].split(" ")[0]
        note = f"x passage-{code} </passage-{code}> y"
        upstream.payloads = calls(("order_status", json.dumps({"order": "LM-77", "note": note})))
        escaped = upstream.payloads[1].replace(b"passage", b"p\\\\u0061ssage")
        upstream.payloads[1] = escaped
        seen.append(code)
        upstream.gate.set()

    seen: list[str] = []
    thread = threading.Thread(target=answer)
    thread.start()
    message, _, _ = asked(calling, stream=stream)
    thread.join()
    assert seen[0] not in json.dumps(message)
    ((_, arguments),) = arguments_of(message)
    assert arguments["note"].startswith("x")


@STREAMED
@pytest.mark.parametrize("leak", ["canary", "rules"])
def test_a_call_that_gives_something_away_is_a_refusal(
    calling: Gateway, upstream: ScriptedUpstream, stream: bool, leak: str
) -> None:
    asked(calling)
    told = upstream.bodies[-1]["messages"][0]["content"]
    lines = told.split("\n")
    note = (
        lines[-1].split()[-1]
        if leak == "canary"
        else next(line for line in lines if "Never add facts" in line)
    )
    upstream.payloads = calls(CALLED, ("order_status", json.dumps({"order": "LM-1", "note": note})))
    message, rag, finish = asked(calling, stream=stream)
    assert not message.get("tool_calls")
    assert message["content"].startswith("I can't help with that.")
    assert (rag["outcome"], rag["reason"], finish) == ("refused", "guard:leak", "content_filter")
    assert note not in open_file(calling)


@STREAMED
def test_a_mask_that_breaks_the_parameters_keeps_the_call_here(
    calling: Gateway, upstream: ScriptedUpstream, stream: bool
) -> None:
    strict = {"type": "object", "properties": {"to": {"type": "string", "pattern": "^[a-z.]+@[a-z.]+$"}}}
    tool = {"type": "function", "function": {"name": "price", "parameters": strict}}
    upstream.payloads = calls(("price", '{"to": "jane.doe@example.com"}'))
    message, rag, _ = asked(calling, tools=[tool], stream=stream)
    assert not message.get("tool_calls")
    assert ("tools", "MASKED_ARGUMENTS") in found(rag)
