"""A damaged file of a release is refused by a typed error or found by `verify`; no size that differs passes unseen."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from ingestion.errors import ReleaseError
from ingestion.releases.release import Release, active_id, verify
from tests.ingestion.corpora import Page, release_of

FILES = (
    "dead.npy manifest.json segment/dense.faiss segment/rows.npy segment/keys.npy segment/starts.npy segment/positions.npy"
    " segment/counts.npy segment/lengths.npy segment/texts.sqlite segment/manifest.json"
).split()


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def empty(path: Path) -> None:
    path.write_bytes(b"")


def drop(path: Path) -> None:
    path.unlink()


def lengthen(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b"\x00" * 64)


def swap(path: Path) -> None:
    """Its neighbour takes its place."""
    others = sorted(one for one in path.parent.iterdir() if one.is_file() and one != path)
    shutil.copy(others[0], path)


def zero(path: Path) -> None:
    path.write_bytes(b"\x00" * path.stat().st_size)


def flip(at: float) -> Callable[[Path], None]:
    def flipped(path: Path) -> None:
        data = bytearray(path.read_bytes())
        data[int(at * (len(data) - 1))] ^= 0xFF
        path.write_bytes(bytes(data))

    flipped.__name__ = f"flip_at_{at}"
    return flipped


DAMAGE = (cut, empty, drop, lengthen, swap, zero, *(flip(at / 8) for at in range(9)))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Release:
    folder = tmp_path_factory.mktemp("made")
    pages = [Page(f"p{i}", (f"The text number {i} is about tulips.", f"And {i} trains.")) for i in range(9)]
    return release_of(folder, pages)


def read(release: Release) -> None:
    """All texts of a release."""
    for document_id in list(release.documents.ids()):
        release.documents.document(document_id)
        release.documents.document_chunks(document_id)


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("damage", DAMAGE, ids=lambda one: one.__name__)
def test_a_damaged_file_is_refused_or_found(
    name: str, damage: Callable[[Path], None], made: Release, tmp_path: Path
) -> None:
    root = made.folder.parent.parent
    shutil.copytree(root, tmp_path / "copy")
    folder = tmp_path / "copy" / "releases" / made.folder.name
    segment = tmp_path / "copy" / "segments" / made.manifest.segments[0]
    path = segment / name.removeprefix("segment/") if name.startswith("segment/") else folder / name
    before = path.read_bytes()
    damage(path)
    is_there = path.is_file()
    if is_there and path.read_bytes() == before:
        pytest.skip("the damage changes nothing here")
    is_sized = name.rpartition("/")[2] != "manifest.json"
    try:
        release = Release(folder)
        release.check()
    except ReleaseError:
        return
    assert is_there
    assert not is_sized or path.stat().st_size == len(before), "a size that differs was not seen"
    assert verify(folder) != [] or json.loads(path.read_bytes()) == json.loads(before)


def test_a_pointer_that_is_no_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "active").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ReleaseError, match="activate ID"):
        active_id(tmp_path)


def test_a_damaged_page_of_texts_is_a_typed_error_when_it_is_read(made: Release, tmp_path: Path) -> None:
    shutil.copytree(made.folder.parent.parent, tmp_path / "copy")
    path = tmp_path / "copy" / "segments" / made.manifest.segments[0] / "texts.sqlite"
    data = bytearray(path.read_bytes())
    release = Release(tmp_path / "copy" / "releases" / made.folder.name)
    data[4096:] = b"\xff" * (len(data) - 4096)
    path.write_bytes(bytes(data))
    with pytest.raises(ReleaseError, match="damaged"):
        read(release)
