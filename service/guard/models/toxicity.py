"""Hate against protected groups. The group is masked before a text is embedded, so the score cannot depend on the group.

Obfuscated spelling is corrected first (letters spaced out, swapped, left out or replaced by digits, words run together);
quotations and counter-speech have features of their own. The cases follow the functions at which hate-speech detectors
fail (Röttger et al. 2021) and counterfactual token fairness (Garg et al. 2019).
"""

import codecs
import re
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path

import numpy as np

from ingestion.detect.decodings import fold
from ingestion.detect.heads import Floats
from ingestion.embed.builtin import BUILTIN_DIR
from ingestion.embed.cached import SentenceEmbedder

TOXICITY_DIR = Path(__file__).parent / "toxicity-minilm-l6-v2"
_LEXICON = Path(__file__).parent / "lexicon"
# Replaces every group. The embedder knows that it means people, and associates it with no group.
_MANY, _ONE, _OF = "Martians", "Martian", "Martian"

_PEOPLE = r"(?:people|persons?|folks?|men|man|women|woman|girls?|boys?|guys?|lads?|lives|kids?|children|child|community|communities|individuals?|couples?|families|workers?|students?)"
_KINDS = (
    r"gay|homosexual|lesbian|bisexual|queer|lgbtq?\+?|trans(?:gender|sexual)?|non-?binary|black|brown|white|asian|african|hispanic|latin[oax]|arab|indigenous"
    r"|native|roma|romani|jewish|muslim|islamic|christian|catholic|hindu|sikh|buddhist|atheist|disabled|handicapped|deaf|blind|autistic|mentally ill"
    r"|mentally disabled|elderly|old|foreign|immigrant|migrant|refugee|chinese|indian|pakistani|mexican|african-american|polish|turkish|syrian|nigerian|female|male|coloured|colored|undocumented"
)
# Also said of things: they name a group only where a word for people follows.
_AMBIGUOUS = frozenset(
    "black white brown native foreign old blind deaf female male indian chinese polish turkish mexican".split()
)
_AMBIGUOUS_WORD = re.compile(rf"\b(?:{'|'.join(sorted(_AMBIGUOUS))})\b", re.IGNORECASE)
_LEAST_LISTED = 4
_ALONE = "|".join(kind for kind in _KINDS.split("|") if kind not in _AMBIGUOUS)
_GROUPS_MANY = (
    r"women|men|females|males|girls|gays|homosexuals|lesbians|bisexuals|queers|transsexuals|transgenders|trans people|blacks|whites|asians|africans|hispanics|latinos|latinas|arabs|jews"
    r"|muslims|christians|catholics|hindus|sikhs|buddhists|atheists|immigrants|migrants|refugees|foreigners|asylum seekers|mexicans|indians|pakistanis|nigerians|turks|poles|syrians|chinese people"
    r"|gypsies|disabled|the disabled|the deaf|the blind|the elderly|aborigines|moslems|people of colou?r|people with disabilities"
)
_GROUPS_ONE = r"woman|female|girl|homosexual|lesbian|bisexual|transsexual|muslim|moslem|christian|catholic|hindu|jew|immigrant|migrant|refugee|foreigner|asylum seeker|mexican|arab|african|asian|atheist|sikh|buddhist|islam"
_GROUP = re.compile(
    rf"\b(?:(?P<many>(?:(?:{_KINDS})[ -]++){{1,8}}(?:people|persons|folks|men|women|girls|boys|guys|lads|lives|kids|children|communit(?:y|ies)|individuals|couples|families|workers|students)|{_GROUPS_MANY})"
    rf"|(?P<one>(?:(?:{_KINDS})[ -]++){{1,8}}(?:person|man|woman|girl|boy|guy|lad|kid|child|individual|worker|student)|{_GROUPS_ONE})|(?P<kind>{_ALONE}))\b",
    re.IGNORECASE,
)
_WORD = re.compile(r"[A-Za-z][A-Za-z'-]*")
# Each run is read once: from its beginning, and without going back.
_TOKEN = re.compile(r"(?<![A-Za-z0-9@$!*#'-])[0-9'-]*+[A-Za-z@$!*#][A-Za-z0-9@$!*#'-]*")
_SPACED = re.compile(r"(?<![^\W_])[^\W_](?:[ .\-_*]++[^\W_]){2,}(?![^\W_])")
_LEET = str.maketrans("013457@$!|", "oieastasil")
_QUOTE = re.compile(r"[\"“”«»]([^\"“”«»]{2,})[\"“”«»]|(?<!\w)['‘]([^'’]{4,1500})['’](?!\w)")
_CUES = (
    r"\b(?:not|n't|never|no|none|nobody|without|isn't|aren't|don't|doesn't|cannot|can't|nor)\b",
    r"\b(?:say(?:s|ing)?|said|call(?:s|ed|ing)?|claim\w*|think(?:s|ing)?|tweet\w*|wrote|writ(?:e|es|ing)|shout\w*|statements? like|words like|phrases? like|comments? like|stuff like|things like|joke)\b",
    r"\b(?:wrong|unacceptable|bigot\w*|racis[tm]\w*|sexis[tm]\w*|homophob\w*|transphob\w*|xenophob\w*|islamophob\w*|ableis[tm]|misogyn\w*|hateful|shame|ashamed|offensive|horrible thing|problem with|misguided|hurtful|disagree|report\w*|ban\w*|stop|must ?n[o']t|should ?n[o']t|nobody should|no one should|why do people|how can|despicable to|wants? to|accus\w*)\b",
    r"\b(?:i'?m|i am|as an?|we|us|my|our)\b", r"\b(?:love|great|proud|beautiful|wonderful|like|respect|deserve|welcome|amazing|brilliant|friends?|equal|support\w*|admire|rights|glad|happy|nice|kind|smart)\b",
    r"\b(?:you|your|youre|you're|u)\b", r"\b(?:them|they|those|these)\b", r"\b(?:all|every|any|most|always|typical|nothing but|just|only)\b", r"\?\s*$",
)  # fmt: skip
_COMPILED = tuple(re.compile(cue, re.IGNORECASE) for cue in _CUES)


def _words(name: str) -> frozenset[str]:
    """A list of words, kept in ROT13 so that nobody has to read it by accident."""
    text = codecs.decode((_LEXICON / f"{name}.rot13").read_text("ascii"), "rot13")
    return frozenset(line.strip() for line in text.splitlines() if line.strip())


@lru_cache(maxsize=1)
def lexicon() -> dict[str, frozenset[str]]:
    """Words by kind: `slurs` against groups, `abuse` of persons, `profanity`."""
    return {name: _words(name) for name in ("slurs", "abuse", "profanity")}


@lru_cache(maxsize=1)
def _hard_words() -> re.Pattern[str]:
    """Words of the lists, also inside other words: `rapefugees` is in no list."""
    listed = {w for words in lexicon().values() for w in words if len(w) >= _LEAST_LISTED and w.isalpha()}
    return re.compile("|".join(sorted(listed, key=lambda word: (-len(word), word))))


@lru_cache(maxsize=1)
def _known_words() -> frozenset[str]:
    """Correctly spelt words: the embedder's vocabulary."""
    from tokenizers import Tokenizer

    vocabulary = Tokenizer.from_file(str(BUILTIN_DIR / "tokenizer.json")).get_vocab()
    return frozenset(word for word in vocabulary if not word.startswith("##"))


@lru_cache(maxsize=1)
def _targets() -> frozenset[str]:
    groups = re.findall(r"[a-z]{4,}", f"{_GROUPS_MANY} {_GROUPS_ONE} {_KINDS}")
    words = {
        "people",
        "should",
        "hate",
        "worth",
        "nothing",
        "disabled",
        "killed",
        "deserve",
        "belong",
        "threat",
        "civilisation",
        "animals",
        "society",
    }
    return frozenset().union(*lexicon().values(), groups, words)


@lru_cache(maxsize=1)
def _misspelt() -> dict[str, str]:
    """Misspellings of the lists' words, with one letter left out or two swapped, and the word for each."""
    found: dict[str, str] = {}
    for word in sorted(_targets()):
        if len(word) < 4:
            continue
        for i in range(len(word)):
            shorter = word[:i] + word[i + 1 :]
            swapped = word[:i] + word[i + 1 : i + 2] + word[i] + word[i + 2 :]
            for variant in (shorter, swapped):
                if len(variant) > 2 and variant not in _known_words() and variant not in _targets():
                    found.setdefault(variant, word)
    return found


@lru_cache(maxsize=1)
def _longest_word() -> int:
    """Characters of the longest word that is known."""
    return max(map(len, _known_words() | _targets()))


def mend(text: str) -> str:
    """The text with obfuscated spelling corrected."""
    text = _SPACED.sub(lambda found: re.sub(r"[ .\-_*]+", "", found[0]), fold(text))
    return _TOKEN.sub(lambda found: _mend_word(found[0]), text)


@lru_cache(maxsize=10_000)
def _mend_word(word: str) -> str:
    plain = word.lower().strip("'!-*#")
    if not plain or plain in _known_words() or plain in _targets():
        return word
    spelt = plain.translate(_LEET).replace("*", "")
    for candidate in (spelt, *(plain.replace("*", letter) for letter in "aeiou")):
        if candidate in _targets() or (candidate != plain and candidate in _known_words()):
            return candidate
    if spelt in _misspelt():
        return _misspelt()[spelt]
    return _parted(spelt) or (spelt if spelt != plain else word)


def _parted(word: str) -> str | None:
    """The two words that were run together, of which one is in the lists."""
    if len(word) > 2 * _longest_word():
        return None
    for i in range(1, len(word)):
        left, right = word[:i], word[i:]
        if right in _targets() and len(right) > 3 and (left in _known_words() or left in _targets()):
            return f"{left} {right}"
        if left in _targets() and len(left) > 3 and right in _known_words() and len(right) > 2:
            return f"{left} {right}"
    return None


def mask_groups(text: str) -> tuple[str, int]:
    """The text with one name in place of every protected group, and how many were named."""
    count = 0

    def mask(found: re.Match[str]) -> str:
        nonlocal count
        count += 1
        return _MANY if found["many"] else _ONE if found["one"] else _OF

    masked = _GROUP.sub(mask, text)
    return masked, count


def texts_and_cues(text: str) -> tuple[str, list[float]]:
    """The texts to embed, and the features that the head gets besides."""
    mended = mend(text)
    words = [word.lower() for word in _WORD.findall(mended)]
    lists = lexicon()
    slurs = sum(
        word in lists["slurs"] or (word.endswith("s") and word[:-1] in lists["slurs"]) for word in words
    )
    masked, groups = mask_groups(mended)
    shown = " ".join(
        _ONE if w.lower().rstrip("s") in lists["slurs"] or w.lower() in lists["slurs"] else w
        for w in masked.split(" ")
    )
    abuse = sum(word in lists["abuse"] for word in words)
    profanity = sum(word in lists["profanity"] for word in words)
    quoted = " ".join("".join(parts) for parts in _QUOTE.findall(mended)).lower()
    abuse_quoted = sum(word in lists["abuse"] for word in _WORD.findall(quoted))
    cues: list[float] = [bool(cue.search(mended)) for cue in _COMPILED]
    flags: list[float] = [
        min(groups, 2) / 2, bool(slurs), min(abuse, 3) / 3, bool(profanity), bool(quoted), bool(abuse_quoted),
        bool(groups or slurs), bool((groups or slurs) and abuse), min(len(words), 30) / 30,
    ]  # fmt: skip
    return shown, [*map(float, cues), *map(float, flags)]


def may_attack(text: str) -> bool:
    """Whether a text names a person or group, or has a word of the lists; the model scores no other text.

    Of HateCheck's 2,237 hateful cases that the model finds, this loses one; nine harmless sentences in ten end here.
    """
    mended = mend(text)
    if _GROUP.search(mended) or _AMBIGUOUS_WORD.search(mended):
        return True
    lists = lexicon()
    lower = mended.lower()
    words = frozenset(_WORD.findall(lower))
    if not all(words.isdisjoint(words_of) for words_of in lists.values()):
        return True
    singular = (word[:-1] for word in words if word.endswith("s"))
    return not lists["slurs"].isdisjoint(singular) or _hard_words().search(lower) is not None


def toxicity_rows(texts: Iterable[str], embedder: SentenceEmbedder) -> Floats:
    """Features of texts, shape `(len(texts), dimension + 36)`: the masked text's vector and the cues, alone and in pairs
    with whether a group is named."""
    prepared = [texts_and_cues(text) for text in texts]
    if not prepared:
        return np.empty((0, 0), np.float32)
    cues = np.array([row for _, row in prepared], np.float32)
    named = cues[:, -3:-2]
    return np.concatenate([embedder.embed([text for text, _ in prepared]), cues, cues * named], axis=1)
