"""Names and places in texts: the built-in model, or a larger one that is installed."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Protocol

from ingestion.scrub.names.model import NAMES_DIR, NameModel, NameSpan

__all__ = ["NameSpan", "NameFinder", "NameModel", "load_names"]


class NameFinder(Protocol):
    """A model that finds names."""

    digest: str

    def find(self, texts: Sequence[str]) -> list[list[NameSpan]]:
        """What is named in each text, from left to right."""
        ...

    def find_people(self, texts: Sequence[str]) -> list[list[NameSpan]]:
        """The same where only people and streets are wanted, which may cost less."""
        ...


@lru_cache(maxsize=4)
def load_names(name: str) -> NameFinder:
    """The built-in model, or `spacy:NAME`, `transformers:FOLDER`, `gliner:FOLDER`.

    Loaded once a process. Raises `ScopeError` when it is not installed.
    """
    if name == "builtin":
        return NameModel(NAMES_DIR)
    from ingestion.scrub.names.others import load_other  # heavy, and only when it is asked for

    return load_other(name)
