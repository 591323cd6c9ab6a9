"""What a search of recipes measures: a training each, on its own development rows.

`loss` is what training itself looks at. `exact` is the share of development rows whose greedy answer is the wanted one word by
word; it costs one more reading, since an answer is that if and only if each of its tokens is the likeliest after those before.
"""

import math
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from finetune.lora.dataset import prepare
from finetune.lora.recipe import Recipe
from finetune.lora.rows import Dataset
from finetune.lora.search import Goal, Report
from finetune.lora.train import WEIGHTS, Trained, lessons_of, train
from finetune.yaml_file import TrainingDataError
from service.settings import Settings

if TYPE_CHECKING:
    from finetune.lora.loop import Moment

GOALS = {"loss": Goal("loss", "minimize"), "exact": Goal("exact", "maximize")}
Prepare = Callable[[Recipe], Dataset]


class _Ended(Exception):
    """The search has seen enough of a training."""


class Trials:
    """Trains recipes for a search. Recipes that differ in nothing of their data share a dataset."""

    def __init__(self, goal: Goal, base: Path, runs: Path, prepared: Prepare) -> None:
        self._goal, self._base, self._runs, self._prepared = goal, base, runs, prepared
        self._datasets: dict[int, Dataset] = {}

    def dataset_of(self, recipe: Recipe) -> Dataset:
        """The rows of a recipe. Raises `TrainingDataError` where none of them measures."""
        passages = recipe.data.documents.passages
        if passages not in self._datasets:
            self._datasets[passages] = self._prepared(recipe)
        dataset = self._datasets[passages]
        if not dataset.of("development"):
            raise TrainingDataError("There are no development rows to search by. Raise `data.development`.")
        return dataset

    def __call__(self, recipe: Recipe, report: Report) -> float:
        """Train, and measure by the goal."""
        dataset = self.dataset_of(recipe)
        seen = math.inf
        # Reports lead pruning alone: the loss tells early what will become nothing.
        sign = 1 if self._goal.direction == "minimize" else -1

        def progress(moment: "Moment") -> None:
            nonlocal seen
            report.spend(moment.read_tokens)
            if moment.development is None:
                return
            seen = moment.development
            if not report(moment.step, sign * seen):
                raise _Ended

        run = self._runs / f"{recipe.digest}-{dataset.digest[:12]}"
        try:
            trained = train(recipe, dataset, self._base, run, progress=progress)
        except _Ended:
            return sign * seen
        if self._goal.metric == "exact":
            return exact_share(recipe, dataset, self._base, trained)
        return math.inf if trained.best_loss is None else trained.best_loss


def trials_of(recipe: Recipe, settings: Settings, goal: Goal) -> Trials:
    """Trials on the data that the settings name, in the folders of the recipe."""
    state = settings.data_dir / "finetune" / recipe.name
    return Trials(goal, Path(recipe.base.path), state / "runs", lambda one: prepare(one, settings))


def exact_share(recipe: Recipe, dataset: Dataset, base: Path, trained: Trained) -> float:
    """The share of development rows, all of them, that the adapter would answer word by word as they are."""
    from safetensors.torch import load_file

    from finetune.lora.machine import precision_of, steady
    from finetune.lora.network import load_network
    from finetune.lora.template import Template

    lessons = lessons_of(dataset.of("development"), Template(base), recipe.training)
    with steady(recipe.training.threads, recipe.seed):
        network = load_network(recipe, base, precision_of(recipe.training.precision))
        network.take(load_file(trained.adapter_folder / WEIGHTS))
        right: list[bool] = []
        with network.evaluating():
            for group in lessons.groups:
                right += _right(network, lessons.layout(group))
    return sum(right) / len(right)


def _right(network: Any, layout: Any) -> list[bool]:
    """For each row of a group whether the likeliest token is the wanted one everywhere."""
    is_wanted = network.logits(layout).argmax(dim=-1).cpu().numpy() == layout.targets
    rows = int(layout.owner.max()) + 1
    return [bool(is_wanted[layout.owner == row].all()) for row in range(rows)]
