"""Attention over a shared prefix and the continuations behind it, in two parts instead of one with a mask.

The prefix is causal, which kernels know and compute by half; the continuations see it and themselves, which takes a mask
over their own rows alone. The result is that of one masked attention. Heavy: only training imports it.
"""

from typing import Any

import torch
from torch.nn.functional import scaled_dot_product_attention
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.integrations.sdpa_attention import repeat_kv, sdpa_attention_forward
from transformers.masking_utils import sdpa_mask

from finetune.yaml_file import TrainingDataError

NAME = "shared_prefix"
# What some models add to the scores.
_OTHER = ("softcap", "position_bias", "s_aux")


def attend(
    module: Any,
    query: Any,
    key: Any,
    value: Any,
    attention_mask: Any,
    dropout: float = 0.0,
    scaling: float | None = None,
    shared_prefix: int = 0,
    **options: Any,
) -> tuple[Any, None]:
    """As transformers calls an attention: (1, heads, tokens, width) each, and back (1, tokens, heads, width).

    Without `shared_prefix` tokens it is transformers' own. Raises `TrainingDataError` for a kind of attention that would be
    computed wrongly.
    """
    unknown = sorted(name for name in _OTHER if options.get(name) is not None)
    if unknown:
        raise TrainingDataError(
            f"The base model's attention uses {unknown}, which training doesn't know. Take another base model."
        )
    if not shared_prefix:
        plain: tuple[Any, None] = sdpa_attention_forward(
            module, query, key, value, attention_mask, dropout, scaling, **options
        )
        return plain
    groups = getattr(module, "num_key_value_groups", 1)
    key, value = repeat_kv(key, groups), repeat_kv(value, groups)
    inner = slice(None, shared_prefix)
    told = scaled_dot_product_attention(
        query[:, :, inner],
        key[:, :, inner],
        value[:, :, inner],
        dropout_p=dropout,
        scale=scaling,
        is_causal=True,
    )
    outer = slice(shared_prefix, None)
    behind = scaled_dot_product_attention(
        query[:, :, outer],
        key,
        value,
        attn_mask=attention_mask[:, :, outer],
        dropout_p=dropout,
        scale=scaling,
    )
    return torch.cat((told, behind), dim=2).transpose(1, 2).contiguous(), None


def register() -> str:
    """Make it known to transformers; the name by which a model is loaded with it."""
    AttentionInterface.register(NAME, attend)
    AttentionMaskInterface.register(NAME, sdpa_mask)
    return NAME
