"""Labels: words that say what the value behind them is, and what may stand between the two."""

import re
from collections.abc import Iterator, Sequence

from ingestion.scrub.forms import Span

_SIGNS = r"[\s:=|\"'“”„«»`*_(\[.,#-]{1,6}+"
# Words between a label and its value, in the languages of the labels.
_LINKS = (
    r"(?:is|was|are|it(?:'s)?|its|my|our|your|his|her|their|the|on|to|at|as|no|nr|num(?:ber)?|n[°º]|№|code|id|value|set|f[oü]r|of|and"
    r"|nummer|num[eé]ro|n[uú]mero|ist|lautet|war|am|den|der|die|das|vom|le|la|du|est|[ée]tait|el|es|era|fue|il|lo|l|è|em|é|foi"
    r"|o|a|op|zijn|var|[äe]r|den|dne|dnia|to|je|jest|numer|[čc][íi]slo|numaras[ıi]|на|номер|это|は)"
)
# Signs and words take turns, so that there is one way alone to read them.
GLUE = rf"{_SIGNS}(?:{_LINKS}{_SIGNS}){{0,4}}"


def after(labels: str, value: str, *, glue: str = GLUE) -> re.Pattern[str]:
    """A pattern of a value, the group `value`, behind one of the labels. Labels ignore case, the value doesn't."""
    return re.compile(rf"(?i:(?<![^\W_])(?:{labels})(?![^\W_]){glue})(?P<value>{value})")


def values_in(text: str, pattern: re.Pattern[str], stems: Sequence[str]) -> Iterator[re.Match[str]]:
    """Matches of a pattern of `after`. One of the stems, in small letters, stands in every label: most texts have none."""
    return pattern.finditer(text) if has_any(text, stems) else iter(())


def spans_in(text: str, pattern: re.Pattern[str], stems: Sequence[str]) -> Iterator[Span]:
    """Where the values of those matches stand."""
    return (found.span("value") for found in values_in(text, pattern, stems))


def has_any(text: str, stems: Sequence[str]) -> bool:
    """Whether one of the stems, in small letters, stands in a text."""
    small = text.lower()
    return any(stem in small for stem in stems)
