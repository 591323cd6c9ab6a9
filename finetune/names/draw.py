"""Seeded chance that all draws of one run share: the same seed gives the same choices in the same order."""

import random
from collections.abc import Sequence
from typing import TypeVar

_ChoiceT = TypeVar("_ChoiceT")
_LETTERS = "ABCDEFGHJKLMNPRSTUVWXYZ"


class Draw:
    """Choices, numbers and digits from one seed."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)

    def choice(self, choices: Sequence[_ChoiceT]) -> _ChoiceT:
        """One of a sequence."""
        return self._random.choice(choices)

    def pick(self, *choices: str) -> str:
        """One of the arguments."""
        return self._random.choice(choices)

    def chance(self, probability: float) -> bool:
        """Whether something of this probability happens."""
        return self._random.random() < probability

    def share(self) -> float:
        """A number from 0 to 1."""
        return self._random.random()

    def number(self, least: int, most: int) -> int:
        """A whole number, both ends included."""
        return self._random.randint(least, most)

    def shaped(self, shape: str) -> str:
        """A shape with a digit for every `#` and a capital letter for every `@`."""
        return "".join(
            str(self.number(0, 9)) if c == "#" else self.choice(_LETTERS) if c == "@" else c for c in shape
        )
