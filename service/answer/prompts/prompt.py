"""Prompts by name: the rules that a generator is given, as files beside this one, each with its digest."""

import hashlib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from ingestion.errors import ScopeError

# A generator that finds no answer says this and nothing else; the answer then abstains.
NO_ANSWER = "NO_ANSWER"
_FOLDER = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class Prompt:
    """The rules of a prompt under its name."""

    name: str
    rules: str

    @property
    def digest(self) -> str:
        """Sixteen hexadecimal digits of the rules, kept with every answer."""
        return hashlib.sha256(self.rules.encode()).hexdigest()[:16]


@cache
def load_prompt(name: str) -> Prompt:
    """The prompt of a variant. Raises `ScopeError` for a name that no file has."""
    known = sorted(path.stem for path in _FOLDER.glob("*.txt"))
    if name not in known:
        raise ScopeError(f"There is no prompt {name!r}. Choose one of {known}.")
    return Prompt(name, (_FOLDER / f"{name}.txt").read_text("utf-8").rstrip("\n"))
