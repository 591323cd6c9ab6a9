"""A curated answer as it is, with the mark of its citation. No model writes it."""

from collections.abc import AsyncGenerator

from service.answer.generate import Event, Finished, Task, Text
from service.feedback.curated.answer import Curated


class CuratedGenerator:
    """Says one curated answer, whose name it bears: so the answer log counts its hits."""

    quotes = True

    def __init__(self, curated: Curated) -> None:
        self.name = curated.name
        self._text = curated.text.answer

    async def generate(self, task: Task) -> AsyncGenerator[Event, None]:
        """The whole text at once."""
        yield Text(f"{self._text} [1]")
        yield Finished("stop", 0, 0)
