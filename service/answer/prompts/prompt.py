"""Prompts by name: what a generator is told, as files beside this one, each with its digest."""

import hashlib
import json
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from ingestion.errors import ScopeError

# A generator that finds no answer says this and nothing else; the answer then abstains.
NO_ANSWER = "NO_ANSWER"
_FOLDER = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class Example:
    """A question with its passages and the answer that is wanted: a turn before the conversation."""

    passages: tuple[str, ...]
    question: str
    answer: str


@dataclass(frozen=True, slots=True)
class Prompt:
    """The rules of a prompt under its name, with the instructions of the assistant that uses it, and an example."""

    name: str
    rules: str
    example: Example | None = None

    @property
    def digest(self) -> str:
        """Sixteen hexadecimal digits of all that the generator is told, kept with every answer."""
        shown = json.dumps(asdict(self.example), sort_keys=True) if self.example else ""
        return hashlib.sha256((self.rules + shown).encode()).hexdigest()[:16]


def prompt_names() -> list[str]:
    """The prompts that there are."""
    return sorted(path.stem for path in _FOLDER.glob("*.yaml"))


@cache
def load_prompt(name: str, instructions: str = "", *, with_tools: bool = False) -> Prompt:
    """The prompt of a variant for an assistant with its own instructions, which stand below the rules.

    `with_tools`: what is said of tools stands among the rules too. Raises `ScopeError` for a name that no file has.
    """
    if name not in prompt_names():
        raise ScopeError(f"There is no prompt {name!r}. Choose one of {prompt_names()}.")
    read: dict[str, Any] = yaml.safe_load((_FOLDER / f"{name}.yaml").read_text("utf-8"))
    rules = f"{read['rules']}\n{read['tools']}" if with_tools else read["rules"]
    if instructions.strip():
        rules += f"\nHow to answer:\n{instructions.strip()}"
    shown = read.get("example")
    example = Example(tuple(shown["passages"]), shown["question"], shown["answer"]) if shown else None
    return Prompt(name, rules, example)
