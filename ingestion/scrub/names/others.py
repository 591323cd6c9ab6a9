"""Larger models for names: spaCy, transformers, GLiNER. Each needs its own package, installed by its user."""

import importlib
from collections.abc import Sequence
from typing import Any

from ingestion.errors import ScopeError
from ingestion.scrub.names.model import NameSpan

# What these models call things → what this one does.
_LABELS = {
    "PER": "PERSON",
    "PERSON": "PERSON",
    "LOC": "GPE",
    "GPE": "GPE",
    "LOCATION": "GPE",
    "FAC": "STREET_ADDRESS",
    "ADDRESS": "STREET_ADDRESS",
    "ORG": "ORGANIZATION",
    "ORGANIZATION": "ORGANIZATION",
    "NORP": "NRP",
    "DATE": "DATE_TIME",
    "TIME": "DATE_TIME",
}
_GLINER_LABELS = ["person", "address", "location", "organization", "date"]


class Spacy:
    """A spaCy pipeline."""

    def __init__(self, name: str) -> None:
        spacy = _package("spacy", "pip install spacy")
        try:
            self._pipeline: Any = spacy.load(name)
        except OSError as exc:
            raise ScopeError(f"No spaCy pipeline {name!r}. Run: python -m spacy download {name}.") from exc
        self.digest = f"spacy:{name}:{self._pipeline.meta.get('version')}"

    def find_people(self, texts: Sequence[str]) -> list[list[NameSpan]]:
        """The same: these models read everything."""
        return self.find(texts)

    def find(self, texts: Sequence[str]) -> list[list[NameSpan]]:
        """What is named in each text."""
        return [
            [
                NameSpan(_LABELS[e.label_], e.start_char, e.end_char, 1.0)
                for e in document.ents
                if e.label_ in _LABELS
            ]
            for document in self._pipeline.pipe(texts)
        ]


class Transformers:
    """A token classifier of Hugging Face, from a folder or the hub."""

    def __init__(self, name: str) -> None:
        transformers = _package("transformers", "pip install transformers torch==2.13.0")
        try:
            self._pipeline: Any = transformers.pipeline(
                "token-classification", model=name, aggregation_strategy="first"
            )
        except (OSError, ValueError) as exc:
            raise ScopeError(f"No token classifier {name!r}: {exc}") from exc
        self.digest = f"transformers:{name}"

    def find_people(self, texts: Sequence[str]) -> list[list[NameSpan]]:
        """The same: these models read everything."""
        return self.find(texts)

    def find(self, texts: Sequence[str]) -> list[list[NameSpan]]:
        """What is named in each text."""
        return [
            [
                NameSpan(_LABELS[e["entity_group"]], e["start"], e["end"], float(e["score"]))
                for e in entities
                if e["entity_group"] in _LABELS
            ]
            for entities in (self._pipeline(text) if text.strip() else [] for text in texts)
        ]


class Gliner:
    """A GLiNER model, which takes labels in words."""

    def __init__(self, name: str) -> None:
        gliner = _package("gliner", "pip install gliner")
        self._model: Any = gliner.GLiNER.from_pretrained(name)
        self.digest = f"gliner:{name}"

    def find_people(self, texts: Sequence[str]) -> list[list[NameSpan]]:
        """The same: these models read everything."""
        return self.find(texts)

    def find(self, texts: Sequence[str]) -> list[list[NameSpan]]:
        """What is named in each text."""
        return [
            [
                NameSpan(_LABELS[e["label"].upper()], e["start"], e["end"], float(e["score"]))
                for e in sorted(self._model.predict_entities(text, _GLINER_LABELS), key=lambda e: e["start"])
            ]
            for text in texts
        ]


def _package(name: str, remedy: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError as exc:
        raise ScopeError(f"The package {name!r} is not installed. Run: {remedy}.") from exc


def load_other(name: str) -> Spacy | Transformers | Gliner:
    """A model by `kind:name`. Raises `ScopeError`."""
    kind, _, rest = name.partition(":")
    kinds: dict[str, type[Spacy | Transformers | Gliner]] = {
        "spacy": Spacy,
        "transformers": Transformers,
        "gliner": Gliner,
    }
    if kind not in kinds or not rest:
        raise ScopeError(
            f"No name model {name!r}: write `builtin`, `none`, or one of {list(kinds)} as `kind:name`."
        )
    return kinds[kind](rest)
