"""Words of several languages in which nobody is named, and occupations, from Faker."""

from collections.abc import Mapping, Sequence
from functools import cached_property

from faker import Faker

from finetune.names.draw import Draw
from finetune.names.people import Names

# Locales for which Faker has words of the language rather than Latin ones; those named more often are drawn more often.
WORDY = "en_US en_US en_US de_DE de_DE es_ES fr_FR nl_BE it_IT da_DK pl_PL cs_CZ".split()
_WITH_JOBS = "en_US en_GB de_DE es_ES fr_FR".split()


class Prose:
    """Draws sentences, headings and occupations. A word that is somebody's given name is left out."""

    def __init__(self, draw: Draw, names: Sequence[Names], fakers: Mapping[str, Faker]) -> None:
        self._draw, self._names, self._fakers = draw, names, fakers

    @cached_property
    def _given(self) -> frozenset[str]:
        return frozenset(name.casefold() for names in self._names for name in names.given)

    def _words(self, count: int) -> list[str]:
        """Words of one language, none of which is somebody's name."""
        words = self._fakers[self._draw.choice(WORDY)].words(count + 3)
        return [word for word in map(str, words) if word.casefold() not in self._given][:count] or ["and"]

    def lorem(self) -> str:
        """A sentence of real words in one of several languages, in no sensible order."""
        text = " ".join(self._words(self._draw.number(3, 14)))
        return text[0].upper() + text[1:] + self._draw.pick(".", ".", ".", "?", "")

    def heading(self) -> str:
        """One to four words, most of them with a capital."""
        style = self._draw.share()
        text = " ".join(self._words(self._draw.number(1, 4)))
        return text.title() if style < 0.5 else text[0].upper() + text[1:] if style < 0.9 else text.upper()

    def job(self) -> str:
        """An occupation."""
        return str(self._fakers[self._draw.choice(_WITH_JOBS)].job())
