"""YAML files of training data, typed: a misspelt key is an error, never a list that is silently missing."""

from pathlib import Path
from typing import TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from ingestion.config import explain

FileT = TypeVar("FileT", bound="Strict")


class Strict(BaseModel):
    """What a file holds; unknown keys are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class TrainingDataError(ValueError):
    """A file of training data that can't be used; the message names the file, the value and the remedy."""


def read(path: Path, kind: type[FileT]) -> FileT:
    """The content of a file as `kind`. Raises `TrainingDataError`, and `OSError` for a missing file."""
    try:
        return kind.model_validate(yaml.safe_load(path.read_text("utf-8")))
    except yaml.YAMLError as exc:
        raise TrainingDataError(f"{str(path)!r} is no YAML: {exc}") from exc
    except ValidationError as exc:
        raise TrainingDataError(
            f"{str(path)!r}: {explain(exc)}. Quote texts that YAML reads as a number or as true or false."
        ) from exc
