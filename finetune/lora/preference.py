"""Learning from judgements by TRL: DPO from a better and a worse answer, KTO from answers that somebody liked or didn't.

Rows are few and the reference is the base model itself, so that sharing prefixes would gain little: TRL's trainers do it,
with a length that fits every row. Heavy: only training imports it.
"""

import math
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from datasets.arrow_dataset import Dataset as Table
from datasets.utils.logging import disable_progress_bar
from transformers import AutoModelForCausalLM, EarlyStoppingCallback, PrinterCallback, TrainerCallback
from trl.trainer.dpo_config import DPOConfig
from trl.trainer.dpo_trainer import DPOTrainer
from trl.trainer.kto_config import KTOConfig
from trl.trainer.kto_trainer import KTOTrainer

from finetune.lora import curves
from finetune.lora.loop import (
    CHECKPOINTS,
    CURVES,
    Lessons,
    Moment,
    Progress,
    Standing,
    TrainingStopped,
    asked_to_stop,
    check_loss,
    mean_loss,
)
from finetune.lora.machine import Precision
from finetune.lora.models import quietly
from finetune.lora.network import Network, lora_config
from finetune.lora.recipe import Recipe
from finetune.lora.rows import Row
from finetune.lora.template import Template
from finetune.yaml_file import TrainingDataError

# The reference of KTO is made of the other rows of a batch: it needs two at least.
_KTO_BATCH = 2
# The heaviest row is so often in a table of rows with several weights.
_TENTHS = 10


def train_preference(
    recipe: Recipe,
    rows: Sequence[Row],
    template: Template,
    base_folder: Path,
    run_folder: Path,
    general: Lessons,
    *,
    precision: Precision,
    is_frugal: bool,
    progress: Progress,
) -> tuple[Network, Standing]:
    """The network with the adapter of the best look, and where the training stands. A folder that was interrupted goes on.

    Raises `TrainingDataError` for rows that TRL would read otherwise than a server, `TrainingStopped` after SIGTERM.
    """
    disable_progress_bar()
    base = AutoModelForCausalLM.from_pretrained(
        str(base_folder), dtype=getattr(torch, precision), local_files_only=True, attn_implementation="sdpa"
    )
    tables = {split: _table(recipe, rows, template, split) for split in ("train", "development")}
    count = len(_chosen(recipe, rows, "train"))
    arguments = _arguments(recipe, tables, count, run_folder / CHECKPOINTS, precision, is_frugal=is_frugal)
    kind = DPOTrainer if recipe.training.method == "dpo" else KTOTrainer
    with quietly(), asked_to_stop() as asked:
        torch.manual_seed(recipe.seed)
        trainer: Any = kind(
            model=base,
            args=arguments,
            train_dataset=tables["train"],
            eval_dataset=tables["development"] if len(tables["development"]) else None,
            processing_class=template.tokenizer,
            peft_config=lora_config(recipe),
        )
        _check_tokens(trainer.train_dataset, template)
        network = Network(trainer.model, precision)
        teller = _Teller(network, general, run_folder / CURVES, progress, asked)
        trainer.add_callback(teller)
        trainer.remove_callback(PrinterCallback)
        if len(tables["development"]):
            trainer.add_callback(EarlyStoppingCallback(recipe.training.patience))
        last = _last(run_folder / CHECKPOINTS)
        trainer.train(resume_from_checkpoint=str(last) if last else None)
    if asked.is_set() and trainer.state.global_step < trainer.state.max_steps:
        raise TrainingStopped(
            f"Training stopped after step {trainer.state.global_step} of {trainer.state.max_steps}."
            " The same command goes on."
        )
    return network, _standing(trainer.state, teller)


def _chosen(recipe: Recipe, rows: Sequence[Row], split: str) -> list[Row]:
    return [row for row in rows if row.split == split and row.kind == recipe.training.method]


def repeats_of(weights: Sequence[float]) -> list[int]:
    """How often each row is in the table that is shuffled, so that a part of it holds rows in proportion to their weights.

    TRL's losses know no weights of rows. Rows of one weight are there once.
    """
    if len(set(weights)) <= 1:
        return [1] * len(weights)
    return [max(1, round(_TENTHS * weight / max(weights))) for weight in weights]


def _table(recipe: Recipe, rows: Sequence[Row], template: Template, split: str) -> Table:
    chosen = _chosen(recipe, rows, split)
    if split == "train":
        repeats = repeats_of([row.weight for row in chosen])
        chosen = [row for row, times in zip(chosen, repeats, strict=True) for _ in range(times)]
    columns: dict[str, list[Any]] = {"prompt": [template.told(row) for row in chosen]}
    end = template.tokenizer.eos_token
    if recipe.training.method == "dpo":
        columns["chosen"] = [row.completion + end for row in chosen]
        columns["rejected"] = [f"{row.rejected}{end}" for row in chosen]
    else:
        columns["completion"] = [row.completion + end for row in chosen]
        columns["label"] = [bool(row.is_good) for row in chosen]
    return Table.from_dict(columns)


def _arguments(
    recipe: Recipe,
    tables: dict[str, Table],
    rows: int,
    folder: Path,
    precision: Precision,
    *,
    is_frugal: bool,
) -> Any:
    """`rows` are those to train on, however often the table repeats them."""
    training = recipe.training
    is_dpo = training.method == "dpo"
    batch = 1 if is_dpo else min(_KTO_BATCH, rows)
    if not is_dpo and batch < _KTO_BATCH:
        raise TrainingDataError(
            "KTO compares a row with others, and there is one alone. Collect more judgements."
        )
    gathered = max(training.rows_a_step // batch, 1)
    steps = math.ceil(math.ceil(rows / batch) / gathered * training.epochs)
    has_looks = len(tables["development"]) > 0
    common: dict[str, Any] = {
        "output_dir": str(folder),
        "per_device_train_batch_size": batch,
        "per_device_eval_batch_size": batch,
        "gradient_accumulation_steps": gathered,
        "num_train_epochs": training.epochs * rows / len(tables["train"]),
        "learning_rate": training.learning_rate,
        "lr_scheduler_type": "cosine",
        "warmup_steps": math.ceil(training.warm_up * steps),
        "weight_decay": training.weight_decay,
        "max_grad_norm": training.clip,
        "seed": recipe.seed,
        "data_seed": recipe.seed,
        "beta": training.beta,
        # TRL cuts by default; what is too long has been refused before.
        "max_length": None,
        "bf16": precision == "bfloat16",
        "use_cpu": not torch.cuda.is_available(),
        "gradient_checkpointing": is_frugal,
        "logging_steps": 1,
        "report_to": "none",
        "disable_tqdm": True,
        "dataloader_pin_memory": False,
        "save_strategy": "steps",
        # The best one can be kept only where it is looked at.
        "save_steps": training.evaluate_every if has_looks else training.checkpoint_every,
        "save_total_limit": 2,
        "eval_strategy": "steps" if has_looks else "no",
        "eval_steps": training.evaluate_every,
        "load_best_model_at_end": has_looks,
        "metric_for_best_model": "eval_loss" if has_looks else None,
        "greater_is_better": False if has_looks else None,
    }
    if is_dpo:
        return DPOConfig(**common)
    return KTOConfig(**common | _balance(tables["train"]["label"]))


def _balance(labels: Sequence[bool]) -> dict[str, Any]:
    """Weights under which the liked and the disliked count the same together (KTO, Ethayarajh et al. 2024, eq. 8)."""
    good = sum(labels)
    bad = len(labels) - good
    if not good or not bad:
        return {}
    return {"desirable_weight": min(1.0, bad / good), "undesirable_weight": min(1.0, good / bad)}


def _check_tokens(table: Any, template: Template) -> None:
    """What TRL learns is what a server reads and writes: it tokenizes by itself, so it is looked at."""
    for told in table:
        prompt = template.tokenizer(told["prompt"], add_special_tokens=False)["input_ids"]
        said = [told[name] for name in ("chosen_ids", "rejected_ids", "completion_ids") if name in told]
        if told["prompt_ids"] != prompt or any(one[-1] != template.end for one in said):
            raise TrainingDataError(
                "TRL reads a row with other tokens than a server does: this tokenizer joins the end of a prompt with the"
                f" beginning of an answer, or adds tokens. The row begins {told['prompt'][:60]!r}. Train by `method: sft`."
            )


def _last(folder: Path) -> Path | None:
    """The last checkpoint that is whole: transformers writes `trainer_state.json` when the rest is there."""
    found = [path for path in folder.glob("checkpoint-*") if (path / "trainer_state.json").exists()]
    return max(found, key=lambda path: int(path.name.rsplit("-")[-1]), default=None)


class _Teller(TrainerCallback):  # type: ignore[misc]
    """Writes the curves, looks at what is forgotten, and stops the training when it is asked to."""

    def __init__(
        self, network: Network, general: Lessons, path: Path, progress: Progress, asked: Any
    ) -> None:
        self._network, self._general, self.path = network, general, path
        self._progress, self._asked = progress, asked
        self._begun = 0.0
        with network.evaluating(is_base=True):
            self.base_general = -mean_loss(network, general)

    def forgetting(self) -> float:
        """How far the log probability of general text has fallen, relatively."""
        with self._network.evaluating():
            return (self.base_general + mean_loss(self._network, self._general)) / abs(self.base_general)

    def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Leave the points up to the checkpoint."""
        curves.cut(self.path, state.global_step)

    def on_step_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Take the time."""
        self._begun = time.perf_counter()

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Stop behind a checkpoint where it is asked."""
        if self._asked.is_set():
            control.should_save = control.should_training_stop = True

    def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, Any], **_: Any) -> None:
        """A point of the curves."""
        if "loss" in logs:
            check_loss(float(logs["loss"]), state.global_step)
        if "loss" not in logs and "eval_loss" not in logs:
            return
        moment = Moment(
            step=state.global_step,
            steps=state.max_steps,
            loss=logs.get("loss"),
            development=logs.get("eval_loss"),
            forgetting=self.forgetting() if "eval_loss" in logs else None,
            learning_rate=logs.get("learning_rate", 0.0),
            row_tokens=0,
            read_tokens=0,
            took_s=time.perf_counter() - self._begun,
        )
        curves.append(self.path, asdict(moment))
        self._progress(moment)


def _standing(state: Any, teller: _Teller) -> Standing:
    """Where it stands in the end; there is no look before the first step, since the loss of the base is log 2 or a half."""
    points = curves.read(teller.path)
    looks = [
        (point["step"], point["development"], point["forgetting"]) for point in points if point["development"]
    ]
    forgetting = teller.forgetting()
    best = state.best_global_step or state.global_step
    if not looks:
        looks = [(state.global_step, math.inf, forgetting)]
    return Standing(
        step=state.global_step,
        losses=[point["loss"] for point in points if point["loss"] is not None],
        looks=looks,
        best_step=best,
        best_loss=state.best_metric if state.best_metric is not None else math.inf,
        base_general=teller.base_general,
    )
