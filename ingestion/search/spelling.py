"""Words that nobody wrote, put right by those of the documents: one letter more, less, wrong or in the other's place.

The edits are Norvig's (2007), ranked by how often they happen (Damerau 1964). Only words of the documents that the caller may
see count, so that nothing is learned from others. The index knows stems, and a stem is near to many words: what the built-in
model's vocabulary has as a whole is an English word and stays, and what it hasn't is taken for wrong less readily.
"""

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache

from ingestion.embed.builtin import BUILTIN_DIR
from ingestion.index.lexical import key_of, terms
from ingestion.releases.candidates import LocalIndex
from ingestion.text.language import guess_language
from ingestion.view import View

_WORD = re.compile(r"(?<![\w.\-/@\u0300-\u036f])[^\W\d_]{3,24}(?![\w@\u0300-\u036f]|[.\-/]\w)")
# Scripts whose words stand between blanks and are letters alone: Latin, Greek, Cyrillic.
_ALPHABETS = range(0x530)
_LETTERS = "abcdefghijklmnopqrstuvwxyzäöüßáàâãéèêíóôõúñçåæø"
# A word of the documents stands in so many passages before another is taken for it.
_FEWEST = 2
# A word is put right by these only where it is long: short ones are near to too many others.
_LONG = 5
_MOST_WORDS = 8
# "Conditioner" is another word than "conditioned", and not a wrong one.
_INFLECTION = re.compile(r"(?:ers?|ed|es|ing|ly|s)$")


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """The words that stand in documents of some languages, as far as a caller may see them."""

    index: LocalIndex
    languages: Sequence[str]
    view: View

    def of(self, language: str) -> "Vocabulary":
        """Those of one language."""
        return replace(self, languages=(language,))

    def counts(self, words: Sequence[str]) -> list[int | None]:
        """In how many passages each word stands, in the language that has most; None for a language's stop word."""
        keys: list[int] = []
        owners: list[int] = []
        best: list[int | None] = [0] * len(words)
        for number, word in enumerate(words):
            analysed = [(terms(word, language), language) for language in self.languages]
            if not all(found for found, _ in analysed):
                best[number] = None
                continue
            every = [key_of(term, language) for found, language in analysed for term in found]
            keys += every
            owners += [number] * len(every)
        for number, count in zip(owners, self.index.frequencies(keys, self.view), strict=True):
            best[number] = max(best[number] or 0, count)
        return best


def respelled(text: str, vocabulary: Vocabulary) -> str:
    """`text` with the words put right that stand in no document; names, numbers and identifiers stay."""
    words = [found for found in _WORD.finditer(text) if _may_be_wrong(text, found)][:_MOST_WORDS]
    counts = vocabulary.counts([found[0].lower() for found in words])
    wrong = [found for found, count in zip(words, counts, strict=True) if count == 0]
    if not wrong:
        return text
    declared = [one for one in vocabulary.languages if len(one) == 2]
    own = vocabulary.of(guess_language(text, declared)) if declared else vocabulary
    parts: list[str] = []
    end = 0
    for found in wrong:
        if better := _nearest(found[0].lower(), own):
            parts += [text[end : found.start()], better]
            end = found.end()
    return "".join([*parts, text[end:]])


def _may_be_wrong(text: str, found: re.Match[str]) -> bool:
    """Capitals within a sentence are names; those of a whole word are abbreviations."""
    word = found[0]
    is_name = not word.islower() and (not word[1:].islower() or bool(text[: found.start()].strip(" ¿¡\"'")))
    is_alphabetic = all(ord(letter) in _ALPHABETS for letter in word)
    return is_alphabetic and not is_name and word.lower() not in _english()


@cache
def _english() -> frozenset[str]:
    """The whole words of the built-in model's vocabulary."""
    vocabulary = json.loads((BUILTIN_DIR / "tokenizer.json").read_text("utf-8"))["model"]["vocab"]
    return frozenset(word for word in vocabulary if word.isalpha() and len(word) > 1)


def _nearest(word: str, vocabulary: Vocabulary) -> str | None:
    """The likeliest word of the documents one edit away, or a stop word; None where there is neither."""
    base = _INFLECTION.sub("", word)
    for edits, is_likely in _edits(word):
        candidates = [
            one
            for one in dict.fromkeys(edits)
            if _INFLECTION.sub("", one) != base and (is_likely or one in _english())
        ]
        counted = list(zip(vocabulary.counts(candidates), candidates, strict=True))
        best = max(
            ((one in _english(), count, one) for count, one in counted if count and count >= _FEWEST),
            default=None,
        )
        # What isn't indexed is a stop word: "teh" means "the".
        plain = next((one for count, one in counted if count is None and len(one) > 1), None)
        if best or plain:
            return best[2] if best else plain
    return None


def _edits(word: str) -> Iterator[tuple[list[str], bool]]:
    """Words one edit away, by kind, the commonest kind of slip first; and whether words that may not be any count too."""
    halves = [(word[:i], word[i:]) for i in range(len(word) + 1)]
    # The first letter is seldom the wrong one.
    yield [a + b[1] + b[0] + b[2:] for a, b in halves[1:] if len(b) > 1 and b[0] != b[1]], True
    yield [a + letter + b for a, b in halves[1:] for letter in _LETTERS], len(word) >= _LONG
    if len(word) >= _LONG:
        yield [a + b[1:] for a, b in halves[1:] if b], False
        yield [a + letter + b[1:] for a, b in halves[1:] if b for letter in _LETTERS if letter != b[0]], False
