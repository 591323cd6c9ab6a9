"""A recipe is typed: what is misspelt or can't be is refused with its name, and its digest is that of its content."""

from pathlib import Path

import pytest
import yaml

from finetune.lora.recipe import Recipe, load_recipe
from finetune.yaml_file import TrainingDataError
from tests.conftest import ROOT

DEMO = ROOT / "finetune/lora/recipes/demo.yaml"


def write(folder: Path, **changes: object) -> Path:
    path = folder / "recipe.yaml"
    path.write_text(yaml.safe_dump({**yaml.safe_load(DEMO.read_text()), **changes}))
    return path


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"trainig": {}}, "trainig"),
        ({"training": {"ranks": 8}}, "ranks"),
        ({"training": {"rank": 0}}, "rank"),
        ({"training": {"rows_a_step": 64}}, "rows_a_step"),
        ({"training": {"method": "ppo"}}, "method"),
        ({"training": {"quantise": "4bit", "precision": "float32"}}, "4bit"),
        ({"training": {"method": "kto", "choice": 0.5}}, "choice"),
        ({"name": "Demo 1"}, "name"),
        ({"base": {"path": "x"}}, "served_as"),
        ({"data": {"development": 2}}, "development"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, changes: dict[str, object], named: str) -> None:
    with pytest.raises(TrainingDataError, match=named):
        load_recipe(write(tmp_path, **changes))


def test_a_file_that_is_not_there_or_no_yaml_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TrainingDataError, match="can't be read"):
        load_recipe(tmp_path / "none.yaml")
    (tmp_path / "bad.yaml").write_text("a: [")
    with pytest.raises(TrainingDataError, match="no YAML"):
        load_recipe(tmp_path / "bad.yaml")


def test_the_digest_is_that_of_the_content(tmp_path: Path) -> None:
    demo = load_recipe(DEMO)
    assert load_recipe(write(tmp_path)).digest == demo.digest
    assert load_recipe(DEMO, rank=8).digest != demo.digest
    assert load_recipe(DEMO, contexts=9).data.documents.contexts == 9
    assert Recipe.model_validate(demo.model_dump()).digest == demo.digest
    assert demo.alpha == 2 * demo.training.rank
