"""Scripts that put no blanks between words, or fasten particles to them: their runs are read in pairs of signs.

Pairs of characters find Chinese as well as a segmenter does (Nie, Gao, Zhang, Zhou 2000) and need no dictionary; Thai, Lao,
Khmer and Burmese are read in pairs of clusters of a consonant and its vowels (Theeramunkong and others 2000).
"""

import re
from collections.abc import Iterator

# Without digits, which are words of their own.
_CJK = (
    "\u2e80-\u2fdf\u3005-\u3007\u3031-\u3035\u303b-\u303c\u3040-\u312f\u3131-\u318e\u31a0-\u31bf\u31f0-\u31ff"
    "\u3400-\u4dbf\u4e00-\u9fff\ua000-\ua48c\uac00-\ud7a3\uf900-\ufaff\uff66-\uff9f\U0001b000-\U0001b16f\U00020000-\U0003ffff"
)
_CLUSTERED = (
    "\u0e01-\u0e3a\u0e40-\u0e4e\u0e81-\u0ece\u0edc-\u0edf\u1000-\u103f\u1050-\u108f\u109a-\u109f\u1780-\u17d3\u17d7\u17dc\u17dd"
    "\u1950-\u1974\u1980-\u19c9\u1a20-\u1a7f\uaa60-\uaa7f\uaa80-\uaadf"
)
_RUN = re.compile(f"[{_CJK}{_CLUSTERED}]+")
_CLUSTER = re.compile(f"[{_CLUSTERED}]")
# One sign: a Thai or Lao consonant with the vowel written before it and all behind it; a Khmer or Burmese one with those below
# it; any other character.
_SIGN = re.compile(
    "[\u0e40-\u0e44]?[\u0e01-\u0e2e][\u0e2f-\u0e3a\u0e45\u0e47-\u0e4e]*+"
    "|[\u0ec0-\u0ec4]?[\u0e81-\u0eae\u0edc-\u0edf][\u0eaf-\u0ebd\u0ec8-\u0ece]*+"
    "|[\u1780-\u17b3](?:\u17d2[\u1780-\u17b3]|[\u17b4-\u17d1\u17d3\u17dd])*+"
    "|[\u1000-\u102a\u103f\u1050-\u1055](?:\u1039[\u1000-\u102a]|[\u102b-\u1038\u103a-\u103e\u1056-\u1059]|[\u1000-\u1021]\u103a)*+"
    "|."
)
# A vowel of Thai and of Lao that is typed as one character or as two.
_APART = (("\u0e4d\u0e32", "\u0e33"), ("\u0ecd\u0eb2", "\u0eb3"))
# A syllabary's signs say nothing alone.
_NOT_KANA = re.compile("[^\u3031-\u3035\u3040-\u30ff\u31f0-\u31ff\uff66-\uff9f\U0001b000-\U0001b16f]")


def parts_of(word: str) -> Iterator[tuple[str, bool]]:
    """The parts of a word, and whether each is a run that is read in pairs."""
    end = 0
    for found in _RUN.finditer(word):
        if found.start() > end:
            yield word[end : found.start()], False
        yield found[0], True
        end = found.end()
    if end < len(word):
        yield word[end:], False


def pairs_of(run: str) -> list[str]:
    """Each two neighbouring signs of a run, and each alone but for kana: many a word is one sign."""
    for apart, whole in _APART:
        run = run.replace(apart, whole)
    signs = _SIGN.findall(run) if _CLUSTER.search(run) else list(run)
    if len(signs) == 1:
        return signs
    pairs = [one + other for one, other in zip(signs, signs[1:], strict=False)]
    return pairs + (_NOT_KANA.findall(run) if len(signs) == len(run) else signs)


def without_runs(text: str) -> str:
    """The text with a blank for each run that is read in pairs."""
    return text if text.isascii() else _RUN.sub(" ", text)


def has_runs(text: str) -> bool:
    """Whether a text has a run that is read in pairs."""
    return _RUN.search(text) is not None
