"""How each language stems its words: by Snowball, by a short list of endings, or by the first letters.

Accents fold before the stemmer, so that a word has one term with and without them. Where a stemmer needs an accent, it is put
back by the word's ending, for both spellings. XQuAD nDCG@10 of BM25, questions as written and without accents: Spanish
.963/.961 with accents folded behind the stemmer, .963/.963 before it, .961/.964 with both terms.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache

import tantivy

from ingestion.index.analysis.letters import folded

# Bytes: sixty letters, of which many scripts' take three.
_LONGEST_ENGLISH, _LONGEST = 60, 180


@dataclass(frozen=True, slots=True)
class Language:
    """`stemmer` is Snowball's name. `kept` are letters that it reads, which fold behind it. `accents` are endings and
    function words that have one, as people type them and as they are spelled. A word has a term for each number of its `first`
    letters; from these the first of the `endings` that leaves `least` letters is taken off."""

    stemmer: str = ""
    has_stop_words: bool = False
    kept: str = ""
    accents: tuple[tuple[str, str], ...] = ()
    first: tuple[int, ...] = ()
    endings: tuple[str, ...] = ()
    least: int = 3

    @property
    def is_plain(self) -> bool:
        """Whether the library's analysis of an ASCII text is all there is to do."""
        return not (self.accents or self.endings or self.first)


def _snowball(name: str, *, accents: str = "", kept: str = "") -> Language:
    pairs = [one.rsplit("=", 1) for one in accents.split()]
    return Language(name, True, kept, tuple((typed, spelled) for typed, spelled in pairs))


# Spelled-out umlauts; behind a vowel or q the letters are themselves: neue, Quelle.
_UMLAUTS = r"ae=ä oe=ö (?<![aeiouäöq])ue=ü"
_FRENCH = r"ee$=ée ees$=ées iere$=ière ieres$=ières ^meme$=même ^etaient$=étaient ^etait$=était"
_PORTUGUESE = (
    r"cao$=ção coes$=ções sao$=são soes$=sões encia$=ência encias$=ências ancia$=ância ancias$=âncias avel$=ável ivel$=ível"
    r" ^nao$=não ^tambem$=também ^ate$=até ^voce$=você ^voces$=vocês"
)
_ITALIAN = r"(?<=\w\w)ita$=ità ^piu$=più ^perche$=perché"
_SPANISH = r"^tambien$=también ^estan$=están"
_HINDI = (
    "ाएंगी ाएंगे ाऊंगी ाऊंगा ाएगी ाएगा ाओगी ाओगे एंगी ेंगी एंगे ेंगे ूंगी ूंगा ातीं नाओं नाएं ताओं ताएं ियां ियों ाकर ाइए ाईं ाया ेगी ेगा ोगी ोगे"
    " ाने ाना ाते ाती ाता तीं ाओं ाएं ुओं ुएं ुआं कर ाओ िए ाई ाए ने नी ना ते ती ता ां ों ें ीं ो े ू ु ी ि ा"
)
# Of Persian: plurals, with what joins them to the next word, and comparatives.
_PERSIAN = "هايشان هايي هايم هايت هايش هاي ها ترين تر"
# The first letters find Turkish as well as a lemmatiser does (Can and others 2008) and other languages that inflect richly
# about as well as Snowball (McNamee and Mayfield 2004).
_FIRST = 5
_VOWELS = tuple("aeiouyаеиоуыэюяіїє")
_TURKIC = "tr az tk uz kk ky tt"
_INFLECTING = "pl cs sk uk be bg mk hr sr bs sl lv lt et sq ka hy mn eu is ga cy mt la eo ca gl"

_LANGUAGES: Mapping[str, Language] = {
    "en": _snowball("english"),
    "de": _snowball("german", kept="äöüß", accents=_UMLAUTS),
    "es": _snowball("spanish", accents=_SPANISH),
    "fr": _snowball("french", accents=_FRENCH),
    "nl": _snowball("dutch"),
    "it": _snowball("italian", accents=_ITALIAN),
    "pt": _snowball("portuguese", accents=_PORTUGUESE),
    "sv": _snowball("swedish"),
    "da": _snowball("danish"),
    **dict.fromkeys(("no", "nb", "nn"), _snowball("norwegian")),
    "fi": _snowball("finnish"),
    "ru": _snowball("russian"),
    "hu": _snowball("hungarian"),
    "ro": Language("romanian"),
    "ar": Language("arabic", kept="ةىئؤ"),
    "el": Language("greek"),
    "ta": Language("tamil"),
    **dict.fromkeys(("hi", "mr", "ne"), Language(endings=tuple(_HINDI.split()), least=2)),
    "fa": Language(endings=tuple(_PERSIAN.split())),
    **dict.fromkeys(_TURKIC.split(), Language(first=(_FIRST, _FIRST - 1))),
    **dict.fromkeys(_INFLECTING.split(), Language(first=(_FIRST,), endings=_VOWELS)),
}
_ANY = Language()


def language_of(code: str) -> Language:
    """How a language (ISO 639-1) is stemmed; one that isn't known keeps its words whole."""
    return _LANGUAGES.get(code, _ANY)


@cache
def plain_analyzer(code: str) -> tantivy.TextAnalyzer:
    """Of a text without letters beyond ASCII: words, in small letters, without stop words, stemmed."""
    language = language_of(code)
    longest = _LONGEST_ENGLISH if language.stemmer == "english" else _LONGEST
    builder = tantivy.TextAnalyzerBuilder(tantivy.Tokenizer.simple())
    builder = builder.filter(tantivy.Filter.remove_long(longest)).filter(tantivy.Filter.lowercase())
    if language.has_stop_words:
        builder = builder.filter(tantivy.Filter.stopword(language.stemmer))
    if language.stemmer:
        builder = builder.filter(tantivy.Filter.stemmer(language.stemmer))
    return builder.filter(tantivy.Filter.ascii_fold()).build()


def is_stop_word(word: str, code: str) -> bool:
    """Whether a word, as it is written, says nothing in a language."""
    language = language_of(code)
    if not language.has_stop_words:
        return False
    lowered = word.lower()
    spelled = _accented(lowered, code) if lowered.isascii() else lowered
    return not _stops(language).analyze(spelled)


def stems_of(word: str, code: str) -> Iterable[str]:
    """The terms of a folded word, which isn't a stop word."""
    language = language_of(code)
    if language.stemmer:
        stemmed = _stems(language).analyze(_accented(word, code))
        return [folded(one) for one in stemmed]
    if any(character.isdecimal() for character in word):
        return [word]
    return dict.fromkeys(_without_ending(word[:first], language) for first in language.first or (None,))


def _without_ending(word: str, language: Language) -> str:
    found = (word.removesuffix(ending) for ending in language.endings if word.endswith(ending))
    return next((stem for stem in found if len(stem) >= language.least), word)


def _accented(word: str, code: str) -> str:
    """The word with the accent that its ending has in the language; it is typed without one as often as not."""
    for typed, spelled in _accents(code):
        word = typed.sub(spelled, word)
    return word


@cache
def _accents(code: str) -> tuple[tuple[re.Pattern[str], str], ...]:
    return tuple((re.compile(typed), spelled) for typed, spelled in language_of(code).accents)


@cache
def _stops(language: Language) -> tantivy.TextAnalyzer:
    builder = tantivy.TextAnalyzerBuilder(tantivy.Tokenizer.raw())
    return builder.filter(tantivy.Filter.stopword(language.stemmer)).build()


@cache
def _stems(language: Language) -> tantivy.TextAnalyzer:
    builder = tantivy.TextAnalyzerBuilder(tantivy.Tokenizer.raw())
    builder = builder.filter(tantivy.Filter.stemmer(language.stemmer))
    return builder.filter(tantivy.Filter.ascii_fold()).build()
