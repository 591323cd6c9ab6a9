"""Numbers that the sources don't hold: the costliest inventions, and the easiest to find exactly."""

import re
from collections.abc import Iterable
from decimal import Decimal, InvalidOperation
from functools import lru_cache

from service.guard.chain import Verdict, Zone

REMOVED = "[…]"
# Digits with inner separators; units and signs around them stay out of it.
_NUMBER = re.compile(r"\d+(?:[.,:]\d+)*")
_GROUPED = re.compile(r"\d{1,3}(?:[.,]\d{3})+")
# Citation markers, and the ordinals of a list at the start of a line, are no claims.
_EXEMPT = re.compile(r"\[\d{1,3}\]|(?m:^\s*\d{1,2}[.)](?=\s))|<[A-Z_]+>")


def canonical(number: str) -> str:
    """One spelling a value: `5,000`, `5.000` and `5000` agree, and so do `4,90` and `4.9`."""
    if _GROUPED.fullmatch(number):
        return re.sub(r"[.,]", "", number)
    if ":" in number or number.count(".") + number.count(",") > 1:
        return number.replace(",", ".")
    try:
        value = Decimal(number.replace(",", "."))
    except InvalidOperation:
        return number
    return format(value.normalize(), "f")


@lru_cache(maxsize=10_000)
def numbers_in(text: str) -> frozenset[str]:
    """Canonical numbers of a text; of a time or version such as 14:00 its parts too."""
    found: set[str] = set()
    for match in _NUMBER.finditer(text):
        found.add(canonical(match[0]))
        found.update(canonical(part) for part in re.split(r"[.,:]", match[0]))
    return frozenset(found)


class NumberGuard:
    """Removes numbers from an answer that are neither in its passages nor in the conversation."""

    name = "numbers"

    def __init__(self, sources: Iterable[str]) -> None:
        self._sources = list(sources)
        self._known: frozenset[str] | None = None

    def apply(self, text: str, zone: Zone) -> tuple[str, list[Verdict]]:
        """Text in which each invented number is `[…]`, and a verdict for each."""
        if zone != "output" or not any(character.isdigit() for character in text):
            return text, []
        exempt = [match.span() for match in _EXEMPT.finditer(text)]
        if self._known is None:
            self._known = frozenset().union(*map(numbers_in, self._sources))
        verdicts: list[Verdict] = []

        def check(match: re.Match[str]) -> str:
            inside = any(start <= match.start() < end for start, end in exempt)
            if inside or canonical(match[0]) in (self._known or ()):
                return match[0]
            verdicts.append(Verdict(self.name, zone, "redact", "NOT_IN_SOURCES", 1.0))
            return REMOVED

        return _NUMBER.sub(check, text), verdicts
