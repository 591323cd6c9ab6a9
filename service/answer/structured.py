"""Answers that are JSON: the form that is asked for, checked and guarded like a question, and the JSON of a generator."""

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import orjson

from service.answer.schema import Schema, read_schema
from service.errors import GeneratorError
from service.guard.chain import Verdict
from service.guard.input import InputGuards
from service.metrics import GENERATOR_ERRORS

# Larger JSON is guarded in a thread, so that the loop stays free.
_INLINE_CHARS = 1_000


@dataclass(frozen=True, slots=True)
class GuardedJson:
    """What a caller sends as JSON, as a generator may read it, and what was found in it."""

    value: Any
    verdicts: tuple[Verdict, ...]


async def guarded_form(
    form: dict[str, Any], guards: InputGuards | None, originals: dict[str, set[str]]
) -> GuardedJson:
    """The form, guarded. Raises `InvalidRequestError` for a schema that no answer can be checked against."""
    await asyncio.to_thread(_schema_of, form)
    if guards is None:
        return GuardedJson(form, ())
    guarded = await guarded_json(form, guards, originals)
    if guarded.value != form:  # the generator is told what the masks left, and keeps to that
        await asyncio.to_thread(_schema_of, guarded.value)
    return guarded


def _schema_of(form: dict[str, Any]) -> Schema | None:
    """The schema of the form; None where any object will do. Known ones cost nothing. Raises `InvalidRequestError`."""
    if form["type"] != "json_schema":
        return None
    return read_schema(form["json_schema"]["schema"], param="response_format")


async def guarded_json(value: Any, guards: InputGuards, originals: dict[str, set[str]]) -> GuardedJson:
    """The value by the rules of the input zone, each of its texts by itself; verdicts have no places."""
    if len(orjson.dumps(value)) > _INLINE_CHARS:
        return await asyncio.to_thread(_guarded, value, guards, originals)
    return _guarded(value, guards, originals)


def _guarded(value: Any, guards: InputGuards, originals: dict[str, set[str]]) -> GuardedJson:
    # A schema repeats its words, which is no attack.
    said = "\n".join(dict.fromkeys(texts_of(value)))
    safe, found = guards.screen_json(value, said, originals)
    return GuardedJson(safe, tuple(replace(verdict, start=None, end=None) for verdict in found))


def texts_of(value: object, *, with_keys: bool = True) -> Iterator[str]:
    """Everything that a JSON value says: strings and numbers, and the keys."""
    if isinstance(value, dict):
        for key, one in value.items():
            if with_keys:
                yield key
            yield from texts_of(one, with_keys=with_keys)
    elif isinstance(value, list):
        for one in value:
            yield from texts_of(one, with_keys=with_keys)
    elif isinstance(value, str):
        yield value
    elif isinstance(value, (int, float)) and not isinstance(value, bool):
        yield str(value)


def map_texts(value: object, change: Callable[[str], str]) -> object:
    """The value with every string changed, the keys too."""
    if isinstance(value, dict):
        return {change(key): map_texts(one, change) for key, one in value.items()}
    if isinstance(value, list):
        return [map_texts(one, change) for one in value]
    return change(value) if isinstance(value, str) else value


def read_json(text: str, form: dict[str, Any]) -> object:
    """The JSON that a generator wrote. Raises `GeneratorError` for anything else, and for what doesn't fit the form."""
    try:
        value = orjson.loads(text)
        orjson.dumps(value)  # writes less deep than it reads
    except (ValueError, orjson.JSONEncodeError) as exc:
        GENERATOR_ERRORS.labels("no JSON").inc()
        raise GeneratorError(
            "The generator wrote no JSON of the form that was asked for. Try again, or allow more tokens."
        ) from exc
    misfit = misfit_of(value, form)
    if misfit is not None:
        GENERATOR_ERRORS.labels("other JSON").inc()
        raise GeneratorError(
            f"The generator wrote JSON that doesn't keep to {misfit!r} of the form that was asked for. Try again, or ask"
            " for a simpler form."
        )
    return value


def misfit_of(value: object, form: dict[str, Any]) -> str | None:
    """The keyword of the form that a value doesn't keep to; None where it fits."""
    schema = _schema_of(form)
    if schema is not None:
        return schema.misfit(value)
    return None if isinstance(value, dict) else "type"


def write_json(value: object) -> str:
    """JSON as it is sent."""
    return orjson.dumps(value).decode()


def values_in(text: str) -> str:
    """What the values of JSON say, a line each: what citations are found for."""
    return "\n".join(texts_of(orjson.loads(text), with_keys=False))
