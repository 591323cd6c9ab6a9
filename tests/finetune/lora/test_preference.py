"""DPO and KTO: the better answer becomes likelier than the worse one, and nothing is cut."""

import os
import signal
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from finetune.lora import curves
from finetune.lora.recipe import Recipe
from finetune.lora.rows import Row
from finetune.lora.train import Trained, train
from finetune.yaml_file import TrainingDataError
from tests.finetune.lora import tiny
from tests.finetune.lora.made import row

pytest.importorskip("torch")
pytest.importorskip("trl")
from finetune.lora.loop import CURVES, Moment, TrainingStopped

# TRL warns of what its own versions will bring.
pytestmark = [pytest.mark.models, pytest.mark.filterwarnings("ignore")]
GOOD, BAD = "It takes five days. [1]", "I don't care, ask others."


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.base(tmp_path_factory.mktemp("tiny") / "base")


def judged(kind: str, count: int = 12) -> list[Row]:
    made = []
    for number in range(count):
        changes: dict[str, Any] = {
            "document": f"d{number}",
            "split": "development" if number % 4 == 3 else "train",
        }
        if kind == "dpo":
            made.append(row(number, kind="dpo", completion=GOOD, rejected=BAD, **changes))
        else:
            is_good = number % 2 == 0
            made.append(
                row(number, kind="kto", completion=GOOD if is_good else BAD, is_good=is_good, **changes)
            )
    return made


def recipe(base: Path, method: str, **training: Any) -> Recipe:
    return tiny.recipe(base, method=method, rows_a_step=4, **training)


def run(made: list[Row], recipe: Recipe, base: Path, folder: Path, stop_at: int | None = None) -> Trained:
    def progress(moment: Moment) -> None:
        if moment.step == stop_at and moment.loss is not None:
            os.kill(os.getpid(), signal.SIGTERM)

    rows = tiny.dataset(folder.parent / f"{folder.name}-rows", made)
    return train(recipe, rows, base, folder, progress=progress)


def margin(base: Path, trained: Trained) -> float:
    """Log probability of the better answer less that of the worse one, a token, under the adapter."""
    import torch
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    from finetune.lora.batches import groups_of, layout_of
    from finetune.lora.network import Network
    from finetune.lora.template import Template

    plain = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32)
    network = Network(PeftModel.from_pretrained(plain, trained.adapter_folder), "float32")
    template = Template(base)
    told = [template.encode(row(99), said) for said in (GOOD, BAD)]
    groups = groups_of(told, max_tokens=500, max_rows=1)
    values = []
    for is_base in (True, False):
        with network.evaluating(is_base=is_base):
            found = {group.rows[0]: float(network.losses(layout_of(group, told))[0]) for group in groups}
        values.append(found[1] - found[0])
    return values[1] - values[0]


@pytest.mark.parametrize("method", ["dpo", "kto"])
def test_the_better_answer_becomes_likelier(base: Path, tmp_path: Path, method: str) -> None:
    trained = run(judged(method), recipe(base, method, epochs=6), base, tmp_path / "run")
    assert margin(base, trained) > 0.05
    assert trained.looks[0][1] is not None
    assert trained.best_loss is not None
    assert trained.best_loss < trained.looks[0][1]
    assert trained.best_loss == min(loss for _, loss, _ in trained.looks if loss is not None)
    points = curves.read(tmp_path / "run" / CURVES)
    assert [point["step"] for point in points if point["loss"] is not None] == list(
        range(1, trained.steps + 1)
    )
    assert (tmp_path / "run" / "curves.png").exists()


def test_it_learns_in_bfloat16_too(base: Path, tmp_path: Path) -> None:
    trained = run(judged("dpo"), recipe(base, "dpo", epochs=6, precision="bfloat16"), base, tmp_path / "run")
    assert margin(base, trained) > 0.05
    assert trained.precision == "bfloat16"


@pytest.mark.parametrize("method", ["dpo", "kto"])
def test_the_same_rows_give_the_same_bytes(base: Path, tmp_path: Path, method: str) -> None:
    one, other = (
        run(judged(method), recipe(base, method, epochs=1), base, tmp_path / name)
        for name in ("one", "other")
    )
    assert one.digest == other.digest


def test_a_stopped_training_goes_on_as_if_it_had_not_been(base: Path, tmp_path: Path) -> None:
    wanted = run(judged("dpo"), recipe(base, "dpo", epochs=3), base, tmp_path / "whole")
    with pytest.raises(TrainingStopped, match="The same command goes on"):
        run(judged("dpo"), recipe(base, "dpo", epochs=3), base, tmp_path / "run", stop_at=3)
    found = run(judged("dpo"), recipe(base, "dpo", epochs=3), base, tmp_path / "run")
    assert found.digest == wanted.digest
    assert found.losses == pytest.approx(wanted.losses)


def test_a_judgement_counts_by_its_weight(base: Path, tmp_path: Path) -> None:
    from finetune.lora.preference import repeats_of

    assert repeats_of([0.7, 0.7]) == [1, 1]
    assert repeats_of([1.0, 0.7, 0.01]) == [10, 7, 1]
    made = [replace(one, split="train") for one in judged("kto")]
    # Who likes the worse answer counts for little.
    odd = [
        row(
            100 + n,
            kind="kto",
            completion=GOOD if n % 2 else BAD,
            is_good=n % 2 == 0,
            weight=0.1,
            document=f"o{n}",
            split="train",
        )
        for n in range(8)
    ]
    equal = [replace(one, weight=1.0) for one in odd]
    plan = recipe(base, "kto", epochs=6)
    weighed, unweighed = (
        run([*made, *others], plan, base, tmp_path / name)
        for name, others in (("weighed", odd), ("same", equal))
    )
    assert weighed.steps == unweighed.steps
    assert margin(base, weighed) > max(0.05, margin(base, unweighed))


def test_a_worse_answer_that_is_too_long_is_refused(base: Path, tmp_path: Path) -> None:
    made = [
        row(1, kind="dpo", completion=GOOD, rejected=BAD * 30),
        row(2, kind="dpo", completion=GOOD, rejected=BAD),
    ]
    with pytest.raises(TrainingDataError, match="1 rows .* are longer than"):
        run(made, recipe(base, "dpo", max_tokens=200), base, tmp_path / "run")


def test_a_judgement_alone_is_refused(base: Path, tmp_path: Path) -> None:
    with pytest.raises(TrainingDataError, match="Collect more judgements"):
        run(judged("kto")[:1], recipe(base, "kto"), base, tmp_path / "run")
