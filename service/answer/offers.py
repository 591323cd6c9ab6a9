"""Tools that a caller offers: allowed by the scope file, and checked and guarded as the form of JSON is."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from fnmatch import fnmatchcase
from typing import Any

import orjson

from service.answer.schema import Schema, read_schema
from service.answer.structured import guarded_json
from service.answer.tools import Tools
from service.errors import InvalidRequestError
from service.guard.chain import Verdict
from service.guard.input import InputGuards

_MOST_BYTES = 128_000


def is_allowed(name: str, allowed: Sequence[str]) -> bool:
    """Whether the scope file's shell patterns have a function."""
    return any(fnmatchcase(name, pattern) for pattern in allowed)


def check_allowed(tools: Tools, assistant: str, allowed: Sequence[str]) -> None:
    """Raises `InvalidRequestError` that names the first function that the assistant may not call."""
    refused = next((one["name"] for one in tools.functions if not is_allowed(one["name"], allowed)), None)
    if refused is not None:
        raise InvalidRequestError(
            f"The assistant {assistant!r} may not call {refused!r}: `assistants.{assistant}.tools` of the scope file"
            f" {'has another' if allowed else 'is empty'}. Name it there, or leave it out.",
            param="tools",
        )


async def guarded_tools(
    tools: Tools, guards: InputGuards | None, originals: dict[str, set[str]]
) -> tuple[Tools, tuple[Verdict, ...]]:
    """The tools by the rules of the input zone, each of their texts by itself; verdicts have no places.

    Raises `InvalidRequestError` for parameters that no arguments can be checked against, and for a name that a mask
    would change.
    """
    size = len(orjson.dumps(tools.functions))
    if size > _MOST_BYTES:
        raise InvalidRequestError(
            f"The tools have {size} bytes; at most {_MOST_BYTES} are allowed. Offer fewer.", param="tools"
        )
    await asyncio.to_thread(_check, tools.functions)
    if guards is None:
        return tools, ()
    guarded = await guarded_json(list(tools.functions), guards, originals)
    functions: tuple[dict[str, Any], ...] = tuple(guarded.value)
    for before, after in zip(tools.functions, functions, strict=True):
        if before["name"] != after["name"]:
            raise InvalidRequestError(
                f"The name of the tool {after['name']!r} looks like personal data or a secret. Rename it.",
                param="tools",
            )
    if functions != tools.functions:
        await asyncio.to_thread(_check, functions)
    return replace(tools, functions=functions), guarded.verdicts


def _check(functions: Sequence[dict[str, Any]]) -> None:
    for one in functions:
        parameters_of(one)


def parameters_of(function: dict[str, Any]) -> Schema:
    """The schema of a function's arguments. Raises `InvalidRequestError`."""
    name, schema = function["name"], function.get("parameters", {})
    return read_schema(schema, param="tools", owner=f"The parameters of {name!r}")
