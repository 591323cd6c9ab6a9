"""A search trains each recipe on its own rows and measures it on the development rows, of which none is trained on."""

from dataclasses import replace
from pathlib import Path

import pytest

from finetune.lora.recipe import Recipe
from finetune.lora.rows import Dataset
from finetune.lora.search import Budget, Goal, Space, search
from finetune.yaml_file import TrainingDataError
from tests.finetune.lora import tiny

torch = pytest.importorskip("torch", reason="needs the extra `finetune`")
pytest.importorskip("peft", reason="needs the extra `finetune`")
pytest.importorskip("optuna", reason="needs the extra `finetune`")
from finetune.lora.objective import GOALS, Trials, exact_share  # noqa: E402
from finetune.lora.train import train  # noqa: E402

pytestmark = [
    pytest.mark.models,
    pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated:FutureWarning"),
]


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.base(tmp_path_factory.mktemp("base"))


@pytest.mark.parametrize("metric", sorted(GOALS))
def test_a_search_trains_and_picks_by_its_metric(base: Path, tmp_path: Path, metric: str) -> None:
    asked: list[int] = []

    def prepared(recipe: Recipe) -> Dataset:
        asked.append(recipe.data.documents.passages)
        return tiny.dataset(tmp_path / "datasets")

    trials = Trials(GOALS[metric], base, tmp_path / "runs", prepared)
    space = Space(rank=[2, 4], learning_rate=(5e-3, 5e-3), dropout=[0.0], epochs=[1.0], passages=[3, 5])
    found = search(
        tiny.recipe(base), trials, storage=tmp_path / "db", goal=GOALS[metric], space=space,
        budget=Budget(4, 1e9, "tokens"),
    )  # fmt: skip
    assert sorted(asked) == [3, 5]
    values = [one.value for one in found.tried if one.value is not None]
    assert found.value == (min(values) if metric == "loss" else max(values))
    assert found.spent > 0
    assert len(list((tmp_path / "runs").iterdir())) == len(found.tried) == 4


def test_exact_is_what_greedy_decoding_would_write(base: Path, tmp_path: Path) -> None:
    """On rows that are learned by heart all answers are right, and with the weights of the start none is."""
    learned = [row for row in tiny.rows(3, 2) if row.split == "train"]
    dataset = tiny.dataset(tmp_path / "learned", learned)
    asked = tiny.dataset(tmp_path / "asked", [replace(row, split="development") for row in learned])
    taught = tiny.recipe(base, epochs=60, learning_rate=2e-2, rank=16, evaluate_every=50)
    trained = train(taught, dataset, base, tmp_path / "taught", progress=lambda _: None)
    assert exact_share(taught, asked, base, trained) == 1.0
    untaught = tiny.recipe(base, epochs=0.5, learning_rate=1e-9, rank=16)
    barely = train(untaught, dataset, base, tmp_path / "untaught", progress=lambda _: None)
    assert exact_share(untaught, asked, base, barely) == 0.0


def test_without_development_rows_there_is_nothing_to_search_by(base: Path, tmp_path: Path) -> None:
    rows = [row for row in tiny.rows() if row.split == "train"]
    trials = Trials(Goal("loss", "minimize"), base, tmp_path, lambda _: tiny.dataset(tmp_path / "d", rows))
    with pytest.raises(TrainingDataError, match=r"data\.development"):
        trials.dataset_of(tiny.recipe(base))
