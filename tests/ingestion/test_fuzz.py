"""Any value is a filter or a typed error, and a filter can be asked of any document; any text can be read, cleaned and scrubbed."""

import json
import random
import unicodedata
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import pytest

from ingestion.characters import whole
from ingestion.columns import column_of
from ingestion.config import PiiPolicy
from ingestion.detect.decodings import decodings_of, fold
from ingestion.detect.sentences import pieces_of
from ingestion.errors import FilterError
from ingestion.filter import OPS, mask_of, parse_filter
from ingestion.scrub import Scrubber
from ingestion.scrub.forms import cards_in, domains_in, emails_in, ibans_in
from ingestion.scrub.secrets import secrets_in
from ingestion.scrub.views import alike, bare, plain
from ingestion.text.clean import clean_text
from ingestion.text.language import guess_language
from ingestion.text.sentences import sentence_spans
from service.answer.generate.chunks import clean
from service.guard.checks.coded import coded
from service.guard.stream.sentences import sentences_in
from tests.fuzzing import any_text, try_examples, try_for_minutes

# Filters.

_FIELDS = ("product", "price", "tags", "new", "a b", "", "x" * 101, "née", "\ud800", "and", "or", "not")
_NUMBERS = (0, -1, 1, 10**400, 2**63, 1.5, -0.0, float("nan"), float("inf"), 1e308, True, False)


def any_scalar(rng: random.Random) -> object:
    match rng.randrange(4):
        case 0:
            return any_text(rng, most_pieces=3)
        case 1:
            return rng.choice(("hub", "10", "2026-01-01", "", None))
        case _:
            return rng.choice(_NUMBERS)


def any_value(rng: random.Random, depth: int = 0) -> object:
    """Any JSON value, which often looks like a filter."""
    if depth > 5 or rng.random() < 0.3:
        return any_scalar(rng)
    if rng.random() < 0.01:
        return deep(rng)
    if rng.random() < 0.3:
        return [any_value(rng, depth + 1) for _ in range(rng.randrange(4))]
    if rng.random() < 0.01:
        return [rng.choice(_NUMBERS)] * 1_001
    keys = [rng.choice((*_FIELDS, *OPS, any_text(rng, most_pieces=2))) for _ in range(rng.randrange(4))]
    return {key: any_value(rng, depth + 1) for key in keys}


def deep(rng: random.Random) -> object:
    value: object = 1
    for _ in range(rng.choice((10, 900, 3_000))):
        value = rng.choice(([value], {"not": value}, {"and": [value]}, {"price": value}))
    return value


def any_filter(rng: random.Random, depth: int = 0) -> dict[str, object]:
    """A filter that is written as it must be."""
    if depth < 4 and rng.random() < 0.4:
        parts = [any_filter(rng, depth + 1) for _ in range(rng.randrange(1, 4))]
        return rng.choice(({"and": parts}, {"or": parts}, {"not": parts[0]}))
    op = rng.choice(OPS)
    values = [one for one in (any_scalar(rng) for _ in range(4)) if one is not None] or [0]
    return {rng.choice(_FIELDS[:5]): {op: values if op in ("in", "nin") else values[0]}}


def any_facts(rng: random.Random) -> list[dict[str, Any]]:
    def value() -> object:
        if rng.random() < 0.1:
            return any_value(rng, 4)
        return [any_scalar(rng) for _ in range(rng.randrange(4))] if rng.random() < 0.2 else any_scalar(rng)

    return [
        {field: value() for field in _FIELDS[:5] if rng.random() < 0.6} for _ in range(rng.randrange(1, 6))
    ]


def mask(raw: object, facts: Sequence[dict[str, Any]]) -> list[bool]:
    found = mask_of(parse_filter(raw), lambda field: column_of(facts, field), len(facts))
    assert (found.shape, found.dtype) == ((len(facts),), bool)
    return found.tolist()


def check_filter(rng: random.Random) -> None:
    facts = any_facts(rng)
    for raw in (any_value(rng), as_json(rng)):
        with suppress(FilterError):
            mask(raw, facts)
    # Of four levels with three parts each, which is within what is allowed, the complement is, too.
    good = any_filter(rng)
    assert mask({"not": good}, facts) == [not one for one in mask(good, facts)]


def as_json(rng: random.Random) -> object:
    """What a client may send: JSON of a filter, changed here and there."""
    text = json.dumps(any_filter(rng))
    for _ in range(rng.randrange(4)):
        place = rng.randrange(len(text) + 1)
        text = (
            text[:place]
            + rng.choice(('"', "{", "}", "[", "]", ":", ",", "null", "1e999", "-"))
            + text[place + 1 :]
        )
    try:
        return json.loads(text)
    except ValueError:
        return text


def test_any_value_is_a_filter_that_can_be_asked_or_a_filter_error() -> None:
    try_examples(check_filter, 300)


@pytest.mark.slow
def test_minutes_of_filters(capsys: pytest.CaptureFixture[str]) -> None:
    try_for_minutes(check_filter, capsys)


@pytest.mark.parametrize("wrap", [lambda one: [one], lambda one: {"price": one}, lambda one: {"in": [one]}])
def test_what_python_cannot_write_is_refused_by_its_kind(wrap: Any) -> None:
    deep: object = 1
    for _ in range(5_000):
        deep = wrap(deep)
    for raw in (deep, {"price": deep}, {"price": [deep]}, {"and": deep}, {"price": {"gt": [10**5_000]}}):
        with pytest.raises(FilterError):
            parse_filter(raw)


# Texts.

# The longest compatibility form of a character (U+FDFA) has 18.
_MOST_FORMS = 18
SCRUBBER = Scrubber(PiiPolicy(), with_names=False)


def check_views(text: str) -> None:
    """Each character of a view stands somewhere in the text, in order."""
    for view in (plain(text), bare(text)):
        assert len(view.text) <= _MOST_FORMS * len(text)
        if view.origin is None:
            assert len(view.text) == len(text)
            continue
        assert len(view.origin) == len(view.text)
        assert all(a <= b for a, b in zip(view.origin, view.origin[1:], strict=False))
        assert not view.origin or 0 <= view.origin[0] <= view.origin[-1] < len(text)
    assert len(alike(text)) == len(text)
    assert alike(alike(text)) == alike(text)


def check_decodings(text: str) -> None:
    first, *others = decodings_of(text)
    assert (first.kind, first.text) == ("written", text)
    for one in others:
        assert 0 <= one.start <= one.end <= len(text)
        assert len(one.text) <= _MOST_FORMS * len(text)
        begin, end = one.span(0, len(one.text))
        assert 0 <= begin <= end <= len(text)
        assert one.origin is None or len(one.origin) == len(one.text)
    assert len(fold(text)) <= _MOST_FORMS * len(text)
    coded(text)


def check_clean(text: str) -> None:
    found = clean_text(text)
    assert clean_text(found) == found
    assert len(found) <= _MOST_FORMS * len(text)
    assert not [c for c in found if c != "\n" and unicodedata.category(c) in ("Cc", "Cs")]
    found.encode("utf-8")
    assert clean(clean(text)) == clean(text)
    assert len(clean(text)) <= len(text)


def check_spans(text: str, spans: Sequence[tuple[int, int]]) -> None:
    assert all(0 <= start < end <= len(text) for start, end in spans)
    assert all(a[1] <= b[0] for a, b in zip(spans, spans[1:], strict=False))


def check_text(rng: random.Random) -> None:
    text = any_text(rng)
    assert len(whole(text)) == len(text)
    check_views(text)
    check_decodings(text)
    check_clean(text)
    check_spans(text, list(sentence_spans(text)))
    check_spans(text, [(one.start, one.end) for one in pieces_of(text)])
    assert "".join(sentences_in(text)) == text
    for find in (cards_in, ibans_in, emails_in, domains_in):
        assert all(0 <= start < end <= len(text) for start, end in find(text))
    check_spans(text, [(one.start, one.end) for one in secrets_in(text)])
    check_spans(text, [(one.start, one.end) for one in SCRUBBER.find(text)])
    scrubbed = SCRUBBER.scrub(text).text
    assert SCRUBBER.scrub(scrubbed).text == scrubbed
    assert guess_language(text, ["en", "de"]) in ("en", "de")


def test_any_text_can_be_read_cleaned_and_scrubbed() -> None:
    try_examples(check_text, 60)


@pytest.mark.slow
def test_minutes_of_strange_texts(capsys: pytest.CaptureFixture[str]) -> None:
    try_for_minutes(check_text, capsys)
