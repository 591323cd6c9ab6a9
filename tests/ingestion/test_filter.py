"""The filter language: what it means, and what it refuses."""

from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingestion.columns import column_of
from ingestion.errors import FilterError
from ingestion.filter import mask_of, parse_filter

ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["and", "or", "not", "eq", "in", "gt", "contains", "price"]), inner, max_size=4
        )
    ),
)
FACTS: list[dict[str, Any]] = [
    {"id": "a", "product": "hub", "price": 10, "new": True, "updated": "2026-01-05"},
    {"id": "b", "product": "Chime", "price": 20.5, "new": False, "updated": "2025-12-01"},
    {"id": "c", "product": "hub", "tags": ["sale", "new"], "price": "10"},
    {"id": "d"},
]


def chosen(raw: object) -> str:
    mask = mask_of(parse_filter(raw), lambda field: column_of(FACTS, field), len(FACTS))
    return "".join(fact["id"] for fact, is_in in zip(FACTS, mask, strict=True) if is_in)


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ({"product": "hub"}, "ac"),
        ({"product": {"ne": "hub"}}, "bd"),
        ({"product": ["hub", "Chime"]}, "abc"),
        ({"product": {"in": ["hub"]}, "price": 10}, "a"),
        ({"product": {"nin": ["hub"]}}, "bd"),
        ({"price": {"gt": 10}}, "b"),
        ({"price": {"gte": 10, "lt": 20}}, "a"),
        ({"price": {"lte": 20.5}}, "ab"),
        ({"price": "10"}, "c"),
        ({"new": True}, "a"),
        ({"new": 1}, ""),
        ({"updated": {"gte": "2026-01-01"}}, "a"),
        ({"product": {"contains": "HIM"}}, "b"),
        ({"tags": {"contains": "sale"}}, "c"),
        ({"tags": "new"}, "c"),
        ({"not": {"product": "hub"}}, "bd"),
        ({"or": [{"product": "Chime"}, {"price": {"lt": 15}}]}, "ab"),
        ({"and": [{"product": "hub"}, {"not": {"new": True}}]}, "c"),
        ({}, "abcd"),
    ],
)
def test_each_operator_means_what_its_name_says(raw: object, expected: str) -> None:
    assert chosen(raw) == expected


@pytest.mark.parametrize(
    ("raw", "named"),
    [
        ([], "must be an object"),
        ("x", "'x'"),
        ({"a": {"like": 1}}, "'like'"),
        ({"a": {}}, "no operator"),
        ({"a": None}, "None"),
        ({"a": []}, "1 to 1000 values"),
        ({"a": {"in": "x"}}, "needs a list"),
        ({"a": {"gt": [1]}}, r"\[1\]"),
        ({"or": []}, "list of filters"),
        ({"and": {"a": 1}}, "list of filters"),
        ({"not": 3}, "3"),
    ],
)
def test_what_is_wrong_is_named(raw: object, named: str) -> None:
    with pytest.raises(FilterError, match=named):
        parse_filter(raw)


def test_filters_are_bounded() -> None:
    deep: dict[str, Any] = {"a": 1}
    for _ in range(9):
        deep = {"not": deep}
    with pytest.raises(FilterError, match="nested"):
        parse_filter(deep)
    with pytest.raises(FilterError, match="100 conditions"):
        parse_filter({"or": [{"a": n} for n in range(101)]})


FIELDS = st.sampled_from(["product", "price", "new", "tags", "gone"])
VALUES = st.one_of(st.sampled_from(["hub", "10", "sale"]), st.integers(9, 11), st.booleans(), st.just(20.5))
LEAVES = st.one_of(
    st.tuples(FIELDS, st.sampled_from(["eq", "ne", "gt", "gte", "lt", "lte", "contains"]), VALUES),
    st.tuples(FIELDS, st.sampled_from(["in", "nin"]), st.lists(VALUES, min_size=1, max_size=3)),
).map(lambda leaf: {leaf[0]: {leaf[1]: leaf[2]}})
FILTERS = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.builds(lambda parts: {"and": parts}, st.lists(inner, min_size=1, max_size=3)),
        st.builds(lambda parts: {"or": parts}, st.lists(inner, min_size=1, max_size=3)),
        st.builds(lambda part: {"not": part}, inner),
    ),
    max_leaves=6,
)


@given(FILTERS)
def test_not_is_the_complement_and_a_filter_can_be_a_key(raw: dict[str, Any]) -> None:
    assert sorted(chosen(raw) + chosen({"not": raw})) == list("abcd")
    assert parse_filter(raw) == parse_filter(raw)
    assert hash(parse_filter(raw)) == hash(parse_filter(raw))


@given(ANY)
def test_anything_is_a_filter_that_can_be_used_or_a_filter_error(raw: object) -> None:
    with suppress(FilterError):
        chosen(raw)


def test_a_filter_that_is_nested_without_end_is_refused() -> None:
    raw: dict[str, Any] = {"price": 1}
    for _ in range(5_000):
        raw = {"not": raw}
    with pytest.raises(FilterError, match="nested deeper"):
        parse_filter(raw)
