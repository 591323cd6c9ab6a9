"""A training small enough for a test: a random Llama, rows that share their passages, a recipe, and networks over it."""

from pathlib import Path
from typing import Any

from finetune.lora.recipe import Recipe
from finetune.lora.rows import Dataset, Row, write_dataset
from tests.finetune.lora.made import row
from tests.finetune.lora.small_model import write_base

_PASSAGES = ("The parcel leaves on Monday.", "A lamp is kept dry.", "Refunds take five days.")


def rows(groups: int = 6, questions: int = 3, *, kind: str = "sft") -> list[Row]:
    """Sets of passages with questions about each, the last set of every three for development."""
    made = []
    for number in range(groups):
        told = " ".join(f"[{place}] {text} {number}" for place, text in enumerate(_PASSAGES, 1))
        for question in range(questions):
            changes: dict[str, Any] = {
                "document": f"document-{number}",
                "kind": kind,
                "messages": ({"role": "user", "content": f"{told} Question {'so ' * question}{question}?"},),
                "completion": f"{_PASSAGES[question % 3]} [{question % 3 + 1}]",
                "split": "development" if number % 3 == 2 else "train",
            }
            made.append(row(question, **changes))
    return made


def recipe(base: Path, **training: Any) -> Recipe:
    values = {
        "rank": 4,
        "rows_a_step": 6,
        "evaluate_every": 2,
        "checkpoint_every": 1,
        "threads": 1,
        **training,
    }
    raw = {
        "name": "shop",
        "assistant": "support",
        "base": {"path": str(base), "served_as": "small"},
        "training": {"learning_rate": 5e-3, "max_tokens": 400, "precision": "float32", **values},
    }
    return Recipe.model_validate(raw)


def dataset(folder: Path, made: list[Row] | None = None) -> Dataset:
    return write_dataset(folder, rows() if made is None else made, name="rows", licence="internal", facts={})


def base(folder: Path) -> Path:
    return write_base(folder, dtype="float32")
