"""Schemas of strangers: the wrong, the remote and the hostile are refused by name, and every check ends."""

import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from service.answer.schema import read_schema
from service.errors import InvalidRequestError

DRAFT_7 = "http://json-schema.org/draft-07/schema#"
CIRCLE = {"a": {"allOf": [{"$ref": "#/$defs/b"}]}, "b": {"if": {"$ref": "#/$defs/a"}}}
BRANCH = {"properties": {"a": {"$ref": "#/$defs/n"}}}


def misfit(schema: dict[str, Any], value: object) -> str | None:
    return read_schema(schema, param="x").misfit(value)


def nested(levels: int, inner: Any = 1, wrap: Any = lambda one: [one]) -> Any:
    for _ in range(levels):
        inner = wrap(inner)
    return inner


@pytest.mark.parametrize(
    ("schema", "says"),
    [
        ({"type": "strng"}, "at 'type': 'strng' is not valid"),
        ({"properties": {"a": {"minLength": -1}}}, "at 'properties.a.minLength'"),
        ({"$ref": "https://example.com/schema.json"}, "nothing is fetched"),
        ({"items": {"$ref": "file:///etc/passwd"}}, "nothing is fetched"),
        ({"$ref": "other.json#/$defs/a", "$id": "https://example.com/"}, "nothing is fetched"),
        ({"$schema": DRAFT_7.replace("07", "04"), "$ref": 5}, "leads elsewhere"),
        ({"$ref": "#/$defs/gone"}, "leads nowhere"),
        ({"$ref": "#gone"}, "leads nowhere"),
        ({"$ref": "#/required/x", "required": ["a"]}, "leads nowhere"),
        ({"$ref": "#/default", "default": {"type": 5}}, "leads to no schema"),
        ({"$ref": "#/description/0", "description": "abc"}, "leads to no schema"),
        ({"$ref": "#"}, "leads back to itself"),
        ({"$ref": "#/$defs/a", "$defs": CIRCLE}, "leads back to itself"),
        ({"$schema": DRAFT_7, "dependencies": {"a": {"$ref": "#"}}}, "leads back to itself"),
        ({"items": {"$schema": DRAFT_7}}, "'$schema' may stand at the top alone"),
        ({"items": {"$id": "https://example.com/"}}, "'$id' may stand at the top alone"),
        ({"$schema": "https://example.com/mine"}, "`$schema` is 'https://example.com/mine'"),
        ({"$dynamicRef": "#x"}, "'$dynamicRef' isn't supported"),
        ({"unevaluatedProperties": False}, "'unevaluatedProperties' isn't supported"),
        ({"pattern": "(?=x)"}, "the pattern '(?=x)' can't be read"),
        ({"patternProperties": {r"(\w)\1": {}}}, "can't be read"),
        ({"items": {"pattern": "(a{1000}){1000}"}}, "can't be read"),
        ({"pattern": "["}, "can't be read"),
        ({"pattern": "a" * 501}, "at most 500"),
        ({"allOf": [{"pattern": f"a{i}"} for i in range(51)]}, "at most 50"),
        ({"description": "x" * 64_000}, "at most 64000"),
        ({"enum": [[]] * 2_000}, "more than 60 levels or 2000"),
        (nested(61, {}, lambda one: {"items": one}), "more than 60 levels"),
        ({"definitions": 5}, "at 'definitions'"),
        ({"maximum": 2**64}, "Integer exceeds"),
    ],
    ids=lambda one: str(one)[:40],
)
def test_a_schema_that_cant_be_kept_to_is_refused_with_the_reason(schema: dict[str, Any], says: str) -> None:
    begun = time.monotonic()
    with pytest.raises(InvalidRequestError) as raised:
        read_schema(schema, param="response_format")
    assert says in raised.value.message
    assert raised.value.param == "response_format"
    assert time.monotonic() - begun < 5


@pytest.mark.parametrize(
    ("schema", "fits", "doesnt"),
    [
        ({"type": "object", "required": ["a"]}, {"a": 1}, {}),
        ({"$defs": {"p": {"type": "string"}}, "items": {"$ref": "#/$defs/p"}}, ["a"], [1]),
        ({"definitions": {"p": {"type": "string"}}, "items": {"$ref": "#/definitions/p"}}, ["a"], [1]),
        ({"$defs": {"p": {"$anchor": "here", "type": "null"}}, "items": {"$ref": "#here"}}, [None], [1]),
        ({"type": "array", "items": {"$ref": "#"}}, [[], [[]]], [[1]]),
        ({"$schema": DRAFT_7, "items": [{"type": "string"}], "additionalItems": False}, ["a"], ["a", 1]),
        ({"$id": "https://example.com/price.json", "items": {"$ref": "#/$defs/p"}, "$defs": {"p": False}}, [], [1]),
        ({"properties": {"$ref": {"type": "string"}, "$schema": {"const": "x"}}}, {"$ref": "a"}, {"$ref": 1}),
        ({"pattern": "^[A-Z]{2}-\\d+$"}, "AB-12", "AB-12x"),
        ({"pattern": "[\\u00e9\\/]$"}, "caf\u00e9", "cafe"),
        ({"pattern": "\\\\u00e9"}, "\\u00e9", "\u00e9"),
        ({"pattern": "^\\p{L}+$"}, "Käse", "Käse 1"),
        ({"pattern": "^(a+)+$"}, "a" * 50_000, "a" * 50_000 + "b"),
        ({"patternProperties": {"^x": {"type": "string"}}, "additionalProperties": False}, {"xa": "1"}, {"y": "1"}),
        ({"properties": {"a": {}}, "additionalProperties": {"type": "string"}}, {"a": 1, "b": "1"}, {"b": 1}),
        ({"uniqueItems": True}, [1, True, {"a": 1}, "1"], [{"a": 1, "b": 2}, {"b": 2, "a": 1.0}]),
        ({"multipleOf": 0.01}, 9.9, 9.905),
        ({"multipleOf": 3}, 9, 10),
        ({"maxLength": 4}, "ä🙂ab", "ä🙂abc"),
        ({"format": "email"}, "no address", None),
    ],
    ids=lambda one: str(one)[:40],
)  # fmt: skip
def test_values_are_checked(schema: dict[str, Any], fits: object, doesnt: object) -> None:
    assert misfit(schema, fits) is None
    assert "format" in schema or misfit(schema, doesnt) is not None


@pytest.mark.parametrize(
    "hostile",
    [
        # Twice as many checks with every level of the value.
        {"$ref": "#/$defs/n", "$defs": {"n": {"anyOf": [{**BRANCH, "required": ["b"]}, {**BRANCH, "required": ["c"]}]}}},
        # Twice as many with every reference.
        {
            "$ref": "#/$defs/a0",
            "$defs": {f"a{i}": {"anyOf": [{"$ref": f"#/$defs/a{i + 1}"}] * 2} for i in range(40)} | {"a40": False},
        },
    ],
)  # fmt: skip
def test_a_check_that_would_take_for_ever_ends(hostile: dict[str, Any]) -> None:
    value = nested(60, {}, lambda one: {"a": one})
    begun = time.monotonic()
    assert misfit(hostile, value) == "time"
    assert time.monotonic() - begun < 10


def test_many_items_and_deep_ones_are_checked_in_time() -> None:
    begun = time.monotonic()
    assert misfit({"uniqueItems": True}, [{"number": number} for number in range(50_000)]) is None
    assert misfit({"items": {"$ref": "#"}}, nested(600)) == "depth"
    assert misfit({"multipleOf": 1e-300}, 1e300) == "number"
    assert time.monotonic() - begun < 10


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.floats(-3, 3).map(lambda x: round(x, 1)) | st.text("ab1", max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("ab"), inner, max_size=2),
    max_leaves=8,
)  # fmt: skip
schemas = st.recursive(
    st.sampled_from(
        [
            {"type": "string"}, {"type": ["integer", "null"]}, {"enum": ["a", 1, None]}, {"const": True}, {"maxLength": 1},
            {"pattern": "^a"}, {"minimum": 0}, {"required": ["a"]}, {"uniqueItems": True}, {"additionalProperties": False}, {},
        ]
    ),
    lambda inner: st.one_of(
        st.builds(lambda one: {"items": one}, inner),
        st.builds(lambda one, two: {"properties": {"a": one}, "patternProperties": {"b": two}}, inner, inner),
        st.builds(lambda one: {"patternProperties": {"^a": {}}, "additionalProperties": one}, inner),
        st.builds(lambda one, two: {"anyOf": [one, two]}, inner, inner),
        st.builds(lambda one: {"not": one}, inner),
    ),
    max_leaves=5,
)  # fmt: skip


@given(schemas, json_values)
def test_the_verdict_is_the_librarys(schema: dict[str, Any], value: object) -> None:
    assert (misfit(schema, value) is None) == Draft202012Validator(schema).is_valid(value)
