"""When are two questions the same? By their spelling, or by the words that carry their matter.

Vectors can't tell: "Can I cancel before it is shipped?" and "… after it is shipped?" have a cosine of .98, more than most
paraphrases have. So words decide, and a vector may only say no. Knows no vectors.
"""

import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache

from service.feedback.curated.frames import ASKING, DROPPED, OWNERS, PHRASES, SAME_WORDS

# Accents of the Latin, Greek and Cyrillic scripts; marks of other scripts are vowels.
_ACCENT = re.compile("[\u0300-\u036f]")
_APOSTROPHE = re.compile("[’‘`´ʼ]")
# A number with its inner separators and its sign, a word, or a sign that means something, such as € or %.
_WORD = re.compile(
    r"(?<![^\W_])-?\d+(?:[.,:/-]\d+)*|[^\W_]+(?:'[^\W_]+)*|[^\w\s.,;:!?…'\"„“”«»‹›()\[\]{}¿¡‐-―*·•|\\-]"
)
_DOUBLED = re.compile(r"(\w)\1")
_LONG = 6
_PLURAL_FROM = 4


def folded(text: str) -> str:
    """Without the case of letters and accents; apostrophes are alike."""
    plain = _ACCENT.sub("", unicodedata.normalize("NFKD", _APOSTROPHE.sub("'", text)))
    return unicodedata.normalize("NFKC", plain).casefold()


def normalised(text: str) -> str:
    """One spelling for questions that differ in case, accents, punctuation and white space alone."""
    return " ".join(word.replace("'", "") for word in _WORD.findall(folded(text)))


@dataclass(frozen=True, slots=True)
class Matter:
    """What is asked for (`where`, `who`), whose it is, and the other words that carry a question, in their order."""

    asks: frozenset[str]
    owners: frozenset[str]
    words: tuple[str, ...]


@lru_cache(maxsize=4_000)
def matter(question: str) -> Matter:
    """A question without its frame: articles, auxiliaries, politeness, and endings of the plural."""
    text = " ".join(_WORD.findall(folded(question)))
    for pattern, replacement in PHRASES:
        text = pattern.sub(replacement, text)
    words = [word.replace("'", "") for word in text.split()]
    asks = frozenset(ASKING[word] for word in words if word in ASKING)
    owners = frozenset(OWNERS[word] for word in words if word in OWNERS)
    kept = [_stem(word) for word in words if word not in ASKING and word not in DROPPED]
    return Matter(asks, owners, tuple(kept))


def _stem(word: str) -> str:
    """Numbers with a point, words without the `s` of a plural, and of words that mean the same the first."""
    word = SAME_WORDS.get(word, word)
    if word[:1] in "-0123456789":
        return word.replace(",", ".")
    if len(word) >= _PLURAL_FROM and word.endswith("s") and not word.endswith(("ss", "us", "is")):
        word = word[:-1]
    return SAME_WORDS.get(word, word)


def is_same(one: Matter, other: Matter) -> bool:
    """Whether two questions ask the same thing of the same matter.

    The order of words must agree, but for a part that was put in front: "the Hub controls the Drift" is not "the Drift
    controls the Hub". A slip of the keyboard in a long word is passed over. Questions without matter are never the same.
    """
    if one.asks != other.asks or len(one.words) != len(other.words) or not one.words:
        return False
    if one.owners and other.owners and one.owners.isdisjoint(other.owners):
        return False
    size = len(one.words)
    turned = (other.words[first:] + other.words[:first] for first in range(size))
    return any(all(map(_agree, one.words, words)) for words in turned)


def _agree(one: str, other: str) -> bool:
    return one == other or _is_slip(one, other)


def _is_slip(one: str, other: str) -> bool:
    """Two letters changed places, or a letter was doubled or not: "invocie", "adress". Other letters may make another word."""
    if min(len(one), len(other)) < _LONG or not (one.isalpha() and other.isalpha()):
        return False
    if len(one) == len(other):
        differing = [place for place, (a, b) in enumerate(zip(one, other, strict=True)) if a != b]
        if len(differing) != 2 or differing[1] - differing[0] != 1:
            return False
        first, second = differing
        return one[first] == other[second] and one[second] == other[first]
    return _DOUBLED.sub(r"\1", one) == _DOUBLED.sub(r"\1", other)
