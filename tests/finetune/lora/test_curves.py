"""Curves are on the disk before the next step, and survive what a kill leaves of their last line."""

from pathlib import Path

import pytest

from finetune.lora import curves


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "curves.jsonl"
    for step in range(4):
        curves.append(path, {"step": step, "loss": 1.0 / (step + 1), "development": None})
    return path


def test_points_come_back_in_their_order(path: Path) -> None:
    assert [point["step"] for point in curves.read(path)] == [0, 1, 2, 3]


@pytest.mark.parametrize("torn", [b"{", b'{"step":4', b'{"step":4,"loss":0.2}'])
def test_a_torn_last_line_is_no_point_and_goes_before_the_next_one(path: Path, torn: bytes) -> None:
    with path.open("ab") as file:
        file.write(torn)
    assert [point["step"] for point in curves.read(path)] == [0, 1, 2, 3]
    curves.cut(path, 3)
    curves.append(path, {"step": 4})
    assert [point["step"] for point in curves.read(path)] == [0, 1, 2, 3, 4]


def test_points_behind_the_checkpoint_are_made_again(path: Path) -> None:
    curves.cut(path, 1)
    assert [point["step"] for point in curves.read(path)] == [0, 1]


def test_nothing_yet_is_no_points(tmp_path: Path) -> None:
    assert curves.read(tmp_path / "curves.jsonl") == []


def test_the_picture_is_a_picture(path: Path) -> None:
    pytest.importorskip("matplotlib")
    curves.append(path, {"step": 4, "loss": 0.2, "development": 0.4, "forgetting": 0.01})
    curves.draw(path.with_name("curves.png"), curves.read(path))
    assert path.with_name("curves.png").read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
