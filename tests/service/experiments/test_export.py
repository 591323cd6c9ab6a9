"""What is exported gives the report again, to the byte, and says nothing that people wrote unless it is asked for."""

import csv
import io
import json
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Engine

from service.errors import InvalidRequestError, NotFoundError
from service.experiments.columns import FILE_FORMATS, Columns, FileFormat, read_rows, writer_of
from service.experiments.export import (
    DECLARATIONS,
    TABLES,
    columns_of,
    export,
    export_declarations,
    extent_of,
    new_file,
)
from service.experiments.recompute import recompute
from service.experiments.reports import as_json
from service.experiments.tidy import COLUMNS, rows_of, table_of
from service.tables import Answer
from tests.service.experiments.conftest import DAY, Bench
from tests.service.experiments.stories import LATER, NAME, ramped, report

formats = pytest.mark.parametrize("form", get_args(FileFormat))


@pytest.fixture
def bench(engine: Engine) -> Bench:
    return ramped(engine, subjects=400)


def export_all(
    bench: Bench, folder: Path, form: FileFormat, *, name: str | None = NAME, has_text: bool = False
) -> None:
    extent = extent_of(bench.engine, name, form, has_text=has_text)
    for what in TABLES:
        with new_file(folder / f"{what}.{form}") as file:
            export(bench.engine, what, extent, file)
    with new_file(folder / DECLARATIONS) as file:
        export_declarations(bench.engine, bench.scope.all_metrics, extent, file)


@formats
def test_an_export_gives_the_report_again_to_the_byte(bench: Bench, tmp_path: Path, form: FileFormat) -> None:
    export_all(bench, tmp_path / "one", form)
    for as_of in (LATER, DAY + timedelta(days=9, hours=3)):
        found = report(bench, as_of)
        assert any(one["verdict"] != "cannot tell" for one in found["effects"]) or as_of != LATER
        assert recompute(tmp_path / "one", NAME, as_of, "ab") == as_json(found)
    canary = report(bench, LATER, "canary")
    assert recompute(tmp_path / "one", NAME, LATER, "canary") == as_json(canary)


def test_an_export_of_everything_gives_it_too(bench: Bench, tmp_path: Path) -> None:
    export_all(bench, tmp_path, "parquet", name=None, has_text=True)
    assert recompute(tmp_path, NAME, LATER) == as_json(report(bench))


@formats
def test_texts_are_left_out_unless_they_are_asked_for(bench: Bench, tmp_path: Path, form: FileFormat) -> None:
    export_all(bench, tmp_path / "without", form)
    export_all(bench, tmp_path / "with", form, has_text=True)
    columns = columns_of(Answer)
    without, with_text = (
        [row for rows in read_rows(tmp_path / one / f"answers.{form}", columns) for row in rows]
        for one in ("without", "with")
    )
    assert not {"question", "answer", "citations", "verdicts"} & set(without[0])
    assert "secret text" in {row["answer"] for row in with_text}
    assert len(without) == len(with_text)


def test_no_spreadsheet_takes_a_question_for_a_formula(bench: Bench, tmp_path: Path) -> None:
    export_all(bench, tmp_path, "csv", has_text=True)
    with (tmp_path / "answers.csv").open(newline="") as file:
        questions = {row["question"] for row in csv.DictReader(file)}
    assert "'=cmd|' /C calc'!A0" in questions
    assert not any(one.startswith(("=", "+", "-", "@")) for one in questions)


def test_only_what_the_report_counts_is_exported(bench: Bench, tmp_path: Path) -> None:
    from service.answer.record import insert_rows
    from tests.service.experiments.population import a_row

    other = a_row(id="other", created_at=DAY + timedelta(days=1), conversation_id="other", assistant="other")
    insert_rows(bench.engine, [other])
    export_all(bench, tmp_path / "one", "jsonl")
    export_all(bench, tmp_path / "all", "jsonl", name=None)
    ids = [
        {json.loads(line)["id"] for line in (tmp_path / one / "answers.jsonl").read_text().splitlines()}
        for one in ("one", "all")
    ]
    assert ids[1] - ids[0] == {"other"}


def test_what_is_missing_is_named(bench: Bench, tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="'other' was not started"):
        extent_of(bench.engine, "other", "csv", has_text=False)
    with pytest.raises(InvalidRequestError, match=r"experiments\.jsonl' is missing"):
        recompute(tmp_path, NAME, LATER)
    export_all(bench, tmp_path, "csv")
    with pytest.raises(NotFoundError, match="no started experiment 'other'"):
        recompute(tmp_path, "other", LATER)
    (tmp_path / "feedback.csv").unlink()
    with pytest.raises(InvalidRequestError, match=r"none of feedback\.csv"):
        recompute(tmp_path, NAME, LATER)
    (tmp_path / "feedback.csv").write_text((tmp_path / "answers.csv").read_text()[:900])
    with pytest.raises(InvalidRequestError, match="has no column 'actor'"):
        recompute(tmp_path, NAME, LATER)


def test_a_file_is_whole_or_not_there(tmp_path: Path) -> None:
    def fail() -> None:
        with new_file(tmp_path / "a.csv") as file:
            file.write(b"half")
            raise OSError("the disk is full")

    with pytest.raises(OSError, match="full"):
        fail()
    assert list(tmp_path.iterdir()) == []


KINDS: Columns = {"a": "text", "b": "integer", "c": "float", "d": "boolean", "e": "moment", "f": "json"}
TEXT = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\x00\r"), min_size=1)
ROW = st.fixed_dictionaries(
    {
        "a": st.none() | TEXT,
        "b": st.none() | st.integers(-(2**63), 2**63 - 1),
        "c": st.none() | st.floats(allow_nan=False, allow_infinity=False),
        "d": st.none() | st.booleans(),
        "e": st.none() | st.datetimes(datetime(1970, 1, 2), datetime(2100, 1, 1)).map(lambda at: at.replace(tzinfo=DAY.tzinfo)),
        "f": st.none() | st.lists(TEXT | st.integers(-9, 9), min_size=1, max_size=3),
    }
)  # fmt: skip


@formats
@given(rows=st.lists(ROW, max_size=5))
def test_rows_come_back_as_they_were(
    form: FileFormat, rows: Sequence[dict[str, Any]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("rows") / f"x.{form}"
    with path.open("wb") as file:
        writer = writer_of(form, file, KINDS)
        for row in rows:
            writer.write([row])
        writer.close()
    assert [row for batch in read_rows(path, KINDS) for row in batch] == list(rows)


def test_the_table_has_a_row_for_each_metric_and_arm(bench: Bench) -> None:
    found = report(bench)
    rows = list(rows_of(found))
    assert len(rows) == 2 * len(found["metrics"])
    lines = list(csv.DictReader(io.StringIO(table_of(found, "csv").decode())))
    assert list(lines[0]) == list(COLUMNS)
    assert [float(line["value"]) if line["value"] else None for line in lines] == [
        row["value"] for row in rows
    ]
    (primary,) = [line for line in lines if line["role"] == "primary" and line["is_control"] == "false"]
    assert (primary["conclusion"], primary["verdict"]) == ("better", "better")
    (guarded,) = [line for line in lines if line["guardrail"]]
    assert (guarded["metric"], guarded["margin"]) == ("first_token_s", "0.1")


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_the_same_report_gives_the_same_table(bench: Bench, form: FileFormat, tmp_path: Path) -> None:
    first, second = (table_of(report(bench), form) for _ in range(2))
    assert first == second
    path = tmp_path / f"table.{form}"
    path.write_bytes(first)
    (rows,) = read_rows(path, COLUMNS)
    expected = [
        {**row, "reason": row["reason"] or None if form == "csv" else row["reason"]}
        for row in rows_of(report(bench))
    ]
    assert rows == expected
    assert form in FILE_FORMATS


def test_the_commands_write_the_files_and_compute_the_report_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import yaml

    from service.__main__ import main
    from service.database import migrate, open_database
    from tests.service.experiments.conftest import declared, scope_of

    start = datetime(2026, 9, 1, tzinfo=DAY.tzinfo)
    (tmp_path / "scope.yaml").write_text(yaml.safe_dump(scope_of({NAME: declared()}), sort_keys=False))
    url = f"sqlite:///{tmp_path}/x.db"
    engine = open_database(url)
    migrate(engine)
    ramped(engine, subjects=300, start_at=start)
    engine.dispose()
    for name, value in {
        "DATABASE_URL": url,
        "DATA_DIR": tmp_path,
        "SCOPE_FILE": tmp_path / "scope.yaml",
    }.items():
        monkeypatch.setenv(f"TOUCHSTONE_{name}", str(value))
    assert main(["export", "all"]) == 1
    assert "Name a folder" in capsys.readouterr().err
    assert main(["export", "all", "--experiment", NAME, "--out", str(tmp_path / "out")]) == 0
    assert "rows in" in capsys.readouterr().err
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "answers.csv", "experiments.jsonl", "exposures.csv", "feedback.csv",
    ]  # fmt: skip
    moment = ["--as-of", "2026-10-15T00:00:00+00:00"]
    assert main(["experiments", "report", NAME, *moment]) == 0
    told = capsys.readouterr().out
    for name in ("DATABASE_URL", "DATA_DIR", "SCOPE_FILE"):
        monkeypatch.setenv(
            f"TOUCHSTONE_{name}", "sqlite:////nowhere/x" if name == "DATABASE_URL" else "/nowhere"
        )
    assert main(["experiments", "recompute", str(tmp_path / "out"), "--experiment", NAME, *moment]) == 0
    assert capsys.readouterr().out == told
    assert json.loads(told)["conclusions"]
