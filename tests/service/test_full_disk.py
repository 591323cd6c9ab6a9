"""A full disk is told with its remedy, and the gateway recovers when there is room."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from service.__main__ import main

MEGABYTE = 1024 * 1024


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    """A disk of 80 MB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=80m", "tmpfs", str(folder)]
    try:
        done = subprocess.run(command, capture_output=True, text=True)
    except FileNotFoundError:
        pytest.skip("there is no mount")
    if done.returncode:
        pytest.skip(f"a small disk can't be mounted here: {done.stderr.strip()}")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def fill(folder: Path) -> Path:
    """Take every byte that is left."""
    filler = folder / "filler"
    with filler.open("wb") as file:
        for size in (MEGABYTE, 4096, 1):
            with suppress(OSError):
                while True:
                    os.write(file.fileno(), b"x" * size)
    return filler


def test_a_gateway_that_starts_on_a_full_disk_says_so_and_starts_once_there_is_room(
    small: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TOUCHSTONE_DATA_DIR", str(small))
    filler = fill(small)
    assert main(["db", "upgrade"]) == 1
    assert "Check its disk's space and rights" in capsys.readouterr().err
    filler.unlink()
    assert main(["db", "upgrade"]) == 0
