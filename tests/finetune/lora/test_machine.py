"""What a machine computes with, by what it says of itself."""

from pathlib import Path

import pytest

from finetune.lora import machine

pytest.importorskip("torch")
pytestmark = pytest.mark.models


@pytest.mark.parametrize(
    ("flags", "precision"),
    [
        ("fpu avx512f amx_bf16", "bfloat16"),
        ("fpu avx512_bf16", "bfloat16"),
        ("fpu avx512f", "float32"),
        ("", "float32"),
        (None, "float32"),
    ],
)
def test_auto_takes_bfloat16_where_the_processor_computes_in_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, flags: str | None, precision: str
) -> None:
    import torch

    if torch.cuda.is_available():
        pytest.skip("a GPU decides by itself")
    if flags is not None:
        (tmp_path / "cpuinfo").write_text(f"processor: 0\nflags\t\t: {flags}\n")
    monkeypatch.setattr(machine, "_PROCESSOR", tmp_path / "cpuinfo")
    assert machine.precision_of("auto") == precision
    assert machine.precision_of("float32") == "float32"


def test_a_container_s_limit_is_no_more_than_the_machine_s_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    free = machine.free_bytes()
    (tmp_path / "max").write_text(str(300 * 2**20))
    (tmp_path / "current").write_text(str(100 * 2**20))
    monkeypatch.setattr(machine, "_LIMIT", tmp_path / "max")
    monkeypatch.setattr(machine, "_USED", tmp_path / "current")
    assert machine.free_bytes() == min(free, 200 * 2**20)
    (tmp_path / "max").write_text("max")
    assert machine.free_bytes() > 200 * 2**20


def test_a_training_leaves_torch_as_it_found_it() -> None:
    import torch

    before = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    with machine.steady(1, 7):
        assert torch.get_num_threads() == 1
        assert torch.are_deterministic_algorithms_enabled()
        one = torch.rand(3)
    assert (torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()) == before
    with machine.steady(1, 7):
        assert torch.equal(one, torch.rand(3))
