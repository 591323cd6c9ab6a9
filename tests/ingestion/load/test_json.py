"""Records in JSON, however they are wrapped."""

import json

import pytest

from tests.ingestion.load.blocks import plain

FEES = {"title": "Fees", "text": "A courier costs 12 euros."}
HOURS = {"title": "Hours", "text": "We open at nine."}
SECTIONS = [
    ("heading", "Fees"),
    ("paragraph", "A courier costs 12 euros."),
    ("heading", "Hours"),
    ("paragraph", "We open at nine."),
]


@pytest.mark.parametrize(
    "raw",
    [
        [FEES, HOURS],
        {"items": [FEES, HOURS]},
        {"data": {"articles": [FEES, HOURS]}, "next": None},
        {"data": {"page": {"articles": [FEES, HOURS]}}},
        {"a": FEES, "b": HOURS},
        [{"items": [FEES]}, {"items": [HOURS]}],
    ],
)
def test_records_are_sections_wherever_they_stand(raw: object) -> None:
    assert plain(json.dumps(raw), "a.json") == SECTIONS


def test_what_stands_beside_a_list_is_a_row() -> None:
    raw = {"version": 3, "count": 2, "generated": "2026-03-01", "items": [FEES, HOURS]}
    assert plain(json.dumps(raw), "a.json") == [
        ("row", "version: 3; count: 2; generated: 2026-03-01"),
        *SECTIONS,
    ]


def test_records_within_a_record_follow_it_without_braces() -> None:
    raw = {
        **FEES,
        "tags": ["new", "loan"],
        "variants": [{"size": "M", "price": 9}, {"size": "L", "price": 12}],
    }
    assert plain(json.dumps(raw), "a.json") == [
        *SECTIONS[:2],
        ("row", "tags: new, loan"),
        ("row", "variants: size: M; price: 9"),
        ("row", "variants: size: L; price: 12"),
    ]


@pytest.mark.parametrize("sign", ["\u2028", "\u2029", "\x85", "\x0b"])
def test_only_a_line_feed_ends_a_record(sign: str) -> None:
    first = json.dumps(
        {"title": "Fees", "text": f"A courier costs 12 euros.{sign}Pick-up is free."}, ensure_ascii=False
    )
    data = f"{first}\r\n{json.dumps(HOURS)}\n"
    found = plain(data, "a.jsonl")
    assert [text for kind, text in found if kind == "heading"] == ["Fees", "Hours"]
    assert "Pick-up is free." in found[1][1]
