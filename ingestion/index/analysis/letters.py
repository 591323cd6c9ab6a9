"""Letters that count as one: with and without accents and vowel marks, forms of alef, final forms, digits of any script."""

import re
import unicodedata
from collections.abc import Iterator
from functools import cache, lru_cache

import tantivy

from ingestion.text.clean import clean_text

# Letters and marks beyond ASCII; most texts in English have none, but for typographic signs.
_BEYOND = re.compile(
    r"[^\x00-\xbf\u2010-\u2029\u2030-\u205e\u20a0-\u20cf\u2190-\u245f\u2500-\u2bff]|[ªº\xad]"
)
# Accents that Unicode has not composed, Cyrillic titles, Hebrew points, Arabic vowel marks with tatweel, and the apostrophe
# within a Cyrillic word, which has three forms and is often left out.
_LOOSE = re.compile(
    "[\u0300-\u036f\u0483-\u0487\u0591-\u05bd\u05bf\u05c1\u05c2\u05c4\u05c5\u05c7\u0610-\u061a\u0640\u064b-\u065f\u0670"
    "\u06d6-\u06dc\u06df-\u06e8\u06ea-\u06ed\u1ab0-\u1aff\u1dc0-\u1dff'’ʼ]+"
)
# Arabic as it is typed: without hamza, with the Persian or Urdu key; ta marbuta as ha and alef maksura as ya.
_ARABIC = {
    **dict.fromkeys("أإآٱ", "ا"),
    **dict.fromkeys("ىیېئ", "ي"),
    **dict.fromkeys("ةۀەہھۂۃ", "ه"),
    "ک": "ك",
    "ؤ": "و",
}
_CYRILLIC = {"ё": "е", "ґ": "г", "ѐ": "е", "ѝ": "и"}
# Nukta and candrabindu are written or not.
_INDIC = {"\u093c": "", "\u0901": "\u0902", "\u09bc": "", "\u0981": "\u0982", "\u0a3c": "", "\u0abc": ""}
_ZEROS = "٠۰߀०০੦૦୦௦౦೦൦๐໐༠၀០᠐"  # of Arabic, Persian, N'Ko, ten scripts of India, Thai, Lao, Tibetan, Burmese, Khmer, Mongolian
# With raised, lowered and circled digits.
_LATIN = (
    range(0xAA, 0x2B0),
    range(0x1E00, 0x1F00),
    range(0x2070, 0x20A0),
    range(0x2460, 0x2500),
    range(0x2C60, 0x2C80),
)
_GREEK = (range(0x370, 0x400), range(0x1F00, 0x2000))


def is_plain(text: str) -> bool:
    """Whether all letters of a text are ASCII's."""
    return text.isascii() or not _BEYOND.search(text)


def readable(text: str) -> str:
    """The text clean, as documents are before they come here; questions are as they were typed."""
    if is_plain(text) or (unicodedata.is_normalized("NFC", text) and not any(map(_is_odd, set(text)))):
        return text
    return clean_text(text)


@lru_cache(maxsize=20_000)
def _is_odd(character: str) -> bool:
    """Whether cleaning changes a character within a line."""
    return clean_text(f"a{character}a") != f"a{character}a"


def folded(word: str, kept: str = "") -> str:
    """A clean word in small letters without accents, vowel marks and other forms of its letters; letters of `kept` stay."""
    lowered = word.lower()
    if lowered.isascii():
        return lowered
    return _LOOSE.sub("", lowered).translate(_folds(kept))


@cache
def _folds(kept: str) -> dict[int, str]:
    """What each letter becomes."""
    digits = {chr(ord(zero) + n): str(n) for zero in _ZEROS for n in range(10)}
    every = {**dict(_latin()), **dict(_greek()), **_ARABIC, **_CYRILLIC, **_INDIC, **digits}
    return {ord(letter): to for letter, to in every.items() if letter not in kept}


def _latin() -> Iterator[tuple[str, str]]:
    """As tantivy folds what is behind a stemmer."""
    builder = tantivy.TextAnalyzerBuilder(tantivy.Tokenizer.raw())
    fold = builder.filter(tantivy.Filter.ascii_fold()).build()
    for letter in (chr(code) for codes in _LATIN for code in codes):
        yield letter, fold.analyze(letter)[0]


def _greek() -> Iterator[tuple[str, str]]:
    for letter in (chr(code) for codes in _GREEK for code in codes):
        yield letter, unicodedata.normalize("NFD", letter)[0]
    yield "ς", "σ"
