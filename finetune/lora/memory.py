"""How much memory a training takes, with the arithmetic, from a model's configuration alone: no weights are read."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from finetune.lora.machine import Precision
from finetune.lora.recipe import Training

# A weight of the adapter is in float32, and so are its gradient and AdamW's two moments; the best one is kept beside.
_ADAPTER_BYTES = 5 * 4
# Logits in float32, their log-softmax and both gradients.
_LOGIT_BYTES = 4 * 4
_RUNTIME_BYTES = 800 * 2**20
# What a layer keeps of a token for the backward pass, in widths of the model and of its feed-forward part: inputs of
# norms and linear layers, queries, keys, values, and what gate and product are made of. SmolLM2 at 1,300 tokens
# in float32: 3.1 GiB tight and 5.1 quick, where this says 3.2 and 5.0.
_HIDDEN, _BETWEEN = 9, 4
_WIDTHS = {"float32": 4.0, "bfloat16": 2.0, "4bit": 0.6}
_GIB = 2**30
# What the allocators take beside what is used.
_SPREAD = {"cpu": 2.0, "cuda": 1.2}

# How activations are kept until the backward pass: quickly, without gaps between them, or not at all but computed again.
Way = Literal["quick", "tight", "frugal"]


@dataclass(frozen=True, slots=True)
class Shape:
    """What a model is made of. `linear` are the input and output widths of its linear layers by their short names."""

    weights: int
    layers: int
    hidden: int
    between: int
    key_values: int
    vocabulary: int
    positions: int
    window: int | None
    linear: dict[str, tuple[tuple[int, int], ...]]

    def adapter(self, training: Training) -> int:
        """Weights of an adapter."""
        sizes = (size for name in training.modules for size in self.linear.get(name, ()))
        return training.rank * sum(inner + outer for inner, outer in sizes)


@dataclass(frozen=True, slots=True)
class Part:
    """Bytes of one thing, and how they are reckoned."""

    size: int
    reckoning: str

    def __str__(self) -> str:
        return f"{self.size / _GIB:.2f} GiB for {self.reckoning}"


@dataclass(frozen=True, slots=True)
class Need:
    """What a training takes: what is the same in all ways, and the activations of the longest group in each."""

    fixed: tuple[Part, ...]
    activations: Mapping[Way, Part]

    def total(self, way: Way) -> int:
        """All together, in bytes."""
        return sum(part.size for part in self._parts(way))

    def arithmetic(self, way: Way) -> str:
        """The sum, to be read by a person."""
        return " + ".join(str(part) for part in self._parts(way))

    def _parts(self, way: Way) -> tuple[Part, ...]:
        return (*self.fixed, self.activations[way])


def shape_of(folder: Path) -> Shape:
    """The shape of a model in Hugging Face's format, built without memory."""
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    config: Any = AutoConfig.from_pretrained(str(folder), local_files_only=True)
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(config)
    linear: dict[str, list[tuple[int, int]]] = {}
    for name, module in model.named_modules():
        if isinstance(module, torch.nn.Linear):
            linear.setdefault(name.rsplit(".")[-1], []).append((module.in_features, module.out_features))
    text = config.get_text_config()
    heads = text.num_attention_heads
    width = getattr(text, "head_dim", None) or text.hidden_size // heads
    return Shape(
        weights=sum(weight.numel() for weight in model.parameters()),
        layers=text.num_hidden_layers,
        hidden=text.hidden_size,
        between=getattr(text, "intermediate_size", None) or 4 * text.hidden_size,
        key_values=(getattr(text, "num_key_value_heads", None) or heads) * width,
        vocabulary=text.vocab_size,
        positions=text.max_position_embeddings,
        window=getattr(text, "sliding_window", None),
        linear={name: tuple(sizes) for name, sizes in linear.items()},
    )


def need_of(
    shape: Shape,
    training: Training,
    precision: Precision,
    *,
    tokens: int,
    learned: int,
    has_gpu: bool = False,
) -> Need:
    """What a training takes whose longest group reads `tokens` tokens, of which `learned` are asked for the next one."""
    width = _WIDTHS["4bit" if training.quantise == "4bit" else precision]
    adapter = shape.adapter(training)
    value = _WIDTHS[precision]
    values = _HIDDEN * shape.hidden + _BETWEEN * shape.between + shape.key_values
    kept = int(tokens * shape.layers * values * value)
    # One layer at a time, and the inputs of all.
    frugal = int(tokens * (values + shape.layers * shape.hidden) * value)
    fixed = (
        Part(int(shape.weights * width), f"{shape.weights:,} weights of {width:g} bytes"),
        Part(
            adapter * _ADAPTER_BYTES,
            f"{adapter:,} weights of the adapter with gradients, moments and the best ones, {_ADAPTER_BYTES} bytes each",
        ),
        Part(
            learned * shape.vocabulary * _LOGIT_BYTES,
            f"{learned:,} learned tokens by {shape.vocabulary:,} words of {_LOGIT_BYTES} bytes",
        ),
        Part(_RUNTIME_BYTES, "the libraries"),
    )
    spread = _SPREAD["cuda" if has_gpu else "cpu"]
    told = f"activations of {tokens:,} tokens, {shape.layers} layers, {values:,} values of {value:g} bytes"
    ways: dict[Way, Part] = {
        "quick": Part(int(spread * kept), f"{told}, {spread:g} times as freed pieces lie between"),
        "tight": Part(kept, told),
        "frugal": Part(frugal, f"{told}, one layer at a time"),
    }
    return Need(fixed, ways)
