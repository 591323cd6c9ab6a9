"""Stop words: an answer ends before the first of them, wherever the pieces of a stream divide it."""

from collections.abc import Sequence


def before_stop(text: str, words: Sequence[str]) -> str:
    """What stands before the first stop word; all of it where there is none."""
    places = [place for word in words if (place := text.find(word)) >= 0]
    return text[: min(places)] if places else text


class StopWords:
    """Feed it pieces of an answer, get back what may be sent: nothing that is a stop word or may yet become one."""

    def __init__(self, words: Sequence[str]) -> None:
        self._words = words
        self._held = ""
        self.is_reached = False

    def feed(self, text: str) -> str:
        """What can be sent now; nothing behind a stop word."""
        if self.is_reached:
            return ""
        text = self._held + text
        ready = before_stop(text, self._words)
        if len(ready) < len(text):
            self.is_reached, self._held = True, ""
            return ready
        cut = len(text) - self._begun(text)
        self._held = text[cut:]
        return text[:cut]

    def close(self) -> str:
        """The rest: what only began like a stop word."""
        rest, self._held = self._held, ""
        return rest

    def _begun(self, text: str) -> int:
        """How many characters at the end may be the beginning of a stop word."""
        longest = max((len(word) for word in self._words), default=1) - 1
        lengths = range(min(longest, len(text)), 0, -1)
        return next((n for n in lengths if any(word.startswith(text[-n:]) for word in self._words)), 0)
