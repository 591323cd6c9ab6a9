"""The check of a value against a schema: the library's, but for what could take more than linear time."""

import time
from collections.abc import Iterator, Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from typing import Any

import orjson
from jsonschema.exceptions import ValidationError
from jsonschema.validators import extend
from referencing import Registry

from service.answer.schema.patterns import read_pattern

# The longest answer (8,192 tokens) takes a tenth of it.
_LONGEST_S = 1.0
_DIALECTS = 8
# When the check that runs must end, on `time.monotonic`'s clock: the library hands its keywords nothing of ours.
_ends: ContextVar[float] = ContextVar("_ends")
Errors = Iterator[ValidationError]


class _LateError(Exception):
    """The check took too long."""


@dataclass(frozen=True, slots=True)
class Schema:
    """A schema that can be checked against. Safe to share between threads."""

    _validator: Any

    def misfit(self, value: object) -> str | None:
        """The keyword that a JSON value doesn't keep to; None where it fits. Never tells of the value.

        `time` and `depth` stand for values whose check takes too long or goes too deep, `number` for numbers that
        can't be compared.
        """
        token = _ends.set(time.monotonic() + _LONGEST_S)
        try:
            found = next(self._validator.iter_errors(value), None)
        except _LateError:
            return "time"
        except RecursionError:
            return "depth"
        except ArithmeticError:
            return "number"
        finally:
            _ends.reset(token)
        return str(found.validator or "false") if found else None


def schema_of(schema: Mapping[str, Any], kind: Any) -> Schema:
    """The check of a schema that was read; `kind` is the library's validator of its dialect. Nothing is fetched."""
    return Schema(_linear(kind)(schema, registry=Registry()))


@lru_cache(maxsize=_DIALECTS)
def _linear(kind: Any) -> Any:
    own = {
        "pattern": _pattern,
        "patternProperties": _pattern_properties,
        "additionalProperties": _additional_properties,
        "uniqueItems": _unique_items,
        "multipleOf": _multiple_of,
    }
    keywords = {name: _timed(check) for name, check in {**kind.VALIDATORS, **own}.items()}
    return extend(kind, keywords)  # type: ignore[no-untyped-call]


def _timed(check: Any) -> Any:
    def timed(validator: Any, value: Any, instance: Any, schema: Any) -> Errors:
        if time.monotonic() > _ends.get():
            raise _LateError
        yield from check(validator, value, instance, schema) or ()

    return timed


def _pattern(validator: Any, value: str, instance: Any, schema: Any) -> Errors:
    if isinstance(instance, str) and not read_pattern(value).search(instance):
        yield ValidationError("it has another form")


def _pattern_properties(validator: Any, value: Mapping[str, Any], instance: Any, schema: Any) -> Errors:
    for pattern, inner in value.items() if isinstance(instance, dict) else ():
        search = read_pattern(pattern).search
        for key, one in instance.items():
            if search(key):
                yield from validator.descend(one, inner, path=key, schema_path=pattern)


def _additional_properties(validator: Any, value: Any, instance: Any, schema: Mapping[str, Any]) -> Errors:
    named = schema.get("properties", {})
    searches = [read_pattern(pattern).search for pattern in schema.get("patternProperties", ())]
    for key, one in instance.items() if isinstance(instance, dict) else ():
        if key not in named and not any(search(key) for search in searches):
            yield from validator.descend(one, value, path=key)


def _unique_items(validator: Any, value: bool, instance: Any, schema: Any) -> Errors:
    """The library compares objects with each other; here each is written once."""
    if value and isinstance(instance, list):
        written = {orjson.dumps(_plain(one), option=orjson.OPT_SORT_KEYS) for one in instance}
        if len(written) < len(instance):
            yield ValidationError("it repeats itself")


def _multiple_of(validator: Any, value: float, instance: Any, schema: Any) -> Errors:
    """In decimals: as binary fractions 9.9 is no multiple of 0.01."""
    if validator.is_type(instance, "number") and Decimal(repr(instance)) % Decimal(repr(value)):
        yield ValidationError("it is no multiple")


def _plain(value: object) -> object:
    """The value, where 1.0 is 1, as JSON schema has it."""
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return int(value)
    if isinstance(value, dict):
        return {key: _plain(one) for key, one in value.items()}
    return [_plain(one) for one in value] if isinstance(value, list) else value
