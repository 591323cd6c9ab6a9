"""What a vLLM can't serve, found before it is told to: of a bad adapter it says 500, or nothing at all."""

import json
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from finetune.lora.registry import CONFIG, WEIGHTS, Adapter
from finetune.yaml_file import TrainingDataError

_HEADER_BYTES = 100_000_000
_TYPES: dict[str, tuple[Any, int]] = {"F32": (np.float32, 4), "F16": (np.float16, 2), "BF16": (np.uint16, 2)}
# All ones here is infinity, or no number.
_EXPONENT = 0x7F80
# What of PEFT's configuration a vLLM refuses or leaves out.
_REFUSED = {
    "use_dora": "DoRA",
    "modules_to_save": "modules that are saved whole",
    "lora_bias": "a bias of its own",
    "trainable_token_indices": "trained tokens",
    "layer_replication": "repeated layers",
    "use_qalora": "QA-LoRA",
    "alora_invocation_tokens": "an invocation",
    "megatron_config": "Megatron's layers",
}
# Starts that leave the base as it is.
_PLAIN_STARTS = ("gaussian", "eva", "orthogonal")
_MERGE = "Train it without, or serve the merged model (`touchstone finetune merge RECIPE`)."


def check_servable(adapter: Adapter, *, max_rank: int) -> None:
    """Raise `TrainingDataError` for what a vLLM that takes ranks up to `max_rank` can't serve: the value and the remedy."""
    config = json.loads((adapter.folder / CONFIG).read_text("utf-8"))
    for key, name in _REFUSED.items():
        if config.get(key):
            raise TrainingDataError(
                f"{adapter.name!r} has {name} ({key}: {config[key]!r}): no vLLM serves that. {_MERGE}"
            )
    if config.get("bias", "none") != "none":
        raise TrainingDataError(
            f"{adapter.name!r} trains biases ({config['bias']!r}): no vLLM serves that. {_MERGE}"
        )
    start = config.get("init_lora_weights", True)
    if isinstance(start, str) and start.lower() not in _PLAIN_STARTS:
        raise TrainingDataError(
            f"{adapter.name!r} began with {start!r}, which changes the base: served on the plain base it is another model."
            f" {_MERGE}"
        )
    ranks = {int(config["r"]), *map(int, (config.get("rank_pattern") or {}).values())}
    if max(ranks) > max_rank:
        raise TrainingDataError(
            f"{adapter.name!r} has the rank {max(ranks)}, and the server takes {max_rank}. Start it with --max-lora-rank"
            f" {max(ranks)} and set `publication.max_rank`, or train with a smaller `training.rank`."
        )
    _check_weights(adapter, ranks)


def _check_weights(adapter: Adapter, ranks: set[int]) -> None:
    path = adapter.folder / WEIGHTS
    header, data = _read(path)
    if not header:
        raise TrainingDataError(f"{str(path)!r} holds no weights. Train it again.")
    for name, told in header.items():
        pair = name.replace("lora_A", "lora_B") if "lora_A" in name else name.replace("lora_B", "lora_A")
        if not name.endswith((".lora_A.weight", ".lora_B.weight")) or pair not in header:
            raise TrainingDataError(
                f"{str(path)!r} holds {name!r}, which is no pair of LoRA matrices. {_MERGE}"
            )
        rank = told["shape"][0 if "lora_A" in name else 1]
        if rank not in ranks:
            raise TrainingDataError(
                f"{name!r} in {str(path)!r} has the rank {rank}, and its configuration says {sorted(ranks)}. Train it again."
            )
        if not _is_finite(told, data):
            raise TrainingDataError(f"{name!r} in {str(path)!r} holds what is no number. Train it again.")


def _read(path: Path) -> tuple[dict[str, Any], bytes]:
    """The tensors that a safetensors file describes, and its data. Raises `TrainingDataError` for a broken file."""
    raw = path.read_bytes()
    try:
        (length,) = struct.unpack("<Q", raw[:8])
        if length > min(_HEADER_BYTES, len(raw) - 8):
            raise ValueError("its header is longer than the file")
        header = json.loads(raw[8 : 8 + length])
        header.pop("__metadata__", None)
        data = raw[8 + length :]
        if max((told["data_offsets"][1] for told in header.values()), default=0) != len(data):
            raise ValueError("it was cut off")
        for told in header.values():
            begin, end = told["data_offsets"]
            if len(told["shape"]) != 2 or end - begin != _TYPES[told["dtype"]][1] * int(
                np.prod(told["shape"])
            ):
                raise ValueError("a tensor has another size than it says")
    except (struct.error, ValueError, KeyError, TypeError, AttributeError, IndexError) as exc:
        raise TrainingDataError(f"{str(path)!r} is broken: {exc}. Train it again.") from exc
    return header, data


def _is_finite(told: Mapping[str, Any], data: bytes) -> bool:
    begin, end = told["data_offsets"]
    values = np.frombuffer(data[begin:end], _TYPES[told["dtype"]][0])
    if told["dtype"] == "BF16":
        return not bool(((values & _EXPONENT) == _EXPONENT).any())
    return bool(np.isfinite(values).all())
