"""From recipe and dataset to an adapter in PEFT's form: the order of a training, without its libraries until it runs."""

import json
import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from finetune.lora.batches import groups_of, sample
from finetune.lora.machine import precision_of, set_environment, steady
from finetune.lora.recipe import Recipe, Training
from finetune.lora.rows import Dataset, Row
from finetune.lora.template import Encoded, Template
from finetune.yaml_file import TrainingDataError
from ingestion.artifact import digest_of
from ingestion.atomic import sync, write_atomically

if TYPE_CHECKING:
    from finetune.lora.loop import Lessons, Loop, Progress
    from finetune.lora.network import Network

GENERAL = Path(__file__).parent / "general.txt"
ADAPTER, WEIGHTS, CONFIG = "adapter", "adapter_model.safetensors", "adapter_config.json"
_DONE = "trained.json"


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
    recipe: Recipe, dataset: Dataset, base_folder: Path, run_folder: Path, *, progress: "Progress"
) -> Trained:
    """Train an adapter on the `sft` or `text` rows of a dataset; the folder of a training that was interrupted goes on.

    Raises `TrainingDataError` for rows or a machine that don't fit and for a folder in which another process trains,
    `TrainingStopped` after SIGTERM.
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
                done = _trained(recipe, dataset, base_folder, run_folder, progress)
        return done


def _trained(
    recipe: Recipe, dataset: Dataset, base_folder: Path, run_folder: Path, progress: "Progress"
) -> Trained:
    from finetune.lora.loop import Loop
    from finetune.lora.network import load_network

    template = Template(base_folder)
    lessons = lessons_of(dataset.of("train"), template, recipe.training)
    development = lessons_of(dataset.of("development"), template, recipe.training)
    precision = precision_of(recipe.training.precision)
    network = load_network(recipe, base_folder, precision)
    made_of = f"recipe {recipe.digest}, dataset {dataset.digest[:12]}, {precision}"
    loop = Loop(
        recipe, network, lessons, _some(development, recipe), general_lessons(template), run_folder, made_of
    )
    loop.run(progress)
    return _finish(run_folder, loop, network, recipe.base.served_as)


def lessons_of(rows: Sequence[Row], template: Template, training: Training) -> "Lessons":
    """Rows as tokens in groups; a `text` row is cut into pieces that fit, of which all is learned."""
    from finetune.lora.loop import Lessons

    encoded: list[Encoded] = []
    weights: list[float] = []
    for row in rows:
        if row.kind not in ("sft", "text"):
            continue
        told = template.encode(row)
        pieces = [told] if row.kind == "sft" else _pieces(told, training.max_tokens)
        encoded += pieces
        weights += [row.weight] * len(pieces)
    groups = groups_of(
        encoded,
        max_tokens=training.max_tokens,
        max_rows=training.rows_a_step,
        is_shared=training.share_prefixes,
    )
    return Lessons(encoded, weights, groups)


def _pieces(told: Encoded, max_tokens: int) -> list[Encoded]:
    tokens = told.completion
    cut = [tokens[start : start + max_tokens] for start in range(0, len(tokens), max_tokens)]
    # A token alone has nothing before it to be learned from.
    return [Encoded((), piece) for piece in cut if len(piece) > 1]


def _some(development: "Lessons", recipe: Recipe) -> "Lessons":
    from finetune.lora.loop import Lessons

    groups = sample(development.groups, recipe.training.evaluate_rows, seed=recipe.seed)
    return Lessons(development.rows, development.weights, groups)


def general_lessons(template: Template) -> "Lessons":
    """Sentences that have nothing to do with any company: what an adapter must not unlearn."""
    from finetune.lora.loop import Lessons

    lines = GENERAL.read_text("utf-8").splitlines()
    rows = [
        Encoded((), tuple(template.tokenizer(line, add_special_tokens=False)["input_ids"])) for line in lines
    ]
    return Lessons(rows, [1.0] * len(rows), groups_of(rows, max_tokens=0, max_rows=1, is_shared=False))


def _finish(folder: Path, loop: "Loop", network: "Network", served_as: str) -> Trained:
    from finetune.lora import curves
    from finetune.lora.loop import CURVES

    standing = loop.standing
    digest = write_adapter(folder / ADAPTER, loop.best, network, served_as)
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
        base_loss=looks[0][1],
        forgetting=next(fall for step, _, fall in looks if step == standing.best_step),
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
