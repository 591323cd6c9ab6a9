"""What somebody thinks of an answer, good or bad, and what the answer rests on: all that the screen knows."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

GOOD: Literal[1] = 1
BAD: Literal[-1] = -1
Verdict = Literal[1, -1]
# A verdict by a rating: three of five says neither.
_RATINGS: dict[str, Verdict] = {"1": BAD, "2": BAD, "4": GOOD, "5": GOOD}


@dataclass(frozen=True, slots=True)
class Opinion:
    """An event that says good or bad. `at` is in days; `passage` is the first that the answer cites, of `document`."""

    event_id: str
    actor: str
    at: float
    verdict: Verdict
    document: str
    passage: str
    variant: str


def verdict_of(kind: str, value: str | None) -> Verdict | None:
    """Whether an event says good or bad; None where it says neither. A correction says that the answer was bad."""
    if kind == "thumb":
        return GOOD if value == "up" else BAD
    if kind == "rating":
        return _RATINGS.get(value or "")
    return BAD if kind == "correction" else None


def by_document(opinions: Iterable[Opinion]) -> dict[str, list[Opinion]]:
    """Opinions on each document."""
    found: dict[str, list[Opinion]] = {}
    for one in opinions:
        found.setdefault(one.document, []).append(one)
    return found


def by_passage(opinions: Iterable[Opinion]) -> dict[str, list[Opinion]]:
    """Opinions on each passage."""
    found: dict[str, list[Opinion]] = {}
    for one in opinions:
        found.setdefault(one.passage, []).append(one)
    return found


def by_variant(opinions: Iterable[Opinion]) -> dict[str, list[Opinion]]:
    """Opinions on each variant."""
    found: dict[str, list[Opinion]] = {}
    for one in opinions:
        found.setdefault(one.variant, []).append(one)
    return found


def everything(opinions: Iterable[Opinion]) -> dict[str, list[Opinion]]:
    """All of them as one group."""
    return {"": list(opinions)}
