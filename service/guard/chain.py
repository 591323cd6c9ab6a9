"""The guards of an assistant, in order. A guard changes the text or lets it pass, and says so."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

Zone = Literal["input", "retrieved", "output"]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a guard found. `rule` names it; the value itself is never kept."""

    guard: str
    zone: Zone
    verdict: Literal["pass", "flag", "redact", "block"]
    rule: str
    score: float


class Guard(Protocol):
    """A check of whole words: it never needs what comes before or after them."""

    name: str

    def apply(self, text: str, zone: Zone) -> tuple[str, list[Verdict]]:
        """The text as it may go on, and the verdicts; none when there is nothing to say."""
        ...


def apply_all(guards: Sequence[Guard], text: str, zone: Zone) -> tuple[str, list[Verdict]]:
    """Each guard sees what the one before it left."""
    verdicts: list[Verdict] = []
    for guard in guards:
        text, found = guard.apply(text, zone)
        verdicts += found
    return text, verdicts
