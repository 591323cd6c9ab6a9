"""Base and adapter as one model in a folder, whole or not at all."""

from pathlib import Path
from typing import Any

import pytest

from finetune.lora import merge as merging
from finetune.lora.base import base_digest, check_base
from finetune.lora.merge import merge
from finetune.yaml_file import TrainingDataError
from tests.finetune.lora.small_model import write_adapter, write_base

pytestmark = [
    pytest.mark.models,
    # PEFT asks transformers for a name that it gives up.
    pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing`:FutureWarning"),
]


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    pytest.importorskip("peft")
    folder = tmp_path_factory.mktemp("merge")
    base = write_base(folder / "base")
    return base, write_adapter(folder / "adapter", base)


def test_the_folder_holds_all_that_a_server_needs(folders: tuple[Path, Path], tmp_path: Path) -> None:
    from safetensors.torch import load_file

    base, adapter = folders
    made = merge(base, adapter, tmp_path / "merged", licence="Apache-2.0")
    names = {path.name for path in made.folder.iterdir()}
    assert {"model.safetensors", "config.json", "tokenizer.json", "LICENSE", "CARD.md"} <= names
    for name in ("tokenizer.json", "tokenizer_config.json", "chat_template.jinja", "LICENSE"):
        assert (made.folder / name).read_bytes() == (base / name).read_bytes()
    assert made.licence == "Apache-2.0"
    assert "were changed" in (made.folder / "CARD.md").read_text()
    kept, own = load_file(made.folder / "model.safetensors"), load_file(base / "model.safetensors")
    assert {one.dtype for one in kept.values()} == {one.dtype for one in own.values()}
    changed = {name for name, one in kept.items() if not one.equal(own[name])}
    assert changed == {name for name in own if name.split(".")[-2] in ("q_proj", "v_proj", "up_proj")}


def test_the_same_two_are_merged_once(
    folders: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    base, adapter = folders
    made = merge(base, adapter, tmp_path / "merged")
    monkeypatch.setattr(merging, "_save_merged", None)
    assert merge(base, adapter, tmp_path / "merged") == made


def test_a_merge_that_fails_leaves_nothing(
    folders: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    base, adapter = folders

    def half(base: Path, adapter: Path, out: Path) -> None:
        (out / "model.safetensors").write_bytes(b"half")
        raise OSError("the disk is full")

    monkeypatch.setattr(merging, "_save_merged", half)
    with pytest.raises(OSError, match="disk is full"):
        merge(base, adapter, tmp_path / "merged")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_of_somebody_else_is_left_alone(folders: tuple[Path, Path], tmp_path: Path) -> None:
    base, adapter = folders
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(TrainingDataError, match="no merged model"):
        merge(base, adapter, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


@pytest.mark.parametrize(
    "name", ["model.safetensors", "tokenizer.json", "chat_template.jinja", "config.json"]
)
def test_another_base_has_another_digest(folders: tuple[Path, Path], tmp_path: Path, name: str) -> None:
    copy = _copied(folders[0], tmp_path / "copy")
    before = base_digest(copy)
    assert before == check_base(copy, base_digest(folders[0]))
    (copy / "README.md").write_text("prose")
    assert base_digest(copy) == before
    (copy / name).write_bytes((copy / name).read_bytes() + b" ")
    with pytest.raises(TrainingDataError, match="another base"):
        check_base(copy, before)


def test_a_folder_without_a_model_is_no_base(tmp_path: Path) -> None:
    with pytest.raises(TrainingDataError, match="no model"):
        base_digest(tmp_path)


def _copied(source: Path, out: Path) -> Any:
    import shutil

    return shutil.copytree(source, out)
