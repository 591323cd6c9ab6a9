"""Rows of a file: read each by itself, whatever the others are."""

import json
from typing import Any

import pytest

from service.errors import InvalidRequestError
from service.feedback.batch import MOST_ROWS, Line, lines_of

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


def test_an_empty_file_has_no_rows() -> None:
    assert lines_of(b"", "csv") == lines_of(b"\n\n", "jsonl") == []
