"""From what a request calls a schema to one that can be checked against, or to what is wrong with it."""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

import orjson
from jsonschema import (
    Draft4Validator,
    Draft6Validator,
    Draft7Validator,
    Draft201909Validator,
    Draft202012Validator,
)
from jsonschema.exceptions import SchemaError
from referencing.jsonschema import specification_with

from service.answer.schema.check import Schema, schema_of
from service.answer.schema.patterns import PatternError, read_pattern
from service.answer.schema.references import WrongSchemaError, check_references, parts_of
from service.errors import InvalidRequestError

# Twenty objects within each other have some 40 levels; the checker's own calls go fifteen times as deep.
_MOST_BYTES, _MOST_PARTS, _MOST_DEPTH, _MOST_PATTERNS = 64_000, 2_000, 60, 50
# An application sends the same few schemas with every request.
_KNOWN = 64
_KINDS: Mapping[str, Any] = {
    "https://json-schema.org/draft/2020-12/schema": Draft202012Validator,
    "https://json-schema.org/draft/2019-09/schema": Draft201909Validator,
    "http://json-schema.org/draft-07/schema": Draft7Validator,
    "http://json-schema.org/draft-06/schema": Draft6Validator,
    "http://json-schema.org/draft-04/schema": Draft4Validator,
}
_LATEST = next(iter(_KINDS))


def read_schema(schema: object, *, param: str, owner: str = "The schema") -> Schema:
    """The schema of a request; `owner` is what a message calls it. Raises `InvalidRequestError` for one that is wrong,
    refers to what isn't in it, or is too large, too deep or too slow to be checked."""
    try:
        data = orjson.dumps(schema)
        if len(data) > _MOST_BYTES:
            raise WrongSchemaError(f"it has {len(data)} bytes; at most {_MOST_BYTES} are allowed")
        return _read(data)
    except (WrongSchemaError, PatternError, orjson.JSONEncodeError) as exc:
        raise InvalidRequestError(f"{owner} can't be used: {exc}.", param=param) from exc


@lru_cache(maxsize=_KNOWN)
def _read(data: bytes) -> Schema:
    schema = orjson.loads(data)
    if not isinstance(schema, dict):
        raise WrongSchemaError("it is no object")
    _check_size(schema)
    dialect = str(schema.get("$schema", _LATEST)).rstrip("#")
    if dialect not in _KINDS:
        raise WrongSchemaError(f"`$schema` is {dialect!r}; leave it out, or name one of {list(_KINDS)}")
    # With them the checker would look for the schema elsewhere, or take another checker for it.
    bare = {key: value for key, value in schema.items() if key not in ("$schema", "$id", "id")}
    try:
        _KINDS[dialect].check_schema(bare, format_checker=None)
    except SchemaError as exc:
        place = ".".join(map(str, exc.absolute_path)) or "the top"
        raise WrongSchemaError(f"at {place!r}: {exc.message}") from exc
    specification = specification_with(dialect)
    parts = list(parts_of(bare, specification))
    check_references(bare, parts, specification)
    _check_patterns(parts)
    return schema_of(bare, _KINDS[dialect])


def _check_size(schema: dict[str, Any]) -> None:
    """Without a recursion: what is checked here may be as deep as JSON can be."""
    level: list[Any] = [schema]
    parts, depth = 0, 0
    while level:
        parts, depth = parts + len(level), depth + 1
        if parts > _MOST_PARTS or depth > _MOST_DEPTH:
            raise WrongSchemaError(
                f"it has more than {_MOST_DEPTH} levels or {_MOST_PARTS} lists and objects; make it simpler"
            )
        inner = [one.values() if isinstance(one, dict) else one for one in level]
        level = [each for one in inner for each in one if isinstance(each, (dict, list))]


def _check_patterns(parts: Sequence[Mapping[str, Any]]) -> None:
    patterns = {pattern for part in parts for pattern in part.get("patternProperties", ())}
    patterns |= {part["pattern"] for part in parts if "pattern" in part}
    if len(patterns) > _MOST_PATTERNS:
        raise WrongSchemaError(f"it has {len(patterns)} patterns; at most {_MOST_PATTERNS} are allowed")
    for pattern in patterns:
        read_pattern(pattern)
