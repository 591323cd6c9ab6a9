"""Rows of a file: read each by itself, whatever the others are."""

import json
import tracemalloc
from typing import Any

import pytest
from sqlalchemy import create_engine

from service.errors import InvalidRequestError
from service.feedback.batch import MOST_ROWS, Entry, Importer, Line, lines_of
from service.feedback.event import Event, Speaker
from service.feedback.intake import Identities
from service.feedback.rights import RatedAnswer
from service.feedback.tokens import FeedbackSigner, Pseudonyms

ROW = {"answer_id": "0" * 36, "kind": "thumb", "value": "up"}


def json_lines(*rows: Any) -> bytes:
    return "\n".join(row if isinstance(row, str) else json.dumps(row) for row in rows).encode()


def reasons(lines: list[Line]) -> dict[int, str]:
    return {line.number: line.reason for line in lines if line.row is None}


def test_wrong_rows_are_named_by_line_and_the_others_read() -> None:
    rows = json_lines(ROW, "{", "", {**ROW, "value": "sideways"}, [1], {**ROW, "more": 1}, ROW, "[" * 100_000)
    found = lines_of(rows, "jsonl")
    assert [line.number for line in found] == [1, 2, 4, 5, 6, 7, 8]
    assert reasons(found) == {
        2: "it is no JSON object",
        4: "value: the value of a thumb is one of up, down, or null to retract it",
        5: "it is no JSON object",
        6: "more: Extra inputs are not permitted",
        8: "it is no JSON object",
    }


def test_csv_says_what_json_does() -> None:
    text = (
        "answer_id,conversation_id,kind,value,reasons,comment,observed_at\r\n"
        f'{"0" * 36},,thumb,down,wrong incomplete,"two\nlines, and a comma",\r\n'
        ",c-1,outcome,resolved,,,2026-01-01T00:00:00Z\r\n"
        ",c-1,outcome,retract,,,\r\n"
        ",c-1,outcome,,,,\r\n"
        ",c-1,rating,4,,,,,too many\r\n"
    )
    found = lines_of(b"\xef\xbb\xbf" + text.encode(), "csv")
    first, second, third = (line.row for line in found[:3])
    assert first
    assert (first.reasons, first.comment) == (["wrong", "incomplete"], "two\nlines, and a comma")
    assert second
    assert (second.value, second.aim) == ("resolved", "conversation")
    assert third
    assert third.state == "retracted"
    assert reasons(found) == {
        6: "value: Field required",
        7: "more cells than columns: Extra inputs are not permitted",
    }


@pytest.mark.parametrize("data", [b"\xff\xfe", json_lines(*[ROW] * (MOST_ROWS + 1))])
def test_a_file_that_is_no_text_or_too_long_is_refused(data: bytes) -> None:
    with pytest.raises(InvalidRequestError):
        lines_of(data, "jsonl")


def test_csv_that_cannot_be_read_is_refused_with_its_line() -> None:
    with pytest.raises(InvalidRequestError, match="can't be read at line 2"):
        lines_of(b'a,b\n"open', "csv")


def test_a_cell_that_is_too_long_refuses_its_row_alone() -> None:
    of_answer = f"answer_id,kind,value,comment\n{'0' * 36},thumb,up,"
    long, short = lines_of(f"{of_answer}{'x' * 200_000}\n{'0' * 36},thumb,up,\n".encode(), "csv")
    assert long.row is None
    assert short.row is not None


def test_what_is_longer_than_any_row_is_refused_unread() -> None:
    """A line of a million names would be a million errors; a cell of as many reasons as many texts."""
    many = ",".join(f'"{number:x}": 1' for number in range(60_000))
    found = lines_of(json_lines("{" + many + "}", ROW), "jsonl")
    of_answer = f"answer_id,kind,value,reasons\n{'0' * 36},thumb,up,"
    found += lines_of(f"{of_answer}{'a ' * 300_000}\n{'0' * 36},thumb,up,\n".encode(), "csv")
    assert [line.reason for line in found] == ["it has more than 400000 characters", ""] * 2


def test_the_longest_texts_are_read_however_they_are_escaped() -> None:
    row = {**ROW, "kind": "correction", "value": "\U0001f600" * 20_000, "comment": "\U0001f600" * 4_000}
    (found,) = lines_of(json_lines(row), "jsonl")
    assert found.row is not None


def test_a_first_line_that_would_make_every_row_wide_is_refused() -> None:
    with pytest.raises(InvalidRequestError, match="more than 100 columns"):
        lines_of(b"a," * 100_000 + b"\n" + b"x\n" * 100, "csv")


def test_lines_without_anything_take_no_memory() -> None:
    tracemalloc.start()
    try:
        assert lines_of(b"\n" * 1_000_000, "jsonl") == []
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most < 7_000_000


def test_what_stands_for_a_row_without_an_id_tells_nobody_what_it_held() -> None:
    """All of a row but its user and its texts is stored as it is, so that a plain digest would let them be guessed."""
    (line,) = lines_of(json_lines({**ROW, "user": "mara"}), "jsonl")
    keys = [key_of(line, secret) for secret in (b"s" * 32, b"s" * 32, b"t" * 32)]
    assert keys[0] == keys[1] != keys[2]


def key_of(line: Line, secret: bytes) -> str | None:
    identities = Identities(FeedbackSigner(secret), Pseudonyms(secret))
    engine = create_engine("sqlite://")
    importer = Importer(engine, identities, lambda text, _: text, "k", is_admin=True)
    speaker = Speaker("k", "a" * 32, "end_user", "batch")
    found = importer.event_of(Entry(line, speaker, RatedAnswer("0" * 36, "k", "c", "support")))
    engine.dispose()
    assert isinstance(found, Event)
    return found.idempotency_key


def test_an_empty_file_has_no_rows() -> None:
    assert lines_of(b"", "csv") == lines_of(b"\n\n", "jsonl") == []
