"""Adapters without a network: files as PEFT writes them, a recipe, a dataset, and what becomes of them in the registry."""

import json
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from finetune.lora.recipe import Recipe
from finetune.lora.registry import Adapter, Lineage, register
from finetune.lora.rows import Dataset, Row, Source, write_dataset

BASE = "b" * 64
RANK = 4


def recipe(**changes: Any) -> Recipe:
    raw: dict[str, Any] = {
        "name": "shop",
        "assistant": "support",
        "base": {"path": "var/none", "served_as": "small", "licence": "Apache-2.0"},
        **changes,
    }
    return Recipe.model_validate(raw)


def row(number: int, *, document: str = "orders.md", **changes: Any) -> Row:
    source = Source("document", document, "d" * 8, "Larkmoor", "internal")
    values: dict[str, Any] = {
        "kind": "sft",
        "group": document,
        "messages": ({"role": "user", "content": f"Question {number}?"},),
        "completion": f"Answer {number}. [1]",
        "sources": (source,),
        **changes,
    }
    return Row(**values)


def dataset(state: Path, rows: list[Row] | None = None) -> Dataset:
    rows = [row(1), row(2, is_answerable=False), row(3, document="other.md")] if rows is None else rows
    return write_dataset(state / "datasets", rows, name="shop-rows", licence="internal", facts={})


def tensors(rank: int = RANK, *, value: float = 0.5) -> dict[str, np.ndarray[Any, Any]]:
    prefix = "base_model.model.model.layers.0.self_attn.q_proj"
    return {
        f"{prefix}.lora_A.weight": np.full((rank, 8), value, np.float32),
        f"{prefix}.lora_B.weight": np.full((16, rank), value, np.float32),
    }


def safetensors(arrays: Mapping[str, np.ndarray[Any, Any]]) -> bytes:
    header: dict[str, Any] = {}
    data = b""
    for name, array in arrays.items():
        kind = {"float32": "F32", "float16": "F16", "uint16": "BF16"}[array.dtype.name]
        header[name] = {
            "dtype": kind,
            "shape": list(array.shape),
            "data_offsets": [len(data), len(data) + array.nbytes],
        }
        data += array.tobytes()
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


def trained(folder: Path, *, rank: int = RANK, weights: bytes | None = None, **config: Any) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "adapter_model.safetensors").write_bytes(weights or safetensors(tensors(rank)))
    described = {
        "peft_type": "LORA",
        "r": rank,
        "lora_alpha": 2 * rank,
        "target_modules": ["v_proj", "q_proj"],
        "base_model_name_or_path": str(folder),
        "bias": "none",
        **config,
    }
    (folder / "adapter_config.json").write_text(json.dumps(described))
    return folder


def registered(
    state: Path, *, own: Recipe | None = None, rows: list[Row] | None = None, **files: Any
) -> Adapter:
    """`state` is the recipe's folder."""
    training = {"steps": 120, "best_loss": 0.2, "forgetting": 0.01}
    lineage = Lineage(own or recipe(), dataset(state, rows), BASE, training)
    return register(state / "adapters", trained(state / "trained", **files), lineage)
