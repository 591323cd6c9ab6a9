"""Golden cases: questions with the documents, passages and short answers of a right answer."""

from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict, model_validator

DEMO_CASES = Path(__file__).parent / "cases" / "demo.jsonl"


class Case(BaseModel):
    """A question. An answerable one has gold documents, a gold passage and short answers."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str
    question: str
    answerable: bool
    language: str
    documents: tuple[str, ...] = ()
    passage: str | None = None
    answers: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        if self.answerable != bool(self.documents and self.passage and self.answers):
            raise ValueError(f"case {self.id!r}: answerable cases, and only they, have gold")
        return self


def load_cases(path: Path = DEMO_CASES) -> list[Case]:
    """The cases of a JSONL file."""
    lines = path.read_text("utf-8").splitlines()
    return [Case.model_validate_json(line) for line in lines if line.strip()]
