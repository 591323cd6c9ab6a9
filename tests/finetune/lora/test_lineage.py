"""A step is done once; after a kill, or when what it made is gone, it is done again, and what was made of it too."""

from pathlib import Path
from typing import Any

import pytest

from finetune.lora.lineage import Record, open_record
from finetune.lora.recipe import load_recipe
from finetune.yaml_file import TrainingDataError
from tests.conftest import ROOT

RECIPE = load_recipe(ROOT / "finetune/lora/recipes/demo.yaml")


def walk(
    record: Record, done: list[str], there: dict[str, bool], *, stop_at: str = "", version: int = 1
) -> None:
    for name in ("prepare", "train", "prove"):

        def work(name: str = name) -> dict[str, Any]:
            if name == stop_at:
                raise KeyboardInterrupt
            done.append(name)
            return {"made": name, "version": version}

        record.step(name, lambda facts: there.get(facts["made"], True), work)


def test_a_killed_cycle_goes_on_where_it_was(tmp_path: Path) -> None:
    path, done = tmp_path / "cycles/one.json", list[str]()
    with pytest.raises(KeyboardInterrupt):
        walk(open_record(path, RECIPE), done, {}, stop_at="prove")
    walk(open_record(path, RECIPE), done, {})
    walk(open_record(path, RECIPE), done, {})
    assert done == ["prepare", "train", "prove"]
    steps = open_record(path, RECIPE).steps
    assert [list(steps), steps["train"]["made"]] == [["prepare", "train", "prove"], "train"]
    assert steps["train"]["took_s"] >= 0


def test_what_was_made_of_something_else_is_made_again(tmp_path: Path) -> None:
    path, done = tmp_path / "one.json", list[str]()
    walk(open_record(path, RECIPE), done, {})
    with pytest.raises(KeyboardInterrupt):
        walk(open_record(path, RECIPE), done, {"train": False}, stop_at="prove", version=2)
    assert done == ["prepare", "train", "prove", "train"]
    # The old proof is not taken for one of the new adapter.
    assert list(open_record(path, RECIPE).steps) == ["prepare", "train"]


def test_what_comes_out_the_same_again_keeps_what_was_made_of_it(tmp_path: Path) -> None:
    path, done = tmp_path / "one.json", list[str]()
    walk(open_record(path, RECIPE), done, {})
    before = open_record(path, RECIPE).steps
    walk(open_record(path, RECIPE), done, {"prepare": False})
    assert done == ["prepare", "train", "prove", "prepare"]
    assert open_record(path, RECIPE).steps == before


@pytest.mark.parametrize("text", ["", "[]", '{"steps": 1}', "{"])
def test_a_file_that_is_no_record_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "one.json"
    path.write_text(text)
    with pytest.raises(TrainingDataError, match="Remove it"):
        open_record(path, RECIPE)
