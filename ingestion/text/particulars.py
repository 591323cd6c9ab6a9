"""What tells pages apart that are written alike: numbers, numbers of parts, and names.

Pages of one product line share nearly every word. They are siblings, neither copies of each other nor an attack that
repeats itself, where each names something of its own.
"""

import re
from collections import Counter
from collections.abc import Sequence

_WORD = re.compile(r"\w+(?:[-./]\w+)*")
# A capital behind a full stop or at the beginning of a line says nothing.
_BEGIN = re.compile(r"(?:\A|[.!?:\n])[\W_]*\Z")
_BEFORE_CHARS = 8


def particulars(text: str) -> frozenset[str]:
    """Words with a digit, and words with a capital that don't begin a sentence, in small letters."""
    found = set()
    for word in _WORD.finditer(text):
        if any(c.isdigit() for c in word[0]) or (_has_capital(word[0]) and not _begins(text, word.start())):
            found.add(word[0].casefold())
    return frozenset(found)


def _has_capital(word: str) -> bool:
    return len(word) > 1 and word != word.lower()


def _begins(text: str, start: int) -> bool:
    return _BEGIN.search(text, max(0, start - _BEFORE_CHARS), start) is not None


def differ(one: str, other: str) -> bool:
    """Whether one of two texts names what the other doesn't hold in any spelling of its letters."""
    mine, others = particulars(one), particulars(other)
    return bool((mine - others) - _words(other) or (others - mine) - _words(one))


def _words(text: str) -> frozenset[str]:
    return frozenset(_WORD.findall(text.casefold()))


def siblings(pages: Sequence[tuple[str, str]]) -> list[bool]:
    """Of each page, a title and a text: whether it names in both what none of the others names in its title."""
    titles = [frozenset(_WORD.findall(title.casefold())) for title, _ in pages]
    counts = Counter(word for title in titles for word in title)
    return [
        any(counts[word] == 1 for word in title & particulars(text))
        for title, (_, text) in zip(titles, pages, strict=True)
    ]
