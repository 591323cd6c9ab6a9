"""Rows as tokens, by the template of the base model's tokenizer: the one that its server uses."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from finetune.lora.rows import Row
from finetune.yaml_file import TrainingDataError


@dataclass(frozen=True, slots=True)
class Encoded:
    """Token ids of what is told and of what is to be said, whose last one ends it. Only `completion` is learned."""

    prompt: tuple[int, ...]
    completion: tuple[int, ...]

    def __len__(self) -> int:
        return len(self.prompt) + len(self.completion)


class Template:
    """The tokenizer of a model's folder with its chat template. Raises `TrainingDataError` for a folder without one."""

    def __init__(self, folder: Path) -> None:
        from transformers import AutoTokenizer

        try:
            self.tokenizer: Any = AutoTokenizer.from_pretrained(str(folder), local_files_only=True)
        except (OSError, ValueError) as exc:
            raise TrainingDataError(f"There is no tokenizer in {str(folder)!r}: {exc}") from exc
        if not self.tokenizer.chat_template:
            raise TrainingDataError(
                f"The tokenizer in {str(folder)!r} has no chat template: what would be trained isn't what is served."
                " Take an instruct model, or put its chat_template.jinja there."
            )

    @cached_property
    def end(self) -> int:
        """The token that ends an answer."""
        found: int = self.tokenizer.eos_token_id
        return found

    def encode(self, row: Row, completion: str | None = None) -> Encoded:
        """The tokens of a row, or with another completion; a `text` row is all completion."""
        said = row.completion if completion is None else completion
        prompt = self.prompt(row) if row.messages else ()
        words = self.tokenizer(said, add_special_tokens=False)["input_ids"]
        return Encoded(prompt, (*words, self.end))

    def prompt(self, row: Row) -> tuple[int, ...]:
        """What a server reads before it writes."""
        return tuple(self.tokenizer(self.told(row), add_special_tokens=False)["input_ids"])

    def told(self, row: Row) -> str:
        """What a server reads before it writes, as text."""
        text: str = self.tokenizer.apply_chat_template(
            [dict(message) for message in row.messages], add_generation_prompt=True, tokenize=False
        )
        return text
