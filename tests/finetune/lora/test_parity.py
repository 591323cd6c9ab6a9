"""What was trained is what is merged: the same tokens, scored by PEFT and by the merged model."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from finetune.lora.merge import merge
from finetune.lora.parity import Gap, Line, Parity, choose, gap_of, lines_of, measure_parity, score_model
from finetune.lora.template import Encoded
from finetune.yaml_file import TrainingDataError
from tests.finetune.lora.small_model import sequences, write_adapter, write_base

# PEFT asks transformers for a name that it gives up.
pytestmark = pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing`:FutureWarning")
NOISE, SAME = Gap(0.02, 0.99), Gap(0.019, 0.995)


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    pytest.importorskip("peft")
    folder = tmp_path_factory.mktemp("parity")
    # Of random weights the two likeliest tokens are often as likely: in bfloat16 even the base finds others than itself.
    base = write_base(folder / "base", dtype="float32")
    return base, write_adapter(folder / "adapter", base)


@pytest.mark.models
def test_in_float32_the_merged_model_is_the_adapter(folders: tuple[Path, Path], tmp_path: Path) -> None:
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    base, adapter = folders
    merge(base, adapter, tmp_path / "merged")
    lines = lines_of(sequences())
    peft = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(base), adapter)
    merged = AutoModelForCausalLM.from_pretrained(tmp_path / "merged")
    one, other = score_model(peft, lines), score_model(merged, lines)
    assert len(one.log_probs) == 14 * len(sequences()[0].completion)
    assert np.allclose(one.log_probs, other.log_probs, atol=1e-4)
    assert gap_of(one, other).top1 == 1


@pytest.mark.models
def test_a_merged_model_that_is_the_adapter_has_no_fault(folders: tuple[Path, Path], tmp_path: Path) -> None:
    base, adapter = folders
    merge(base, adapter, tmp_path / "merged")
    found = measure_parity(base, adapter, sequences(), merged=tmp_path / "merged")
    assert found.tokens >= 500
    assert found.merged is not None
    assert found.faults() == []
    assert found.merged.mean < found.noise.mean / 100
    assert found.differs_from_base


@pytest.mark.models
def test_a_corrupted_merge_is_found(folders: tuple[Path, Path], tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    base, adapter = folders
    merge(base, adapter, tmp_path / "merged")
    path = tmp_path / "merged/model.safetensors"
    weights = load_file(path)
    weights["model.layers.1.self_attn.v_proj.weight"] *= 1.1
    save_file(weights, path, metadata={"format": "pt"})
    found = measure_parity(base, adapter, sequences(), merged=tmp_path / "merged")
    assert "log probabilities of the merged model" in found.faults()[0]


@pytest.mark.models
def test_an_adapter_that_does_nothing_is_found(folders: tuple[Path, Path], tmp_path: Path) -> None:
    base, _ = folders
    nothing = write_adapter(tmp_path / "nothing", base, size=0)
    found = measure_parity(base, nothing, sequences())
    assert found.difference == Gap(0.0, 1.0)
    assert not found.differs_from_base


@pytest.mark.models
def test_an_adapter_of_another_shape_is_refused(folders: tuple[Path, Path], tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    base, adapter = folders
    other = shutil.copytree(adapter, tmp_path / "other")
    weights = {
        name: one[:, :-1].contiguous() for name, one in load_file(other / "adapter_model.safetensors").items()
    }
    save_file(weights, other / "adapter_model.safetensors")
    with pytest.raises(TrainingDataError, match="doesn't fit the base"):
        measure_parity(base, other, sequences())


@pytest.mark.parametrize(
    ("gap", "said"),
    [
        (Gap(0.031, 0.99), "more than 1.5 times"),
        (Gap(0.01, 0.97), "same likeliest token"),
        (Gap(float("nan"), 0.99), "more than 1.5 times"),
    ],
)
def test_limits_are_those_of_the_base_s_own_noise(gap: Gap, said: str) -> None:
    assert Parity(600, NOISE, Gap(0.3, 0.8), merged=SAME, server=SAME).faults() == []
    (fault,) = Parity(600, NOISE, Gap(0.3, 0.8), merged=SAME, server=gap).faults()
    assert said in fault
    assert "the server" in fault


def test_too_few_tokens_are_a_fault_and_too_few_rows_are_refused() -> None:
    assert Parity(499, NOISE, Gap(0.3, 0.8)).faults() == ["only 499 tokens were scored"]
    with pytest.raises(TrainingDataError, match="500 tokens of answers, and 2 rows hold fewer"):
        choose([Encoded((1, 2), (3, 4)), Encoded((1, 2), (5, 4))])


def test_lines_are_spread_and_answers_alone_are_scored() -> None:
    rows = sequences(100)
    lines = choose(rows)
    assert len(lines) == 13, "500 tokens of answers with 40 each"
    assert lines == [lines_of([rows[i * 100 // 13]])[0] for i in range(13)]
    assert [len(line.places) for line in lines] == [40] * 13


def test_what_rows_have_in_common_is_read_once() -> None:
    one, other, alone = (
        Encoded((1, 2, 3, 4), (5, 6)),
        Encoded((1, 2, 3, 7), (8, 6)),
        Encoded((1, 9, 9, 9), (6,)),
    )
    assert lines_of([one, other, alone]) == [
        Line((1, 2, 3, 4, 5, 6, 7, 8, 6), (4, 5, 7, 8)),
        Line((1, 9, 9, 9, 6), (4,)),
    ]
    assert lines_of([Encoded((), (4, 9))]) == [Line((4, 9), (1,))], "the first token follows nothing"


@pytest.mark.models
def test_a_line_scores_what_each_place_follows(folders: tuple[Path, Path]) -> None:
    """A line of several rows is scored as the network reads it: the same as its tokens without any line."""
    import torch
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(folders[0])
    line = lines_of([Encoded((1, 2, 3, 4), (5, 6)), Encoded((1, 2, 3, 7), (8, 6))])[0]
    with torch.inference_mode():
        every = model(torch.tensor([line.tokens])).logits[0].log_softmax(-1)
    wanted = [float(every[place - 1, line.tokens[place]]) for place in line.places]
    assert np.allclose(score_model(model, [line]).log_probs, wanted, atol=1e-5)
