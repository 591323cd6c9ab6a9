"""Pairs of questions that are the same or differ in one thing, written for this repository."""

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict

PAIRS = Path(__file__).parent / "cases" / "same_question.jsonl"


class QuestionPair(BaseModel):
    """Two questions, and how they differ. The rules were made on those that are `tuned`, and not on the others."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    part: Literal["tuned", "held_out"]
    kind: str
    one: str
    other: str
    is_same: bool


def load_pairs(path: Path = PAIRS) -> list[QuestionPair]:
    """All pairs."""
    return [QuestionPair.model_validate_json(line) for line in path.read_text("utf-8").splitlines()]
