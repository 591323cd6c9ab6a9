"""The library of documents: reports of uploads, and who may replace what."""

from datetime import UTC, datetime
from pathlib import Path

from service.corpus.documents import upload_id, write_report


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
