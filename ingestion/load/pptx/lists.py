"""Numbers of the lists of a slide, which PowerPoint computes as it shows them."""

from ingestion.load.ordinals import letters, roman
from ingestion.load.package import Element, child

_LEVELS = 9


class ListCounter:
    """Counts the paragraphs of one body."""

    def __init__(self) -> None:
        self._counts = [0] * _LEVELS

    def next(self, properties: Element | None) -> str:
        """The number before the next paragraph; empty where it has none. A paragraph without one begins its level anew."""
        level = _number(properties.get("lvl", "0")) if properties is not None else 0
        level = min(level, _LEVELS - 1)
        numbers = child(properties, "buAutoNum")
        self._counts[level + 1 :] = [0] * (_LEVELS - level - 1)
        if numbers is None:
            self._counts[level] = 0
            return ""
        start = _number(numbers.get("startAt", "1"))
        self._counts[level] = self._counts[level] + 1 if self._counts[level] else start
        return _shown(self._counts[level], numbers.get("type", "arabicPeriod"))


def _number(text: str) -> int:
    return int(text) if text.isdecimal() and len(text) < 6 else 0


def _shown(number: int, form: str) -> str:
    text = str(number)
    if form.startswith("alpha"):
        text = letters(number)
    elif form.startswith("roman"):
        text = roman(number)
    text = text.upper() if "Uc" in form else text
    if form.endswith("ParenBoth"):
        return f"({text})"
    return f"{text})" if form.endswith("ParenR") else text if form.endswith("Plain") else f"{text}."
