"""A file of training data is refused whole when anything in it is not what it should be."""

from pathlib import Path

import pytest

from finetune.yaml_file import Strict, TrainingDataError, read


class Shelf(Strict):
    fruit: tuple[str, ...]


def written(folder: Path, text: str) -> Path:
    path = folder / "shelf.yaml"
    path.write_text(text, "utf-8")
    return path


def test_a_file_is_read_as_its_type_says(tmp_path: Path) -> None:
    assert read(written(tmp_path, "# what it is\nfruit: [apple, pear]\n"), Shelf).fruit == ("apple", "pear")


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("fruit: [apple]\nfruits: [pear]\n", "fruits"),
        ("fruit: [apple, no]\n", "Quote texts that YAML reads as"),
        ("fruit: [apple, 12]\n", "fruit.1"),
        ("fruit: [apple\n", "is no YAML"),
        ("", "top level"),
    ],
)
def test_a_file_that_holds_anything_else_is_refused_with_its_name(
    tmp_path: Path, text: str, named: str
) -> None:
    with pytest.raises(TrainingDataError) as refused:
        read(written(tmp_path, text), Shelf)
    assert named in str(refused.value)
    assert "shelf.yaml" in str(refused.value)
