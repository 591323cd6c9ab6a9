"""Do these passages answer this question? A calibrated guess, made before anything is generated.

It is made in two looks: most questions are decided by scores that retrieval has anyway, and only for the rest does the
cross-encoder read the best passage, which takes several times as long as everything else.
"""

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from ingestion.corpus import Hit
from ingestion.index.lexical import names
from ingestion.index.lexical import terms as terms_of
from ingestion.search.abbreviations import asked_abbreviation, tells_expansion
from service.answer.calibrations import AbstentionWeights, Calibration, FirstLook
from service.answer.rewrite.languages import GRAMMARS
from service.answer.sentences import SentenceScores
from service.answer.statements import asks_for_price, tells_price

FIRST_FEATURES = ("dense", "cosine", "score", "union")
FEATURES = (*FIRST_FEATURES, "answers")
_LEAST = 1e-6
# What "and of X?" loses in log odds where no passage has X. On the conversations of `evals/cases` every word of an
# answerable fragment was in the passages but in 1 of 45, and none of an unanswerable one in 27 of 31; 5 takes a sure guess
# (.97) below the demo's floor, and as much as half of it leaves doubt.
_UNNAMED = 5.0
# How sure it is that a passage answers which spells out the abbreviation in question.
_SPELLED_OUT = 0.95
# So much of the longer of two words the shorter one has, where they are forms or parts of one another.
_LEAST_SHARED_CHARS = 5
# A product with its number, as in PostgreSQL 18.
_VERSION = re.compile(r"\b([A-Z][\w+]{2,30})\s(?:version\s)?v?(\d{1,4}(?:\.\d{1,4}){0,3})\b")
_READ_CHARS = 2_000
_WORD = re.compile(r"\w+")
_MOST_KEYWORDS = 12
_ASKS_FOR = {"en": "What is {}?", "de": "Was ist {}?", "es": "¿Qué es {}?", "fr": "Qu'est-ce que {} ?"}


@dataclass(frozen=True, slots=True)
class Relevance:
    """The probability, between 0 and 1, that the passages answer, and what it rests on.

    Without weights it is 1, below no floor, and 0 where nothing was found. `answers` is None where the first look was sure.
    """

    probability: float
    dense: float
    cosine: float
    score: float
    union: float
    answers: float | None


def answerability(
    hits: Sequence[Hit], scored: SentenceScores, fitted: Calibration, read: Callable[[], float]
) -> Relevance:
    """Judge the hits of a question by their scored sentences, and where these leave a doubt by `read`, which gives the
    probability that the best passage answers."""
    if not hits or not scored.sentences:
        return Relevance(0.0, 0.0, 0.0, 0.0, 0.0, None)
    best = max(scored.sentences, key=lambda sentence: sentence.plain)
    seen = {
        "dense": max(hit.scores["dense"] for hit in hits),
        "cosine": best.cosine,
        "score": best.plain,
        "union": scored.union,
    }
    if fitted.abstention is None:
        return Relevance(1.0, **seen, answers=None)
    first = fitted.first_look
    if first is not None:
        probability = _probability(seen, first, FIRST_FEATURES)
        if not first.least <= probability <= first.most:
            return Relevance(probability, **seen, answers=None)
    sure = min(max(read(), _LEAST), 1 - _LEAST)
    seen["answers"] = math.log(sure / (1 - sure))
    return Relevance(_probability(seen, fitted.abstention, FEATURES), **seen)


def _probability(
    seen: Mapping[str, float], weights: AbstentionWeights | FirstLook, features: Sequence[str]
) -> float:
    logit = weights.bias + sum(getattr(weights, name) * seen[name] for name in features)
    return 1 / (1 + math.exp(-logit))


def about_named(relevance: Relevance, named: str, hits: Sequence[Hit], language: str) -> Relevance:
    """The relevance of passages to a follow-up that puts `named` in the place of a part of the question before.

    The rest of the question is the earlier one, which the passages answer, so that the guess hardly sees that they don't
    know the new part. Passages in another language than the question say it with other words, and nothing is concluded.
    """
    wanted = frozenset(terms_of(named, language))
    if not hits or not wanted or hits[0].chunk.language != language:
        return relevance
    said = frozenset(term for hit in hits for term in terms_of(hit.chunk.embedded_text, language))
    unsaid = [term for term in wanted if not _is_said(term, said)]
    # Passages on the E27 say nothing of the E40, whatever else is asked.
    is_other = any(_is_identifier(term) for term in unsaid)
    missing = 1.0 if is_other else len(unsaid) / len(wanted)
    return _less(relevance, missing) if missing else relevance


def as_question(text: str, language: str) -> str:
    """A question as it is, and keywords as a question for what they name: the cross-encoder learned from whole questions."""
    grammar = GRAMMARS.get(language)
    words = _WORD.findall(text[:_READ_CHARS].casefold())
    is_short = 1 < len(words) <= _MOST_KEYWORDS and not text.rstrip().endswith("?")
    if grammar is None or not is_short or not grammar.function_words.isdisjoint(words):
        return text
    return _ASKS_FOR[language].format(text.strip())


def about_price(relevance: Relevance, question: str, hits: Sequence[Hit]) -> Relevance:
    """The relevance of passages to a question for a price: those that name no amount of money don't answer it."""
    if not hits or not asks_for_price(question) or any(tells_price(hit.chunk.text) for hit in hits):
        return relevance
    return _less(relevance, 1.0)


def about_abbreviation(relevance: Relevance, question: str, hits: Sequence[Hit]) -> Relevance:
    """The relevance of passages to a question for what an abbreviation is short for: one that spells it out answers."""
    abbreviation = asked_abbreviation(question)
    if abbreviation and any(tells_expansion(hit.chunk.text, abbreviation) for hit in hits):
        return replace(relevance, probability=max(relevance.probability, _SPELLED_OUT))
    return relevance


def about_asked(relevance: Relevance, question: str, hits: Sequence[Hit]) -> Relevance:
    """The relevance of passages to a question that asks for something by its very name.

    Passages that lack an option, a part number or a code say nothing of it, and those on another version of a product
    than the one that is asked for, and never on this one, are about the other.
    """
    versions = _VERSION.findall(question[:_READ_CHARS])
    if not hits or not (versions or names(question, hits[0].chunk.language)):
        return relevance
    texts = [hit.chunk.embedded_text for hit in hits]
    missing = min(
        _share_missing(question, text, hit.chunk.language) for hit, text in zip(hits, texts, strict=True)
    )
    missing += any(_is_other_version(name, number, texts) for name, number in versions)
    return _less(relevance, missing) if missing else relevance


def _share_missing(question: str, text: str, language: str) -> float:
    """The share of what a question names that a text lacks."""
    named = names(question, language)
    return len(named.difference(terms_of(text, language))) / max(len(named), 1)


def _is_other_version(name: str, number: str, texts: Sequence[str]) -> bool:
    """Whether texts name a product with other numbers alone."""
    named = re.compile(rf"\b{re.escape(name)}\s{{1,3}}(?:version\s)?v?(\d+(?:\.\d+)*)", re.IGNORECASE)
    found = {match for text in texts for match in named.findall(text)}
    return bool(found) and not any(
        f"{one}.".startswith(f"{number}.") or f"{number}.".startswith(f"{one}.") for one in found
    )


def _less(relevance: Relevance, missing: float) -> Relevance:
    """The relevance where so large a share of what is named is missing."""
    sure = min(max(relevance.probability, _LEAST), 1 - _LEAST)
    logit = math.log(sure / (1 - sure)) - _UNNAMED * missing
    return replace(relevance, probability=1 / (1 + math.exp(-logit)))


def _is_said(term: str, said: frozenset[str]) -> bool:
    """Whether a word or, as in German compounds, a part of it is among others; an identifier must be there as it is."""
    if term in said:
        return True
    if _is_identifier(term) or len(term) < _LEAST_SHARED_CHARS:
        return False
    return any(
        len(one) >= _LEAST_SHARED_CHARS and (one.startswith(term) or term.startswith(one)) for one in said
    )


def _is_identifier(term: str) -> bool:
    """Whether a term has a digit or a sign; a mark of a script that writes its vowels so is none."""
    return any(character.isascii() and not character.isalpha() for character in term)
