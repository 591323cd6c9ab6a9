"""On a real local Ray: the release is the one that the local engine makes."""

from pathlib import Path

import pytest

from ingestion.embed import Embedder
from ingestion.releases.release import collection_folder, open_active
from ingestion.runs.collection import Collection
from ingestion.runs.pipeline import run
from tests.ingestion.runs.test_admission import PAGE, Place

pytestmark = [
    pytest.mark.ray,
    pytest.mark.enable_socket,
    pytest.mark.filterwarnings(
        "ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::ResourceWarning"
    ),
]
pytest.importorskip("ray", reason="the extra `ray` is not installed")


@pytest.fixture
def place(tmp_path: Path, embedder: Embedder) -> Place:
    return Place(tmp_path, embedder)


def test_ray_and_local_make_the_same_release(place: Place, tmp_path: Path) -> None:
    from ingestion.runs.ray import RayWorkers

    place.configure(pii={})
    for number in range(12):
        place.write(
            f"p{number}.md", f"# Page {number}\n\nPage {number}, by Anna Lindqvist, is about {number * 31}."
        )
    place.write("copy.md", PAGE.format(plan="basic", fee=4))
    place.write("copy2.md", PAGE.format(plan="basic", fee=4))
    place.write("bad.pdf", "no pdf")
    local = place.run()
    other = tmp_path / "other"
    folder = collection_folder(other, "c")
    folder.mkdir(parents=True)
    (folder / "pseudonyms.key").write_bytes((place.folder / "pseudonyms.key").read_bytes())
    workers = RayWorkers(2)
    try:
        report = run(Collection("c", place.config, place.embedder, other, place.root), workers=workers)
    finally:
        workers.close()
    assert report.release_digest == local.release_digest
    assert report.failures == local.failures
    assert report.duplicates == local.duplicates
    assert report.embedded_chunks == local.embedded_chunks > 10
    here, there = place.release, open_active(folder)
    assert [c.id for c in here.documents.all_chunks()] == [c.id for c in there.documents.all_chunks()]
