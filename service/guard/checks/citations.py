"""Citation markers: those of passages that were not retrieved go."""

import re

from service.guard.chain import Verdict
from service.scope.policy import Zone

MARKER = re.compile(r"\s?\[(\d{1,3}(?:\s*,\s*\d{1,3})*)\]")


def cited_in(text: str) -> list[int]:
    """The numbers of the passages that a text cites."""
    return [int(number) for marker in MARKER.findall(text) for number in marker.split(",")]


def without_markers(text: str) -> str:
    """A text without its citations."""
    return MARKER.sub("", text)


def blanked_markers(text: str) -> str:
    """A text with blanks in place of its citations: what else stands in it keeps its offsets."""
    return MARKER.sub(lambda marker: " " * len(marker[0]), text)


class CitationGuard:
    """Markers of passages that were not retrieved are removed; `[1, 2]` becomes `[1][2]`."""

    name = "citations"

    def __init__(self, count: int) -> None:
        self._count = count

    def apply(self, text: str, zone: Zone) -> tuple[str, list[Verdict]]:
        """Text with valid markers alone, and a verdict for each invalid one."""
        verdicts: list[Verdict] = []

        def check(match: re.Match[str]) -> str:
            numbers = [int(number) for number in match[1].split(",")]
            valid = [number for number in numbers if 1 <= number <= self._count]
            for _ in range(len(numbers) - len(valid)):
                verdicts.append(
                    Verdict(self.name, zone, "redact", "NOT_RETRIEVED", 1.0, match.start(), match.end())
                )
            space = match[0][0] if match[0][0].isspace() and valid else ""
            return space + "".join(f"[{number}]" for number in valid)

        return (MARKER.sub(check, text), verdicts) if "[" in text else (text, verdicts)
