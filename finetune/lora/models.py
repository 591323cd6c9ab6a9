"""Base models read from a folder, and adapters put on them. Heavy libraries load on use."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from finetune.yaml_file import TrainingDataError


@contextmanager
def quietly() -> Iterator[None]:
    """Without bars of progress, and without warnings of deprecation: PEFT asks transformers for properties by their old
    names."""
    from transformers.utils.logging import disable_progress_bar

    disable_progress_bar()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        yield


def load_model(folder: Path, dtype: str = "auto") -> Any:
    """The causal language model of a folder, on the processor; `auto` keeps the type of its weights.

    Raises `TrainingDataError` where there is none.
    """
    from transformers import AutoModelForCausalLM

    try:
        with quietly():
            return AutoModelForCausalLM.from_pretrained(str(folder), dtype=dtype, local_files_only=True)
    except (OSError, ValueError) as exc:
        raise TrainingDataError(f"There is no model in {str(folder)!r}: {exc}") from exc


def load_with_adapter(base: Path, adapter: Path) -> Any:
    """PEFT's model of a base in float32 with an adapter. Raises `TrainingDataError` where they don't fit."""
    from peft import PeftModel

    model = load_model(base, "float32")
    try:
        with quietly():
            return PeftModel.from_pretrained(model, str(adapter))
    except (ValueError, RuntimeError, KeyError) as exc:
        raise TrainingDataError(
            f"The adapter {str(adapter)!r} doesn't fit the base {str(base)!r}: {exc}"
        ) from exc
