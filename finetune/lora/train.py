"""From recipe and dataset to an adapter in PEFT's form: the order of a training, without its libraries until it runs."""

import json
import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from finetune.lora.base import base_digest
from finetune.lora.batches import Group, groups_of, sample
from finetune.lora.machine import Precision, free_bytes, precision_of, save_memory, set_environment, steady
from finetune.lora.memory import need_of, shape_of
from finetune.lora.preflight import (
    Pair,
    check_memory,
    check_quantisation,
    check_rows,
    check_shape,
    check_splits,
)
from finetune.lora.recipe import Recipe, Training
from finetune.lora.rows import Dataset, Row
from finetune.lora.template import Encoded, Template
from finetune.yaml_file import TrainingDataError
from ingestion.artifact import digest_of
from ingestion.atomic import sync, write_atomically

if TYPE_CHECKING:
    from finetune.lora.loop import Lessons, Progress, Standing
    from finetune.lora.network import Network

GENERAL = Path(__file__).parent / "general.txt"
ADAPTER, WEIGHTS, CONFIG = "adapter", "adapter_model.safetensors", "adapter_config.json"
_DONE = "trained.json"
# Methods that learn from judgements of answers.
PREFERENCES = ("dpo", "kto")


@dataclass(frozen=True, slots=True)
class Trained:
    """A finished training. `losses` are those of the steps; `looks` are step, development loss and forgetting.

    `base_loss` is the development loss of the base model, `best_loss` that of the adapter; None without such rows.
    `digest` is the SHA-256 of the adapter's weights.
    """

    adapter_folder: Path
    digest: str
    steps: int
    losses: tuple[float, ...]
    looks: tuple[tuple[int, float | None, float], ...]
    best_step: int
    best_loss: float | None
    base_loss: float | None
    forgetting: float
    precision: str


def train(
    recipe: Recipe,
    dataset: Dataset,
    base_folder: Path,
    run_folder: Path,
    *,
    progress: "Progress",
) -> Trained:
    """Train an adapter on the rows of the recipe's method; the folder of a training that was interrupted goes on.

    Raises `TrainingDataError` for what the preflight refuses, for a loss that is no number and for a folder in which
    another process trains, `TrainingStopped` after SIGTERM.
    """
    set_environment()
    try:
        from finetune.lora.checkpoint import alone
    except ImportError as exc:
        raise TrainingDataError(
            f"{exc.name!r} is not installed. Training needs: pip install torch && pip install -e .[finetune]"
        ) from exc
    with alone(run_folder):
        done = _done(run_folder)
        if done is None:
            with steady(recipe.training.threads, recipe.seed):
                task = _prepared(recipe, dataset, base_folder, run_folder)
                done = (
                    task.preferred(progress) if recipe.training.method in PREFERENCES else task.told(progress)
                )
        return done


@dataclass(frozen=True, slots=True)
class _Task:
    """A training that has passed the preflight."""

    recipe: Recipe
    pairs: Sequence[Pair]
    template: Template
    base: Path
    folder: Path
    made_of: str
    precision: Precision
    is_frugal: bool

    def told(self, progress: "Progress") -> Trained:
        """By our loop: what is to be said is in the rows."""
        from finetune.lora.loop import Loop
        from finetune.lora.network import load_network

        recipe = self.recipe
        lessons, development = (
            _grouped([pair for pair in self.pairs if pair[0].split == split], recipe.training)
            for split in ("train", "development")
        )
        network = load_network(recipe, self.base, self.precision, is_frugal=self.is_frugal)
        some = replace(
            development, groups=sample(development.groups, recipe.training.evaluate_rows, seed=recipe.seed)
        )
        loop = Loop(recipe, network, lessons, some, general_lessons(self.template), self.folder, self.made_of)
        loop.run(progress)
        return _finish(self, loop.standing, loop.best, network)

    def preferred(self, progress: "Progress") -> Trained:
        """By TRL: rows say which answer is better."""
        from finetune.lora.preference import train_preference

        network, standing = train_preference(
            self.recipe,
            list({row.id: row for row, _ in self.pairs}.values()),
            self.template,
            self.base,
            self.folder,
            general_lessons(self.template),
            precision=self.precision,
            is_frugal=self.is_frugal,
            progress=progress,
        )
        return _finish(self, standing, network.adapter(), network)


def _prepared(recipe: Recipe, dataset: Dataset, base_folder: Path, run_folder: Path) -> _Task:
    """Everything that can be refused before weights are read."""
    import torch

    training = recipe.training
    check_quantisation(training, has_gpu=torch.cuda.is_available())
    template = Template(base_folder)
    shape = shape_of(base_folder)
    pairs = encoded(dataset.rows, template, training)
    check_rows(pairs, training, end=template.end)
    check_shape(shape, training)
    check_splits(row for row, _ in pairs)
    precision = precision_of(training.precision)
    tokens, learned = _longest(pairs, training)
    has_gpu = torch.cuda.is_available()
    way = check_memory(
        need_of(shape, training, precision, tokens=tokens, learned=learned, has_gpu=has_gpu), free_bytes()
    )
    if way != "quick":
        save_memory()
    made_of = f"recipe {recipe.digest}, dataset {dataset.digest[:12]}, base {base_digest(base_folder)[:12]}, {precision}"
    return _Task(recipe, pairs, template, base_folder, run_folder, made_of, precision, way == "frugal")


def encoded(rows: Sequence[Row], template: Template, training: Training) -> list[Pair]:
    """The rows of the method with their tokens, in order; a `text` row is cut into pieces that fit, and all is learned."""
    pairs: list[Pair] = []
    for row in rows:
        if row.kind != training.method:
            continue
        told = template.encode(row)
        if row.kind == "text":
            pairs += [(row, piece) for piece in _pieces(told, training.max_tokens)]
        else:
            pairs.append((row, told))
        if row.rejected is not None:
            pairs.append((row, template.encode(row, row.rejected)))
    return pairs


def _pieces(told: Encoded, max_tokens: int) -> list[Encoded]:
    tokens = told.completion
    cut = [tokens[start : start + max_tokens] for start in range(0, len(tokens), max_tokens)]
    # A token alone has nothing before it to be learned from.
    return [Encoded((), piece) for piece in cut if len(piece) > 1]


def lessons_of(rows: Sequence[Row], template: Template, training: Training) -> "Lessons":
    """Rows of the method as tokens, in groups."""
    return _grouped(encoded(rows, template, training), training)


def _grouped(pairs: Sequence[Pair], training: Training) -> "Lessons":
    from finetune.lora.loop import Lessons

    rows = [told for _, told in pairs]
    return Lessons(rows, [row.weight for row, _ in pairs], _groups(rows, training), training.choice)


def _groups(rows: Sequence[Encoded], training: Training) -> list[Group]:
    return groups_of(
        rows,
        max_tokens=training.max_tokens,
        max_rows=training.rows_a_step,
        is_shared=training.share_prefixes,
    )


def _longest(pairs: Sequence[Pair], training: Training) -> tuple[int, int]:
    """Tokens of the longest group, and how many of them are asked for the next one."""
    rows = [told for _, told in pairs]
    if training.method in PREFERENCES:
        # Two sequences in one batch, with the logits of all their tokens.
        tokens = 2 * max(len(told) for told in rows)
        return tokens, tokens
    groups = _groups(rows, training)
    learned = (sum(len(rows[number].completion) for number in group.rows) for group in groups)
    return max(group.tokens for group in groups), max(learned)


def general_lessons(template: Template) -> "Lessons":
    """Sentences that have nothing to do with any company: what an adapter must not unlearn."""
    from finetune.lora.loop import Lessons

    lines = GENERAL.read_text("utf-8").splitlines()
    rows = [
        Encoded((), tuple(template.tokenizer(line, add_special_tokens=False)["input_ids"])) for line in lines
    ]
    return Lessons(rows, [1.0] * len(rows), groups_of(rows, max_tokens=0, max_rows=1, is_shared=False))


def _finish(task: _Task, standing: "Standing", best: dict[str, Any], network: "Network") -> Trained:
    from finetune.lora import curves
    from finetune.lora.loop import CURVES

    folder = task.folder
    digest = write_adapter(folder / ADAPTER, best, network, task.recipe.base.served_as)
    curves.draw(folder / "curves.png", curves.read(folder / CURVES))
    looks = tuple((step, _finite(loss), forgetting) for step, loss, forgetting in standing.looks)
    trained = Trained(
        adapter_folder=folder / ADAPTER,
        digest=digest,
        steps=standing.step,
        losses=tuple(standing.losses),
        looks=looks,
        best_step=standing.best_step,
        best_loss=_finite(standing.best_loss),
        base_loss=looks[0][1] if looks[0][0] == 0 else None,
        forgetting=next((fall for step, _, fall in looks if step == standing.best_step), looks[-1][2]),
        precision=network.precision,
    )
    write_atomically(folder / _DONE, json.dumps({**asdict(trained), "adapter_folder": ADAPTER}))
    return trained


def _finite(loss: float) -> float | None:
    return loss if loss < float("inf") else None


def write_adapter(folder: Path, weights: dict[str, Any], network: "Network", served_as: str) -> str:
    """Write an adapter in PEFT's form, the same bytes for the same weights; returns the digest of its weights.

    The base model is named as its server names it: a path of this machine says nothing elsewhere.
    """
    from safetensors.torch import save_file

    fresh = folder.with_name(f".{folder.name}")
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir(parents=True)
    save_file(weights, fresh / WEIGHTS, metadata={"format": "pt"})
    (fresh / CONFIG).write_text(json.dumps(_config(network, served_as), indent=1, sort_keys=True) + "\n")
    for path in fresh.iterdir():
        sync(path)
    shutil.rmtree(folder, ignore_errors=True)
    fresh.rename(folder)
    sync(folder.parent)
    return digest_of(folder / WEIGHTS)


def _config(network: "Network", served_as: str) -> dict[str, Any]:
    known = network.model.peft_config["default"].to_dict()
    # PEFT holds names in sets, whose order differs from process to process.
    plain = {key: sorted(value) if isinstance(value, set) else value for key, value in known.items()}
    return {**plain, "inference_mode": True, "base_model_name_or_path": served_as}


def _done(folder: Path) -> Trained | None:
    """What a finished training left, if its adapter is still as it was written."""
    try:
        raw = json.loads((folder / _DONE).read_text("utf-8"))
        if digest_of(folder / ADAPTER / WEIGHTS) != raw["digest"]:
            return None
    except (OSError, ValueError):
        return None
    looks = tuple(tuple(look) for look in raw.pop("looks"))
    return Trained(
        **{**raw, "adapter_folder": folder / ADAPTER, "losses": tuple(raw["losses"]), "looks": looks}
    )
