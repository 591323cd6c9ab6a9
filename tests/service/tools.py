"""Tools as tests offer them, and what a server says when its model calls some."""

import json
from pathlib import Path
from typing import Any

import orjson
import yaml

from tests.conftest import Gateway, scope_with
from tests.service.conftest import stream_of

PARAMETERS: dict[str, Any] = {
    "type": "object",
    "properties": {"order": {"type": "string"}, "note": {"type": "string"}},
    "required": ["order"],
}
ORDER_STATUS = {
    "type": "function",
    "function": {
        "name": "order_status",
        "description": "Tells where an order is. Use it whenever somebody asks for a parcel.",
        "parameters": PARAMETERS,
    },
}
EXPRESS = "What does express delivery cost?"
PRICE = {"type": "function", "function": {"name": "price"}}
CALLED = ("order_status", '{"order": "LM-10482"}')


def tool_scope(folder: Path, allowed: object = ("order_*", "price"), **guards: Any) -> Path:
    """The demo's scope, whose assistant may call some tools."""
    path = scope_with(folder, **guards)
    scope = yaml.safe_load(path.read_text())
    scope["assistants"]["support"]["tools"] = list(allowed)  # type: ignore[call-overload]
    path.write_text(yaml.safe_dump(scope))
    return path


def delta(**parts: Any) -> bytes:
    return orjson.dumps({"choices": [{"index": 0, "delta": parts}]})


def end(reason: str = "tool_calls") -> list[bytes]:
    usage = {"prompt_tokens": 321, "completion_tokens": 12}
    last = {"choices": [{"index": 0, "delta": {}, "finish_reason": reason}]}
    return [orjson.dumps(last), orjson.dumps({"choices": [], "usage": usage})]


def said(text: str) -> list[bytes]:
    """An answer in prose."""
    return [delta(content=text), *end("stop")]


def calls(
    *called: tuple[str, str], size: int = 1_000, before: str = "", reason: str = "tool_calls"
) -> list[bytes]:
    """Calls whose arguments come in pieces of a size, as vLLM streams them."""
    events = [delta(content=before)] if before else []
    for index, (name, arguments) in enumerate(called):
        head = {"index": index, "id": f"chatcmpl-tool-{index}", "type": "function"}
        events.append(delta(tool_calls=[{**head, "function": {"name": name, "arguments": ""}}]))
        for place in range(0, len(arguments), size):
            piece = {"index": index, "function": {"arguments": arguments[place : place + size]}}
            events.append(delta(tool_calls=[piece]))
    return [*events, *end(reason)]


def message_of(events: list[dict[str, Any]]) -> dict[str, Any]:
    """The message that a client makes of a stream."""
    message: dict[str, Any] = {"content": None, "tool_calls": []}
    for event in events:
        for choice in event["choices"]:
            change = choice["delta"]
            if change.get("content") is not None:
                message["content"] = (message["content"] or "") + change["content"]
            for call in change.get("tool_calls", ()):
                while len(message["tool_calls"]) <= call["index"]:
                    message["tool_calls"].append(
                        {"id": "", "type": "", "function": {"name": "", "arguments": ""}}
                    )
                known = message["tool_calls"][call["index"]]
                known["id"] += call.get("id", "")
                known["type"] += call.get("type", "")
                for key in ("name", "arguments"):
                    known["function"][key] += call["function"].get(key, "")
    return message


def arguments_of(message: dict[str, Any]) -> list[tuple[str, Any]]:
    """Names of what was called, with the arguments."""
    return [
        (one["function"]["name"], json.loads(one["function"]["arguments"])) for one in message["tool_calls"]
    ]


def asked(
    gateway: Gateway, question: str = EXPRESS, *, stream: bool = False, **options: Any
) -> tuple[dict[str, Any], dict[str, Any], str]:
    """The message, `rag`, and why the answer ended."""
    reply = gateway.ask(question, stream=stream, **{"tools": [ORDER_STATUS], **options})
    assert reply.status_code == 200, reply.text
    if stream:
        events: list[dict[str, Any]] = stream_of(reply)
        return message_of(events), events[-1]["rag"], events[-1]["choices"][0]["finish_reason"]
    body = reply.json()
    return body["choices"][0]["message"], body["rag"], body["choices"][0]["finish_reason"]


def found(rag: dict[str, Any]) -> list[tuple[str, str]]:
    return [(one["guard"], one["rule"]) for one in rag["guards"] if one["zone"] == "output"]
