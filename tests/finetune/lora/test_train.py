"""A training: the same bytes every time, whatever interrupts it, and it learns what the rows say."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from finetune.lora import curves
from finetune.lora.recipe import Recipe
from finetune.lora.rows import Dataset
from finetune.lora.train import CONFIG, WEIGHTS, Trained, train
from finetune.yaml_file import TrainingDataError
from tests.conftest import ROOT
from tests.finetune.lora import tiny

pytest.importorskip("torch")
pytest.importorskip("peft")
from finetune.lora import checkpoint
from finetune.lora.loop import CHECKPOINTS, CURVES, Moment, TrainingStopped, check_loss, rate

pytestmark = pytest.mark.models


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.base(tmp_path_factory.mktemp("tiny") / "base")


@pytest.fixture
def rows(tmp_path: Path) -> Dataset:
    return tiny.dataset(tmp_path / "datasets")


def run(recipe: Recipe, rows: Dataset, base: Path, folder: Path, stop_at: int | None = None) -> Trained:
    def progress(moment: Moment) -> None:
        if moment.step == stop_at:
            os.kill(os.getpid(), signal.SIGTERM)

    return train(recipe, rows, base, folder, progress=progress)


def test_it_learns_and_keeps_the_best(base: Path, rows: Dataset, tmp_path: Path) -> None:
    trained = run(tiny.recipe(base, epochs=10), rows, base, tmp_path / "run")
    assert trained.steps == len(trained.losses) == 20
    assert trained.losses[-1] < 0.5 * trained.losses[0]
    assert trained.best_loss is not None
    assert trained.base_loss == trained.looks[0][1]
    assert trained.best_loss == min(loss for _, loss, _ in trained.looks if loss is not None)
    assert trained.best_loss < trained.base_loss
    assert trained.forgetting == dict((step, fall) for step, _, fall in trained.looks)[trained.best_step]
    assert trained.looks[0][2] == 0


def test_it_learns_in_bfloat16_too(base: Path, rows: Dataset, tmp_path: Path) -> None:
    trained = run(tiny.recipe(base, epochs=10, precision="bfloat16"), rows, base, tmp_path / "run")
    assert trained.losses[-1] < 0.5 * trained.losses[0]
    assert trained.precision == "bfloat16"


@pytest.mark.filterwarnings("ignore::FutureWarning")  # PEFT asks transformers for old names
def test_the_adapter_is_one_that_peft_reads(base: Path, rows: Dataset, tmp_path: Path) -> None:
    import torch
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    trained = run(tiny.recipe(base, epochs=4), rows, base, tmp_path / "run")
    config = json.loads((trained.adapter_folder / CONFIG).read_text())
    assert config["base_model_name_or_path"] == "small"
    assert config["lora_alpha"] == 8
    plain = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32)
    ids = torch.arange(5, 25)[None]
    before = plain(ids).logits
    model = PeftModel.from_pretrained(plain, trained.adapter_folder)
    assert float((model(ids).logits - before).detach().abs().max()) > 0.01


def test_the_same_recipe_and_rows_give_the_same_bytes(base: Path, rows: Dataset, tmp_path: Path) -> None:
    recipe = tiny.recipe(base, epochs=2, dropout=0.1)
    one, other = (run(recipe, rows, base, tmp_path / name) for name in ("one", "other"))
    for name in (WEIGHTS, CONFIG):
        assert (one.adapter_folder / name).read_bytes() == (other.adapter_folder / name).read_bytes()
    assert one.losses == other.losses
    seeded = run(recipe.model_copy(update={"seed": 8}), rows, base, tmp_path / "seeded")
    assert seeded.digest != one.digest


def test_an_unshared_training_has_the_losses_of_a_shared_one(
    base: Path, rows: Dataset, tmp_path: Path
) -> None:
    losses = []
    for is_shared in (True, False):
        # One step an epoch holds all rows, whatever their order.
        recipe = tiny.recipe(base, epochs=3, rows_a_step=12, share_prefixes=is_shared)
        losses.append(run(recipe, rows, base, tmp_path / str(is_shared)).losses)
    assert losses[0] == pytest.approx(losses[1], abs=1e-4)


def test_a_stopped_training_goes_on_as_if_it_had_not_been(base: Path, rows: Dataset, tmp_path: Path) -> None:
    recipe = tiny.recipe(base, epochs=3, dropout=0.1, checkpoint_every=50)
    whole = run(recipe, rows, base, tmp_path / "whole")
    folder = tmp_path / "stopped"
    with pytest.raises(TrainingStopped, match="step 3 of 6"):
        run(recipe, rows, base, folder, stop_at=3)
    assert checkpoint.latest(folder / CHECKPOINTS)["standing"]["step"] == 3
    assert run(recipe, rows, base, folder) == Trained(
        **{**{name: getattr(whole, name) for name in Trained.__slots__}, "adapter_folder": folder / "adapter"}
    )


def test_a_finished_training_is_not_done_again(base: Path, rows: Dataset, tmp_path: Path) -> None:
    recipe = tiny.recipe(base, epochs=1)
    first = run(recipe, rows, base, tmp_path / "run")
    moments: list[Moment] = []
    assert train(recipe, rows, base, tmp_path / "run", progress=moments.append) == first
    assert moments == []


def test_a_lost_adapter_is_written_again(base: Path, rows: Dataset, tmp_path: Path) -> None:
    recipe = tiny.recipe(base, epochs=1)
    first = run(recipe, rows, base, tmp_path / "run")
    (first.adapter_folder / WEIGHTS).write_bytes(b"torn")
    assert run(recipe, rows, base, tmp_path / "run") == first


def test_early_stopping_ends_it(base: Path, rows: Dataset, tmp_path: Path) -> None:
    recipe = tiny.recipe(base, epochs=60, patience=1, evaluate_every=1, learning_rate=0.05)
    trained = run(recipe, rows, base, tmp_path / "run")
    assert trained.steps < 120
    assert trained.best_step == trained.steps - 1


def test_without_development_rows_the_last_step_is_the_best(base: Path, tmp_path: Path) -> None:
    made = [row for row in tiny.rows() if row.split == "train"]
    trained = run(tiny.recipe(base, epochs=2), tiny.dataset(tmp_path / "d", made), base, tmp_path / "run")
    assert (trained.best_step, trained.best_loss, trained.base_loss) == (trained.steps, None, None)


def test_text_is_learned_in_pieces_that_fit(base: Path, tmp_path: Path) -> None:
    made = [row for row in tiny.rows(kind="text") if row.split == "train"]
    text = [
        type(row)("text", row.group, (), f"{row.completion} " * 8 + str(number), row.sources)
        for number, row in enumerate(made)
    ]
    recipe = tiny.recipe(base, method="text", max_tokens=64, epochs=4)
    trained = run(recipe, tiny.dataset(tmp_path / "d", text), base, tmp_path / "run")
    assert trained.losses[-1] < trained.losses[0]
    lengths = {point["row_tokens"] for point in curves.read(tmp_path / "run" / CURVES)}
    assert max(lengths) <= 64 * recipe.training.rows_a_step


def test_another_recipe_is_refused_the_folder(base: Path, rows: Dataset, tmp_path: Path) -> None:
    with pytest.raises(TrainingStopped):
        run(tiny.recipe(base, epochs=3), rows, base, tmp_path / "run", stop_at=2)
    with pytest.raises(TrainingDataError, match="holds another training"):
        run(tiny.recipe(base, epochs=3, rank=2), rows, base, tmp_path / "run")


def test_a_second_process_is_refused_with_the_first_ones_number(
    base: Path, rows: Dataset, tmp_path: Path
) -> None:
    with (
        checkpoint.alone(tmp_path / "run"),
        pytest.raises(TrainingDataError, match=f"Process {os.getpid()} "),
    ):
        run(tiny.recipe(base), rows, base, tmp_path / "run")


def test_a_loss_that_is_no_number_stops_it(base: Path, rows: Dataset, tmp_path: Path) -> None:
    with pytest.raises(TrainingDataError, match="learning_rate"):
        run(tiny.recipe(base, learning_rate=1e30, epochs=4), rows, base, tmp_path / "run")


def test_a_loss_of_exactly_zero_stops_it() -> None:
    with pytest.raises(TrainingDataError, match="exactly 0"):
        check_loss(0.0, 3)


def test_the_rate_goes_up_and_then_down(base: Path) -> None:
    training = tiny.recipe(base, learning_rate=1.0, warm_up=0.1).training
    rates = [rate(training, step, 40) for step in range(1, 41)]
    assert rates[:5] == [0.25, 0.5, 0.75, 1.0, 1.0]
    assert all(one >= other for one, other in zip(rates[4:], rates[5:], strict=False))
    assert 0 < rates[-1] < 0.01


def test_a_damaged_checkpoint_is_passed_over(tmp_path: Path) -> None:
    for step in (1, 2, 3):
        checkpoint.save(tmp_path, step, {"step": step})
    kept = sorted(path.name for path in tmp_path.iterdir())
    assert kept == ["step-00000002.pt", "step-00000003.pt"]
    (tmp_path / kept[-1]).write_bytes((tmp_path / kept[-1]).read_bytes()[:100])
    assert checkpoint.latest(tmp_path) == {"step": 2}


def started(*arguments: Any) -> "subprocess.Popen[str]":
    command = [sys.executable, "-W", "ignore", "-m", "tests.finetune.lora.train_tiny", *map(str, arguments)]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)


@pytest.mark.slow
def test_a_training_that_is_killed_ten_times_ends_as_an_uninterrupted_one(
    base: Path, rows: Dataset, tmp_path: Path
) -> None:
    from safetensors.numpy import load_file

    folder, dice = tmp_path / "killed", random.Random(4)
    whole = started(base, rows.artifact.folder, tmp_path / "whole", 40)
    assert whole.communicate(timeout=300)[0]
    steps: list[int] = []
    for _ in range(10):
        process = started(base, rows.artifact.folder, folder, 40)
        assert process.stdout is not None
        seen = [int(process.stdout.readline()) for _ in range(dice.randint(2, 9))]
        time.sleep(dice.random() * 0.06)
        process.kill()
        process.communicate(timeout=30)
        # At most the steps since the last checkpoint are lost.
        assert not steps or seen[0] > steps[-1] - 3
        steps.append(seen[-1])
    assert started(base, rows.artifact.folder, folder, 40).communicate(timeout=300)[0]
    wanted, found = (load_file(tmp_path / name / "adapter" / WEIGHTS) for name in ("whole", "killed"))
    assert max(float(abs(wanted[name] - found[name]).max()) for name in wanted) <= 1e-6
    ours, theirs = (curves.read(tmp_path / name / CURVES) for name in ("whole", "killed"))
    assert [(one["step"], one["loss"], one["development"]) for one in ours] == [
        (one["step"], one["loss"], one["development"]) for one in theirs
    ]
