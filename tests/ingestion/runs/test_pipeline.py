"""Runs and releases: idempotent, atomic, one writer at a time, nothing embedded twice."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from filelock import FileLock

from ingestion.__main__ import main
from ingestion.config import CollectionConfig
from ingestion.embed import Embedder, Embeddings
from ingestion.embed.fake import HashEmbedder
from ingestion.errors import CollectionBusyError, ReleaseError, SourceError
from ingestion.index import DenseIndex, Postings, PostingsWriter, build_dense
from ingestion.index.lexical import key_of, terms
from ingestion.releases.prune import prune
from ingestion.releases.release import (
    activate,
    active_id,
    collection_folder,
    open_active,
    read_manifest,
    releases,
    roll_back,
    verify,
)
from ingestion.runs.collection import Collection
from ingestion.runs.pipeline import RunReport, run
from ingestion.runs.report import html_of, lines_of
from ingestion.view import EVERYTHING, View
from tests.conftest import ROOT, Demo

# A process each, four seconds: what is worst, a release that is whole and not yet pointed to, is always tried.
KILL_POINTS = (
    "runs.publish:point_to",
    *(
        pytest.param(point, marks=pytest.mark.slow)
        for point in (
            "prepare.preparer:fetch",
            "runs.admission:entry_of",
            "index.segment:build_dense",
            "index.segment:write_tokens",
            "releases.build:write_atomically",
            "runs.publish:validate",
            "runs.publish:prune",
        )
    ),
)
CLEARANCE = {"supplier": "tests", "licence": "internal", "legal_basis": "no_personal_data"}
CONFIG = CollectionConfig.model_validate({"languages": ["en"], "clearance": CLEARANCE})


class CountingEmbedder(HashEmbedder):
    """Remembers what it embedded."""

    def __init__(self) -> None:
        super().__init__()
        self.embedded: list[str] = []

    def encode(self, texts: list[str]) -> Embeddings:
        self.embedded += texts
        return super().encode(texts)


@pytest.fixture
def counting() -> CountingEmbedder:
    return CountingEmbedder()


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "docs"
    folder.mkdir()
    for name in ("a", "b", "c"):
        (folder / f"{name}.md").write_text(f"# Article {name}\n\nThe letter of this page is {name}.\n")
    return folder


def ingest(source: Path, embedder: Embedder, config: CollectionConfig = CONFIG) -> RunReport:
    return run(Collection("c", config, embedder, source.parent / "data"), [source])


def folder_of(source: Path) -> Path:
    return collection_folder(source.parent / "data", "c")


def test_a_second_run_changes_and_embeds_nothing(source: Path, counting: CountingEmbedder) -> None:
    first = ingest(source, counting)
    counting.embedded.clear()
    second = ingest(source, counting)
    assert (first.changed, second.changed) == (True, False)
    assert second.release_id == first.release_id
    assert counting.embedded == []


def test_only_what_changed_is_embedded(source: Path, counting: CountingEmbedder) -> None:
    ingest(source, counting)
    counting.embedded.clear()
    (source / "b.md").write_text("# Article b\n\nThis page was rewritten.\n")
    (source / "c.md").unlink()
    (source / "d.md").write_text("# Article d\n\nThis page is new.\n")
    report = ingest(source, counting)
    assert sorted(counting.embedded) == [
        "Article b\nThis page was rewritten.",
        "Article d\nThis page is new.",
    ]
    assert (report.documents, report.reused_documents, report.embedded_chunks) == (3, 1, 2)
    assert verify(folder_of(source) / "releases" / report.release_id) == []
    assert open_active(folder_of(source)).documents.document("c.md") is None


def test_a_new_recipe_makes_documents_anew_and_copies_equal_vectors(
    source: Path, counting: CountingEmbedder
) -> None:
    ingest(source, counting)
    counting.embedded.clear()
    report = ingest(source, counting, CONFIG.model_copy(update={"chunk_tokens": 100}))
    assert (report.changed, report.reused_documents, counting.embedded) == (True, 0, [])


def test_copied_vectors_are_those_of_their_texts(source: Path, embedder: Embedder) -> None:
    ingest(source, embedder)
    (source / "0.md").write_text("# First\n\nIt moves all rows by one.\n")
    ingest(source, embedder)
    release = open_active(folder_of(source))
    positions = release.index.positions(EVERYTHING)
    texts = [chunk.embedded_text for chunk in release.chunks(positions)]
    made = embedder.encode(texts)
    cosines = (release.index.vectors(positions) * made.vectors).sum(axis=1)
    assert cosines.min() > 0.98
    for kept, new in zip(release.index.codes(positions), made.codes, strict=True):
        assert kept is not None
        assert np.mean(kept == new) > 0.8


def test_a_bad_file_is_reported_and_the_others_are_ingested(source: Path, counting: CountingEmbedder) -> None:
    (source / "bad.pdf").write_bytes(b"%PDF-1.4 nothing")
    (source / "empty.txt").write_bytes(b"")
    (source / "program.exe").write_bytes(b"MZ")
    (source / ".hidden.md").write_text("hidden")
    report = ingest(source, counting)
    assert report.documents == 3
    assert sorted(report.failures) == ["bad.pdf", "empty.txt", "program.exe"]
    again = ingest(source, counting)
    assert sorted(again.failures) == sorted(report.failures), "it is tried again"


def test_what_a_reader_left_out_is_in_the_report(
    source: Path, counting: CountingEmbedder, monkeypatch: pytest.MonkeyPatch
) -> None:
    from openpyxl import Workbook

    monkeypatch.setattr("ingestion.load.xlsx.MAX_ROWS", 2)
    book = Workbook()
    for number in range(3):
        book.worksheets[0].append([f"Row {number} of the sheet"])
    book.save(source / "long.xlsx")
    report = ingest(source, counting)
    assert report.documents == 4
    assert "first 2" in report.partial["long.xlsx"]
    assert any("read in part: long.xlsx" in line for line in lines_of(report))
    assert "long.xlsx" in html_of(report)


def test_links_out_of_the_folder_are_not_followed(source: Path, counting: CountingEmbedder) -> None:
    secret = source.parent / "secret.md"
    secret.write_text("# Secret\n\nNot for the index.\n")
    (source / "link.md").symlink_to(secret)
    assert ingest(source, counting).documents == 3


def test_nothing_to_ingest_is_an_error_and_keeps_the_last_release(
    source: Path, counting: CountingEmbedder
) -> None:
    first = ingest(source, counting)
    for path in source.iterdir():
        path.unlink()
    with pytest.raises(SourceError, match="No text was found"):
        ingest(source, counting)
    with pytest.raises(SourceError, match="no file or folder"):
        ingest(source / "gone", counting)
    assert active_id(folder_of(source)) == first.release_id


def test_a_second_writer_is_turned_away(source: Path, counting: CountingEmbedder) -> None:
    folder_of(source).mkdir(parents=True)
    with (
        FileLock(folder_of(source) / "run.lock"),
        pytest.raises(CollectionBusyError, match="Another run"),
    ):
        ingest(source, counting)


def test_a_superseded_document_is_kept_but_not_searchable(demo: Demo) -> None:
    chunk = next(c for c in demo.release.documents.all_chunks() if c.document_id.endswith("policy-2024.md"))
    assert chunk.superseded
    index = demo.release.index
    assert index.count(View(include_superseded=True)) > index.count(EVERYTHING)


def test_rollback_follows_what_a_release_was_made_from(source: Path, counting: CountingEmbedder) -> None:
    folder = folder_of(source)
    ids = []
    for number in range(3):
        (source / "n.md").write_text(f"# N\n\nNumber {number}.\n")
        ids.append(ingest(source, counting).release_id)
    assert [m.id for m in releases(folder)] == ids[::-1]
    assert roll_back(folder).id == ids[1]
    assert active_id(folder) == ids[1]
    (source / "n.md").write_text("# N\n\nNumber 4.\n")
    fourth = ingest(source, counting).release_id
    assert roll_back(folder).id == ids[1], (
        "the third was rolled back and is not what the fourth was made from"
    )
    with pytest.raises(ReleaseError, match="No release '../x'"):
        activate(folder, "../x")
    activate(folder, ids[0])
    with pytest.raises(ReleaseError, match="no release before"):
        roll_back(folder)
    prune(folder, keep=1, grace_s=0)
    assert {m.id for m in releases(folder)} == {ids[0], fourth}
    held = {name for manifest in releases(folder) for name in manifest.segments}
    assert {place.name for place in (folder / "segments").iterdir()} >= held


def test_segments_are_merged_while_documents_are_replaced(source: Path, counting: CountingEmbedder) -> None:
    for number in range(20):
        (source / f"d{number % 3}.md").write_text(f"# D\n\nVersion {number} of this page.\n")
        report = ingest(source, counting)
    release = open_active(folder_of(source))
    assert len(release.segments) < 12
    texts = {chunk.document_id: chunk.text for chunk in release.documents.all_chunks()}
    assert {texts[f"d{n % 3}.md"] for n in (17, 18, 19)} == {
        f"Version {n} of this page." for n in (17, 18, 19)
    }
    assert report.documents == len(texts) == 6
    assert verify(folder_of(source) / "releases" / report.release_id) == []


def test_damage_is_found(source: Path, counting: CountingEmbedder) -> None:
    report = ingest(source, counting)
    place = folder_of(source) / "releases" / report.release_id
    assert verify(place) == []
    segment = read_manifest(place).segments[0]
    with (folder_of(source) / "segments" / segment / "dense.faiss").open("ab") as file:
        file.write(b"x")
    assert verify(place) == [f"segments/{segment}/dense.faiss"]
    (place / "dead.npy").unlink()
    assert verify(place)[0] == "dead.npy"
    manifest = json.loads((place / "manifest.json").read_text())
    (place / "manifest.json").write_text(json.dumps(manifest | {"format": 99}))
    with pytest.raises(ReleaseError, match="format 99"):
        open_active(folder_of(source))


@pytest.mark.parametrize("point", KILL_POINTS)
def test_killed_at_any_point_the_last_release_stays_and_a_rerun_completes(
    source: Path, counting: CountingEmbedder, point: str
) -> None:
    first = ingest(source, counting)
    (source / "new.md").write_text("# New\n\nIt arrived while somebody pulled the plug.\n")
    script = (
        "import importlib, os, signal, sys; from pathlib import Path\n"
        "from tests.ingestion.runs.test_pipeline import CountingEmbedder, ingest\n"
        "target, name = sys.argv[2].split(':')\n"
        "module = importlib.import_module('ingestion.' + target)\n"
        "def die(*a, **k): os.kill(os.getpid(), signal.SIGKILL)\n"
        "setattr(module, name, die)\n"
        "ingest(Path(sys.argv[1]), CountingEmbedder())\n"
    )
    done = subprocess.run([sys.executable, "-c", script, str(source), point], cwd=ROOT, check=False)
    assert done.returncode == -signal.SIGKILL
    assert open_active(folder_of(source)).documents.document("a.md") is not None
    if point != "runs.publish:prune":
        assert active_id(folder_of(source)) == first.release_id
    report = ingest(source, counting)
    assert report.documents == 4
    assert open_active(folder_of(source)).documents.document("new.md") is not None
    assert os.listdir(folder_of(source)).count("active") == 1


def test_dense_search_is_exact(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    vectors = rng.normal(size=(300, 16)).astype(np.float32)
    build_dense(tmp_path, vectors)
    index = DenseIndex(tmp_path)
    halves = vectors.astype(np.float16).astype(np.float32)
    for vector in vectors[:5]:
        positions, scores = index.search(vector, 10)
        np.testing.assert_array_equal(positions, np.argsort(-(halves @ vector), kind="stable")[:10])
        np.testing.assert_allclose(index.score(vector, positions), scores, rtol=1e-5)
        allowed = np.zeros(300, dtype=bool)
        allowed[positions[1:3]] = True
        some, _ = index.search(vector, 10, np.packbits(allowed, bitorder="little"))
        np.testing.assert_array_equal(some, positions[1:3])


def test_lexical_search_analyses_each_language_by_its_own_rules(tmp_path: Path) -> None:
    texts = [("en", "Returning parcels is free"), ("de", "Die Rücksendungen sind kostenlos"), ("en", "Lamps")]
    writer = PostingsWriter(["de", "en"])
    for language, text in texts:
        writer.add(language, text)
    writer.write(tmp_path)
    index = Postings(tmp_path)

    def search(text: str) -> list[int]:
        keys = [key_of(term, language) for language in ("de", "en") for term in terms(text, language)]
        return sorted(
            {int(p) for _, positions, _ in index.find(np.array(keys, np.uint64)) for p in positions}
        )

    assert search("return a parcel") == [0]
    assert search("rucksendung") == [1]
    assert search("the und ???") == []
    assert search('lamp OR "broken (query') == [2]


def test_the_commands_work_as_documented(
    source: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    scope = source.parent / "scope.yaml"
    scope.write_text(
        "collections:\n  c:\n    sources: [docs]\n    languages: [en]\n"
        f"    clearance: {json.dumps(CLEARANCE)}\n"
    )
    monkeypatch.setenv("TOUCHSTONE_DATA_DIR", str(source.parent / "data"))
    monkeypatch.setenv("TOUCHSTONE_SCOPE_FILE", str(scope))
    assert main(["run", "--json"]) == 0
    report = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert report["documents"] == 3
    assert main(["report", report["run_id"]]) == 0
    page = source.parent / "report.html"
    assert main(["report", report["run_id"], "--html", str(page)]) == 0
    assert '<th scope="row">Documents</th><td>3</td>' in page.read_text()
    (source / "<b>.md").write_text("# New\n\nWritten while it was watched.\n")
    (source / "bad.pdf").write_text("no pdf")
    capsys.readouterr()
    assert main(["watch", "--every", "0.01", "--times", "2", "--json"]) == 0
    watched = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert (watched[0]["documents"], watched[0]["changed"]) == (4, True)
    assert main(["report", watched[0]["run_id"], "--html", str(page)]) == 0
    assert "bad.pdf" in page.read_text()
    assert main(["remove", "<b>.md", "--json"]) == 0
    assert main(["quarantine", "list"]) == 0
    assert "nothing waits" in capsys.readouterr().out
    assert main(["quarantine", "approve"]) == 1
    assert main(["vault", "reveal", "<PERSON_1>"]) == 1
    assert "TOUCHSTONE_VAULT_KEY" in capsys.readouterr().err
    (source / "<b>.md").unlink()
    (source / "bad.pdf").unlink()
    assert main(["run", "--json"]) == 0
    report = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert main(["releases"]) == 0
    assert f"* {report['release_id']}" in capsys.readouterr().out
    assert main(["verify"]) == 0
    assert main(["rollback"]) == 0
    assert main(["rollback", "--run", report["run_id"]]) == 0
    assert main(["purge"]) == 0
    assert main(["rollback"]) == 1
    assert "no release before" in capsys.readouterr().err
    assert main(["run", "--collection", "other"]) == 1
    assert "No collection 'other'" in capsys.readouterr().err
    assert main(["--scope", "gone.yaml", "run"]) == 1
    assert "'gone.yaml'" in capsys.readouterr().err
