"""A file that must be whole is whole or not there, and made once; what a process makes is for its user."""

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from ingestion.atomic import create_atomically, is_private, keep_private


@pytest.fixture(autouse=True)
def _open_umask() -> Iterator[None]:
    before = os.umask(0)
    yield
    os.umask(before)


def test_of_many_who_make_a_file_one_does_and_all_read_the_same(tmp_path: Path) -> None:
    path = tmp_path / "key"
    with ThreadPoolExecutor(8) as threads:
        made = list(threads.map(lambda i: create_atomically(path, bytes([i]) * 32), range(16)))
    assert made.count(True) == 1
    assert path.read_bytes() == bytes([made.index(True)]) * 32
    assert [one.name for one in tmp_path.iterdir()] == ["key"]
    assert is_private(path)


def test_a_full_disk_leaves_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        create_atomically(tmp_path / "key", b"x" * 32)
    assert list(tmp_path.iterdir()) == []


def test_what_is_made_from_now_on_is_private_and_the_folder_too(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    folder.mkdir(mode=0o755)
    keep_private(folder)
    (folder / "inner").mkdir()
    (folder / "inner" / "file").write_text("x")
    assert all(is_private(one) for one in (folder, folder / "inner", folder / "inner" / "file"))
