"""The library of documents: reports of uploads, and who may replace what."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from ingestion.__main__ import main as ingest
from ingestion.releases.release import collection_folder
from service.corpus.documents import upload_id, write_report
from tests.conftest import SCOPE


def test_only_reports_of_uploads_are_pruned(tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    runs.mkdir()
    real = [runs / f"2024010{day}T000000-0123abcd.json" for day in range(1, 6)]
    for path in real:
        path.write_text("{}")
    ids = [upload_id(datetime(2025, 1, day, tzinfo=UTC)) for day in range(1, 6)]
    for run_id in ids:
        write_report(tmp_path, run_id, {"run_id": run_id}, kept=2)
    assert {path.stem for path in runs.glob("*.json")} == {*(path.stem for path in real), *ids[-2:]}


def test_the_report_of_an_upload_is_there_after_the_clock_was_set_back(tmp_path: Path) -> None:
    for day in (3, 2, 1):
        run_id = upload_id(datetime(2025, 1, day, tzinfo=UTC))
        write_report(tmp_path, run_id, {"run_id": run_id}, kept=2)
        assert (tmp_path / "runs" / f"{run_id}.json").is_file()
    assert len(list((tmp_path / "runs").iterdir())) == 2


def test_the_command_reports_an_upload_like_a_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TOUCHSTONE_SCOPE_FILE", str(SCOPE))
    monkeypatch.setenv("TOUCHSTONE_DATA_DIR", str(tmp_path))
    run_id = upload_id(datetime(2025, 1, 1, tzinfo=UTC))
    folder = collection_folder(tmp_path, "help")
    folder.mkdir(parents=True)
    known = {
        "documents": 1,
        "chunks": 2,
        "took_s": 0.5,
        "quarantined": {"a": "bad"},
        "failures": {"b": "broken"},
    }
    write_report(folder, run_id, {"run_id": run_id, "collection": "help", "caller": "crm", **known})
    assert ingest(["report", run_id]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "help: upload of crm: 1 documents, 2 chunks, 0.5 s",
        "quarantined: a: bad",
        "failed: b: broken",
    ]
    assert ingest(["report", run_id, "--html", str(tmp_path / "page")]) == 1
    assert "is an upload" in capsys.readouterr().err
