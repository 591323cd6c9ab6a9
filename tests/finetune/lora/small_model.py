"""A Llama of two layers with random weights, its tokenizer, and LoRA adapters on it with random weights."""

from pathlib import Path
from typing import Any

import numpy as np

from finetune.lora.template import Encoded

VOCABULARY = 300
_TEMPLATE = (
    "{% for message in messages %}{{ message['role'] + ': ' + message['content'] + '\\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ 'assistant: ' }}{% endif %}"
)


def write_base(folder: Path, *, seed: int = 7, dtype: str = "bfloat16") -> Path:
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(seed)
    config = LlamaConfig(
        vocab_size=VOCABULARY,
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=512,
        tie_word_embeddings=True,
        initializer_range=0.2,
    )
    LlamaForCausalLM(config).to(getattr(torch, dtype)).save_pretrained(folder)
    _write_tokenizer(folder)
    (folder / "LICENSE").write_text("Apache License 2.0\n")
    return folder


def _write_tokenizer(folder: Path) -> None:
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY, special_tokens=["<|end|>"], initial_alphabet=alphabet, show_progress=False
    )
    tokenizer.train_from_iterator(["A book may be kept for four weeks. [2]"] * 4, trainer)
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, eos_token="<|end|>", chat_template=_TEMPLATE
    ).save_pretrained(folder)


def write_adapter(folder: Path, base: Path, *, size: float = 0.3, seed: int = 1, **config: Any) -> Path:
    """An adapter as PEFT writes one; a size of 0 does nothing."""
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    torch.manual_seed(seed)
    settings: dict[str, Any] = {
        "r": 8,
        "lora_alpha": 16,
        "target_modules": ["q_proj", "v_proj", "up_proj"],
        "task_type": "CAUSAL_LM",
        **config,
    }
    model = get_peft_model(
        AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32), LoraConfig(**settings)
    )
    for name, weight in model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(weight, std=size) if size else torch.nn.init.zeros_(weight)
    model.save_pretrained(folder)
    return folder


def sequences(count: int = 14, *, seed: int = 3) -> list[Encoded]:
    """Prompts that all begin alike, with completions."""
    rng = np.random.default_rng(seed)
    rules = tuple(int(one) for one in rng.integers(1, VOCABULARY, 20))
    made = []
    for number in range(count):
        prompt = (*rules, number + 1, *(int(one) for one in rng.integers(1, VOCABULARY, 60)))
        made.append(Encoded(prompt, tuple(int(one) for one in rng.integers(1, VOCABULARY, 40))))
    return made
