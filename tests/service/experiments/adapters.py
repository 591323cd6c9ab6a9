"""Makes a LoRA adapter with random weights, for the environment of vLLM: `python adapters.py MODEL FOLDER SIZE`.

A size of 0 makes one that does nothing.
"""

import json
import sys
from pathlib import Path

import torch
from safetensors.torch import save_file

RANK = 8


def main(model: Path, folder: Path, size: float) -> None:
    config = json.loads((model / "config.json").read_text())
    width, head = config["hidden_size"], config["head_dim"]
    out = {
        "q_proj": config["num_attention_heads"] * head,
        "v_proj": config["num_key_value_heads"] * head,
    }
    torch.manual_seed(int(size * 1_000))
    weights = {}
    for layer in range(config["num_hidden_layers"]):
        for name, columns in out.items():
            prefix = f"base_model.model.model.layers.{layer}.self_attn.{name}"
            weights[f"{prefix}.lora_A.weight"] = torch.randn(RANK, width) / width**0.5
            weights[f"{prefix}.lora_B.weight"] = size * torch.randn(columns, RANK)
    folder.mkdir(parents=True)
    save_file(weights, folder / "adapter_model.safetensors")
    described = {
        "peft_type": "LORA",
        "task_type": "CAUSAL_LM",
        "r": RANK,
        "lora_alpha": RANK,
        "target_modules": list(out),
        "base_model_name_or_path": "smollm2",
        "bias": "none",
        "lora_dropout": 0.0,
    }
    (folder / "adapter_config.json").write_text(json.dumps(described))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), float(sys.argv[3]))
