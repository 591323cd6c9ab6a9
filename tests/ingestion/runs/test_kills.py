"""Runs that are killed at random points: the index stays whole, and the next run ends where an undisturbed one does."""

import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest

from ingestion.errors import ReleaseError
from ingestion.releases.release import Release, active_id, collection_folder, open_active, releases, verify
from ingestion.view import EVERYTHING
from tests.conftest import ROOT

KILLS = 30
SCOPE = """
collections:
  c:
    sources: [docs]
    languages: [en]
    clearance: {supplier: tests, licence: internal, legal_basis: no_personal_data}
"""


def write_docs(folder: Path, count: int) -> None:
    folder.mkdir(exist_ok=True)
    for number in range(count):
        lines = [f"Sentence {i} of page {number} is about matter {number * 31 + i * 7}." for i in range(12)]
        (folder / f"p{number:03d}.md").write_text(f"# Page {number}\n\n" + "\n\n".join(lines) + "\n")


def start(root: Path, log: Path) -> subprocess.Popen[bytes]:
    env = {**os.environ, "TOUCHSTONE_DATA_DIR": str(root / "data")}  # noqa: TID251
    command = [sys.executable, "-m", "ingestion", "--scope", str(root / "scope.yaml"), "run", "--json"]
    with log.open("ab") as out:
        return subprocess.Popen(command, stdout=out, stderr=out, env=env, cwd=ROOT, start_new_session=True)


def state(folder: Path) -> tuple[str, list[str]]:
    release = open_active(folder)
    return release.manifest.digest, sorted(chunk.id for chunk in release.documents.all_chunks())


def searchable(release: Release) -> None:
    positions = release.index.search_lexical(release.index.words("sentence page matter", EVERYTHING), 20)
    assert release.chunks(positions)


def finished(folder: Path) -> int:
    """Chunks whose vectors are safe."""
    query = "select count(*) from staged_chunks where document_id in (select id from staged where vectors is not null)"
    path = folder / "ledger.sqlite"
    if not path.is_file():
        return 0
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=60)) as db:
        try:
            return int(db.execute(query).fetchone()[0])
        except sqlite3.OperationalError as exc:
            if "no such table" in str(exc):  # the run has only just begun
                return 0
            raise


def wait_for_work(process: subprocess.Popen[bytes], folder: Path, chunks: int) -> None:
    """Until more than `chunks` chunks are safe, or the run has ended."""
    while process.poll() is None and finished(folder) <= chunks:
        time.sleep(0.05)


@pytest.mark.slow
def test_thirty_kills_at_random_points(tmp_path: Path) -> None:
    (tmp_path / "scope.yaml").write_text(SCOPE)
    docs, log = tmp_path / "docs", tmp_path / "log"
    write_docs(docs, 8)
    folder = collection_folder(tmp_path / "data", "c")
    begun = time.monotonic()
    assert start(tmp_path, log).wait() == 0, log.read_text()[-2000:]
    whole_s = time.monotonic() - begun
    first = active_id(folder)
    write_docs(docs, 160)
    random_points = random.Random(11)
    safe, kills, advanced = 0, 0, 0
    while kills < KILLS:
        process = start(tmp_path, log)
        try:
            if kills % 2:
                wait_for_work(process, folder, safe + random_points.randrange(40))
            process.wait(random_points.uniform(0.2, whole_s * 1.6) if kills % 2 == 0 else 0.01)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            kills += 1
        else:
            # It got through: give the next one something to do.
            assert process.returncode == 0, log.read_text()[-2000:]
            safe = 0
            # No two pages alike: of copies, the one that came first stays, and that is another one each time.
            for number in range(random_points.randrange(80), 160):
                text = (
                    f"# New\n\nPage {number} was changed after {kills} kills, at {random_points.random()}.\n"
                )
                (docs / f"p{number:03d}.md").write_text(text)
            continue
        searchable(open_active(folder))
        now = finished(folder)
        assert now >= safe or active_id(folder) != first, "nothing that was finished is lost"
        advanced += now > safe
        safe, first = now, active_id(folder)
    assert advanced, "kills fell into the work, not only before it"
    last = start(tmp_path, log)
    assert last.wait() == 0, log.read_text()[-2000:]
    assert all(verify(folder / "releases" / m.id) == [] for m in releases(folder))

    # The same documents, the same key, no disturbance.
    calm = tmp_path / "calm"
    calm.mkdir()
    (calm / "scope.yaml").write_text(SCOPE)
    (calm / "docs").symlink_to(docs)
    calm_folder = collection_folder(calm / "data", "c")
    calm_folder.mkdir(parents=True)
    (calm_folder / "pseudonyms.key").write_bytes((folder / "pseudonyms.key").read_bytes())
    assert start(calm, log).wait() == 0, log.read_text()[-2000:]
    assert state(folder) == state(calm_folder)


@pytest.mark.slow
def test_what_was_finished_before_a_kill_is_not_embedded_again(tmp_path: Path) -> None:
    (tmp_path / "scope.yaml").write_text(SCOPE)
    write_docs(tmp_path / "docs", 120)
    folder, log = collection_folder(tmp_path / "data", "c"), tmp_path / "log"
    process = start(tmp_path, log)
    wait_for_work(process, folder, 60)
    assert process.poll() is None, "it was to be killed in the middle"
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    safe = finished(folder)
    assert safe > 60
    with pytest.raises(ReleaseError):
        open_active(folder)
    log.unlink()
    assert start(tmp_path, log).wait() == 0
    report = json.loads(log.read_text().splitlines()[-1])
    assert report["resumed"] is True
    assert report["embedded_chunks"] == report["chunks"] - safe
