"""The base model with its adapter, and the loss of a group of rows. Heavy: only training imports it."""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any, cast

import torch
from peft import LoraConfig, get_peft_model, get_peft_model_state_dict
from torch.nn.functional import cross_entropy
from transformers import AutoModelForCausalLM

from finetune.lora import attention
from finetune.lora.batches import Layout
from finetune.lora.machine import Precision
from finetune.lora.models import quietly
from finetune.lora.recipe import Recipe


class Network:
    """A causal language model with an adapter, in one precision on one device."""

    def __init__(self, model: Any, precision: Precision) -> None:
        self.model = model
        self.precision = precision
        self.device = next(model.parameters()).device

    @property
    def weights(self) -> list[Any]:
        """The adapter's, which are learned."""
        return [weight for weight in self.model.parameters() if weight.requires_grad]

    def logits(self, layout: Layout) -> Any:
        """For each learned token of a group, the logits of the next one, in float32: (learned, vocabulary)."""
        mask = None if layout.mask is None else self._put(layout.mask)[None, None]
        with self._computing():
            told = self.model(
                input_ids=self._put(layout.ids)[None],
                position_ids=self._put(layout.positions)[None],
                attention_mask=mask,
                shared_prefix=layout.prefix,
                use_cache=False,
                # The head over the whole vocabulary costs as much as five layers: only where it is asked for.
                logits_to_keep=self._put(layout.learned),
            )
        return told.logits[0].float()

    def losses(self, layout: Layout) -> Any:
        """For each row of a group, the mean over its learned tokens of -log p by their shares: (rows,)."""
        each = cross_entropy(self.logits(layout), self._put(layout.targets), reduction="none")
        owner = self._put(layout.owner)
        rows = int(layout.owner.max()) + 1
        return torch.zeros(rows, device=self.device).index_add(0, owner, each * self._put(layout.shares))

    def adapter(self) -> dict[str, Any]:
        """The adapter's weights by PEFT's names, copied."""
        return {
            name: weight.detach().to("cpu", torch.float32, copy=True).contiguous()
            for name, weight in sorted(get_peft_model_state_dict(self.model).items())
        }

    def take(self, weights: dict[str, Any]) -> None:
        """Put an adapter's weights in place of its own."""
        own = get_peft_model_state_dict(self.model)
        with torch.no_grad():
            for name, weight in own.items():
                weight.copy_(weights[name])

    @contextmanager
    def evaluating(self, *, is_base: bool = False) -> Iterator[None]:
        """No gradients, no dropout; the base model alone where `is_base`."""
        self.model.eval()
        try:
            with torch.no_grad(), self.model.disable_adapter() if is_base else nullcontext():
                yield
        finally:
            self.model.train()

    def _put(self, array: Any) -> Any:
        return torch.from_numpy(array).to(self.device)

    def _computing(self) -> Any:
        if self.precision == "float32":
            return nullcontext()
        return torch.autocast(self.device.type, torch.bfloat16)


def load_network(recipe: Recipe, folder: Path, precision: Precision, *, is_frugal: bool = False) -> Network:
    """The base model of a folder with a new adapter, whose weights the seed decides; they are in float32.

    `is_frugal` computes activations again in the backward pass instead of keeping them, which costs a quarter more time.
    """
    training = recipe.training
    device = "cuda" if torch.cuda.is_available() else "cpu"
    base = AutoModelForCausalLM.from_pretrained(
        str(folder),
        dtype=getattr(torch, precision),
        local_files_only=True,
        attn_implementation=attention.register(),
        **_quantised(training.quantise),
    )
    if training.quantise == "none":
        base.to(device)
    torch.manual_seed(recipe.seed)
    with quietly():
        model = get_peft_model(base, lora_config(recipe))
        if is_frugal:
            model.enable_input_require_grads()
            model.gradient_checkpointing_enable({"use_reentrant": False})
    model.train()
    return Network(model, precision)


def lora_config(recipe: Recipe) -> Any:
    """PEFT's configuration."""
    training = recipe.training
    return LoraConfig(
        r=training.rank,
        # PEFT says int and computes with any number; servers read a whole one everywhere.
        lora_alpha=cast(int, int(recipe.alpha) if recipe.alpha.is_integer() else recipe.alpha),
        lora_dropout=training.dropout,
        target_modules=sorted(training.modules),
        use_rslora=training.use_rslora,
        bias="none",
        task_type="CAUSAL_LM",
    )


def _quantised(how: str) -> dict[str, Any]:
    if how == "none":
        return {}
    from transformers import BitsAndBytesConfig

    return {
        "quantization_config": BitsAndBytesConfig(
            load_in_4bit=True,
            bnb_4bit_quant_type="nf4",
            bnb_4bit_use_double_quant=True,
            bnb_4bit_compute_dtype=torch.bfloat16,
        ),
        "device_map": {"": 0},
    }
