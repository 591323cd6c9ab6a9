"""What is refused before training, each with the fixture that has it."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from finetune.lora.memory import Shape, Way, need_of, shape_of
from finetune.lora.preflight import (
    check_memory,
    check_quantisation,
    check_rows,
    check_shape,
    check_splits,
    check_template,
)
from finetune.lora.recipe import Training
from finetune.lora.rows import Row
from finetune.lora.template import Encoded
from finetune.lora.train import train
from finetune.yaml_file import TrainingDataError
from tests.finetune.lora import tiny
from tests.finetune.lora.made import row

END = 2
GIB = 2**30
SHAPE = Shape(
    weights=134_515_008,
    layers=30,
    hidden=576,
    between=1536,
    key_values=192,
    vocabulary=49_152,
    positions=8_192,
    window=None,
    linear={"q_proj": ((576, 576),) * 30, "down_proj": ((1536, 576),) * 30, "lm_head": ((576, 49_152),)},
)


def training(**changes: Any) -> Training:
    return Training.model_validate({"modules": ["q_proj"], **changes})


TOLD = Encoded((5, 6), (7, END))


def pair(number: int = 0, told: Encoded = TOLD, **changes: Any) -> tuple[Row, Encoded]:
    return row(number, **changes), told


def test_rows_without_tokens_to_learn_are_refused() -> None:
    bad = pair(1, Encoded((5, 6), (END,)), completion="")
    with pytest.raises(TrainingDataError, match=rf"1 rows \({bad[0].id}\) have no tokens to learn"):
        check_rows([pair(), bad], training(), end=END)


def test_rows_that_are_too_long_are_named_and_never_cut() -> None:
    bad = [pair(number, Encoded((5,) * 60, (7, END))) for number in range(1, 8)]
    with pytest.raises(
        TrainingDataError, match="7 rows .* and 2 more.*longest of these 7 has 62 tokens.*fewer passages"
    ) as told:
        check_rows([pair(), *bad], training(max_tokens=61), end=END)
    assert bad[0][0].id in str(told.value)
    check_rows([pair(), *bad], training(max_tokens=62), end=END)


def test_an_end_token_outside_the_loss_is_refused() -> None:
    with pytest.raises(TrainingDataError, match="don't end with the end token, 2"):
        check_rows([pair(), pair(1, Encoded((5, 6), (7, 8)))], training(), end=END)


def test_a_tokenizer_without_an_end_is_refused() -> None:
    with pytest.raises(TrainingDataError, match="names no end token"):
        check_rows([pair()], training(), end=None)


def test_a_training_without_rows_is_refused() -> None:
    with pytest.raises(TrainingDataError, match="No row of the method 'sft'"):
        check_rows([pair(split="development")], training(), end=END)


def test_another_template_than_the_servers_is_refused() -> None:
    with pytest.raises(TrainingDataError, match="in 3 tokens.* reads 4; they differ from token 1 on"):
        check_template((1, 2, 3), (1, 9, 2, 3))
    with pytest.raises(TrainingDataError, match="from token 2 on"):
        check_template((1, 2, 3), (1, 2))
    check_template((1, 2, 3), (1, 2, 3))
    check_template((1, 2, 3), None)


@pytest.mark.parametrize(
    ("changes", "same"),
    [
        ({}, "group"),
        ({"document": "other.md"}, "prompt and completion"),
        ({"document": "other.md", "question": "Who?", "messages": ()}, "question and answer"),
    ],
)
def test_what_is_on_both_sides_of_the_split_is_refused(changes: dict[str, Any], same: str) -> None:
    learned = row(1, question="who? ")
    measured = replace(row(1, **changes), split="development")
    with pytest.raises(TrainingDataError, match=f"the same {same}"):
        check_splits([learned, measured])


def test_questions_that_nothing_answers_may_be_alike() -> None:
    one = row(1, question="Who?", is_answerable=False)
    other = row(
        2, question="Who?", is_answerable=False, completion=one.completion, document="b", split="development"
    )
    check_splits([one, other])


def test_modules_that_the_model_lacks_are_refused() -> None:
    with pytest.raises(TrainingDataError, match=r"\['c_attn'\]; it has \['down_proj'"):
        check_shape(SHAPE, training(modules=["q_proj", "c_attn"]))


def test_the_head_is_refused() -> None:
    with pytest.raises(TrainingDataError, match="lm_head"):
        check_shape(SHAPE, training(modules=["lm_head"]))


def test_rows_that_the_model_cannot_read_are_refused() -> None:
    with pytest.raises(TrainingDataError, match="16,384 and the base model reads 8,192"):
        check_shape(SHAPE, training(max_tokens=16_384))


def test_shared_prefixes_under_a_window_are_refused() -> None:
    shape = replace(SHAPE, window=1_024)
    with pytest.raises(TrainingDataError, match="share_prefixes: false"):
        check_shape(shape, training())
    check_shape(shape, training(share_prefixes=False))


def test_four_bits_without_their_library_or_a_gpu_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    quantised = training(quantise="4bit")
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(TrainingDataError, match="pip install bitsandbytes"):
        check_quantisation(quantised, has_gpu=True)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: object())
    with pytest.raises(TrainingDataError, match="needs a GPU"):
        check_quantisation(quantised, has_gpu=False)
    check_quantisation(quantised, has_gpu=True)


def test_too_little_memory_is_refused_with_the_arithmetic() -> None:
    need = need_of(SHAPE, training(rank=32), "float32", tokens=1_300, learned=200)
    with pytest.raises(TrainingDataError) as told:
        check_memory(need, 1 * GIB)
    message = str(told.value)
    assert "1.0 GiB are free" in message
    assert "0.50 GiB for 134,515,008 weights of 4 bytes" in message
    # 32 x (576 + 576) x 30 layers.
    assert "1,105,920 weights of the adapter" in message
    assert "1,300 tokens, 30 layers" in message
    parts = [float(part.split(" GiB for ")[0].split()[-1]) for part in message.split(" + ")]
    assert sum(parts) == pytest.approx(need.total("frugal") / GIB, abs=0.03)


def test_the_quickest_way_that_fits_is_taken() -> None:
    need = need_of(SHAPE, training(), "float32", tokens=1_300, learned=200)
    assert check_memory(need, need.total("quick")) == "quick"
    assert check_memory(need, need.total("quick") - 1) == "tight"
    assert check_memory(need, need.total("tight") - 1) == "frugal"
    assert check_memory(need, need.total("frugal")) == "frugal"


@pytest.mark.parametrize("way", ["quick", "tight", "frugal"])
def test_longer_groups_and_wider_types_take_more(way: Way) -> None:
    total = need_of(SHAPE, training(), "bfloat16", tokens=1_000, learned=100).total(way)
    assert need_of(SHAPE, training(), "float32", tokens=1_000, learned=100).total(way) > total
    assert need_of(SHAPE, training(), "bfloat16", tokens=2_000, learned=100).total(way) > total
    assert need_of(SHAPE, training(rank=256), "bfloat16", tokens=1_000, learned=100).total(way) > total


@pytest.mark.models
def test_a_shape_is_that_of_the_model(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    from finetune.lora.network import load_network

    base = tiny.base(tmp_path / "base")
    shape = shape_of(base)
    recipe = tiny.recipe(base)
    network = load_network(recipe, base, "float32")
    assert shape.adapter(recipe.training) == sum(weight.numel() for weight in network.weights)
    assert (shape.layers, shape.hidden, shape.between, shape.key_values) == (2, 64, 128, 32)
    total = sum(weight.numel() for name, weight in network.model.named_parameters() if "lora_" not in name)
    assert shape.weights == total


@pytest.mark.models
@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"modules": ["q_proj", "wrong"]}, "no linear layers"),
        ({"max_tokens": 40}, "are longer than"),
        ({"quantise": "4bit", "precision": "auto"}, "4bit"),
        ({"method": "dpo"}, "No row of the method 'dpo'"),
    ],
)
def test_training_refuses_before_it_begins(tmp_path: Path, changes: dict[str, Any], says: str) -> None:
    pytest.importorskip("torch")
    base = tiny.base(tmp_path / "base")
    with pytest.raises(TrainingDataError, match=says):
        train(
            tiny.recipe(base, **changes),
            tiny.dataset(tmp_path / "d"),
            base,
            tmp_path / "run",
            progress=lambda moment: pytest.fail("a step was made"),
        )
    assert not (tmp_path / "run" / "curves.jsonl").exists()
