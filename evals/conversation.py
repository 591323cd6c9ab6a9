"""Conversations about the demo's documents, written for this repository, whose last question may lean on the others."""

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict

CONVERSATIONS = Path(__file__).parent / "cases" / "conversations.jsonl"


class Conversation(BaseModel):
    """A question with the messages before it, the user's and the assistant's by turns.

    Rules were made on those that are `tuned` and looked at once on the others. `leans` says whether the question needs the
    conversation; the question made whole has the words of `has` and none of `lacks`. `answerable` is None where the demo
    has no documents in the language.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str
    part: Literal["tuned", "held_out"]
    language: str
    history: tuple[str, ...]
    question: str
    leans: bool
    answerable: bool | None
    answers: tuple[str, ...] = ()
    has: tuple[str, ...] = ()
    lacks: tuple[str, ...] = ()

    def is_whole(self, text: str) -> bool:
        """Whether a text is the question made whole."""
        low = text.casefold()
        is_changed = low != self.question.casefold()
        kept = all(word in low for word in self.has) and not any(word in low for word in self.lacks)
        return kept and is_changed == self.leans

    @property
    def messages(self) -> list[tuple[str, str]]:
        """All messages with their roles, the question last."""
        said = [("user" if i % 2 == 0 else "assistant", text) for i, text in enumerate(self.history)]
        return [*said, ("user", self.question)]


def load_conversations(path: Path = CONVERSATIONS) -> list[Conversation]:
    """All of them."""
    return [Conversation.model_validate_json(line) for line in path.read_text("utf-8").splitlines()]
