"""A generator for tests and trials: streams what it is given, and fails where it is told to."""

from collections.abc import AsyncGenerator

from service.answer.generate import Event, Finished, Task
from service.errors import GeneratorError


class ScriptedGenerator:
    """Yields events in order and raises the errors among them; `tasks` are what it was asked.

    A script that ends without `Finished` or an error is finished with the reason `stop` and no tokens.
    """

    name = "scripted"
    quotes = False

    def __init__(self, *script: Event | GeneratorError) -> None:
        self._script = script
        self.tasks: list[Task] = []

    async def generate(self, task: Task) -> AsyncGenerator[Event, None]:
        """Stream the script. Raises the `GeneratorError` that it holds."""
        self.tasks.append(task)
        for event in self._script:
            if isinstance(event, GeneratorError):
                raise event
            yield event
            if isinstance(event, Finished):
                return
        yield Finished("stop", 0, 0)
