"""Who is told how far a run is: a protocol, and nobody."""

from typing import Protocol


class Progress(Protocol):
    """Told of every finished piece of work."""

    def begin(self, stage: str, total: int, unit: str) -> None:
        """A stage with `total` units begins."""
        ...

    def advance(self, count: int) -> None:
        """Some units are done."""
        ...


class NoProgress:
    """Tells nobody: for programs and tests."""

    def begin(self, stage: str, total: int, unit: str) -> None:
        """Nothing."""

    def advance(self, count: int) -> None:
        """Nothing."""
