"""The words of a text with their marks, and the terms of each."""

import re
import unicodedata
from collections.abc import Iterator, Sequence
from functools import cache, lru_cache
from itertools import groupby

from ingestion.index.analysis.languages import is_stop_word, language_of, plain_analyzer, stems_of
from ingestion.index.analysis.letters import folded, is_plain
from ingestion.index.analysis.scripts import has_runs, pairs_of, parts_of

# What is longer is no word; identifiers of that length have a digest.
_LONGEST = 60
# Marks of the scripts in use; with those beyond the basic plane, a class takes a hundred times as long.
_MARKS = range(0x300, 0x10000)
_CYRILLIC = "\u0400-\u052f"


def terms_of_text(text: str, language: str) -> list[str]:
    """The terms of a clean text in a language, in their order: stems, and of scripts without blanks each sign and each two."""
    if language_of(language).is_plain and is_plain(text):
        return list(plain_analyzer(language).analyze(text))
    return [term for word in _word().findall(text) for term in terms_of_word(word, language)]


def terms_of_word(word: str, language: str) -> Sequence[str]:
    """The terms of a word: none of a stop word, one of most, several of a run without blanks."""
    if word.isascii() or not has_runs(word):
        return _terms_of_letters(word, language) if len(word) < _LONGEST else ()
    terms: list[str] = []
    for part, is_run in parts_of(word):
        terms += pairs_of(part) if is_run else terms_of_word(part, language)
    return terms


# Runs hardly ever come again, words do.
@lru_cache(maxsize=100_000)
def _terms_of_letters(word: str, language: str) -> tuple[str, ...]:
    if is_stop_word(word, language):
        return ()
    return tuple(filter(None, stems_of(folded(word, language_of(language).kept), language)))


@cache
def _word() -> re.Pattern[str]:
    """Letters and digits with their marks, and apostrophes within Cyrillic words."""
    marks = (code for code in _MARKS if unicodedata.category(chr(code)).startswith("M"))
    joining = "".join(_ranges(marks))
    return re.compile(rf"(?:[^\W_][{joining}]*+(?:(?<=[{_CYRILLIC}])['’](?=[{_CYRILLIC}]))?)++")


def _ranges(codes: Iterator[int]) -> Iterator[str]:
    """Codes as ranges of a character class."""
    for _, group in groupby(enumerate(codes), lambda pair: pair[1] - pair[0]):
        run = [code for _, code in group]
        yield f"{chr(run[0])}-{chr(run[-1])}"
