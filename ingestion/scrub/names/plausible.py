"""Whether what the name model took for a person can be one: technical text is full of words that nobody is called.

The model knows sentences about people. Options, settings, products and headings look like rare names to it; what stands
around them, and the lexicon, tell them apart.
"""

import re
from collections.abc import Iterable

from ingestion.scrub.names.lexicon import Lexicon

# A part of an option, a path, a setting or a call, and no word by itself.
_JOINED_BEFORE = re.compile(r"[\w/\\=$%&#.][-]{1,2}\Z|[_/\\=$%&#~^]\Z|[\w)]\.\Z|\w\Z")
_OPTION = re.compile(r"(?<!\w)--?\Z")
_JOINED_AFTER = re.compile(r"[_/\\=(]|-\w|\.\w|::|\w")
_WORD = re.compile(r"[^\W\d_]+(?:['’.-][^\W\d_]+)*")
_STRUCTURE = re.compile(
    r"(?:appendi\w+|chapters?|sections?|figures?|fig|tables?|parts?|volume|annex\w*|anhang|kapitel|abschnitt|abbildung|tabelle"
    r"|teil|ap[eé]ndice|cap[ií]tulo|secci[oó]n|figura|tabla|chapitre|annexe|tableau)\b",
    re.IGNORECASE,
)
_CALENDAR = frozenset(
    "mon tue wed thu fri sat sun jan feb mar apr may jun jul aug sep sept oct nov dec monday tuesday wednesday thursday friday"
    " saturday sunday".split()
)
_ARTICLES = frozenset(
    "the a an this that these those no not all any some each every your our my its der die das den dem des ein eine einen einem"
    " einer eines kein keine el los las un una unos unas lo le les une des il gli una het een".split()
)
_PARTICLES = frozenset(
    "van von der den de la le du di da dos del bin ibn al el ten ter te af av zu und y e".split()
)
# The number of a section, behind which a heading begins.
_SECTION = re.compile(r"(?:\d\.\d+\.?|[A-Z]\.\d+\.?)\s\Z")
_SMALL_WORD = re.compile(r"(?<![\w@.])[a-zß-ÿ]{3,}(?![\w@])")
_AROUND_CHARS = 30
_SHORT_CAPITALS = 4


def may_be_person(text: str, start: int, end: int, lexicon: Lexicon) -> bool:
    """Whether `text[start:end]` can be somebody's name."""
    value = text[start:end]
    before, after = text[max(0, start - _AROUND_CHARS) : start], text[end : end + 2]
    if _JOINED_BEFORE.search(before) or _JOINED_AFTER.match(after) or _STRUCTURE.match(value):
        return False
    words = [word for word in _WORD.findall(value) if len(word) > 1]
    if all(word in _PARTICLES for word in words) or any(c.isdigit() for c in value):
        return False
    if words[0].casefold() in _ARTICLES and len(words) > 1:
        return False
    if value.islower():
        return not _OPTION.search(before) and any(not lexicon.is_ordinary(word) for word in words)
    if any(lexicon.is_name(word) for word in words):
        return words[0].casefold() not in _CALENDAR or len(words) > 1
    if words[0].casefold() in _ARTICLES | _CALENDAR or _SECTION.search(before):
        return False
    return _is_written_as_a_name(words, lexicon)


def _is_written_as_a_name(words: list[str], lexicon: Lexicon) -> bool:
    """Whether words that nobody is known by may be a name: no abbreviation, not ordinary all, none in small letters."""
    if len(words) == 1:
        if "-" in words[0] and lexicon.is_ordinary(words[0]):
            return False
        return not (words[0].isupper() and len(words[0]) <= _SHORT_CAPITALS)
    if any(word.islower() and word not in _PARTICLES for word in words):
        return False
    return not all(lexicon.is_ordinary(word) for word in words)


def small_words(texts: Iterable[str]) -> frozenset[str]:
    """The words that texts have in small letters, but for those of e-mail addresses."""
    return frozenset(word for text in texts for word in _SMALL_WORD.findall(text))


def is_a_thing(value: str, known_words: frozenset[str], lexicon: Lexicon) -> bool:
    """Whether texts that write it with a capital have it in small letters too, as they do with programs, and nobody is
    known by it."""
    words = _WORD.findall(value)
    return all(word.casefold() in known_words and not lexicon.is_name(word) for word in words)
