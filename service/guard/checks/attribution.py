"""What supports each sentence that a model writes: the passage it names, another one, or none.

What is plain is decided without a model: a quotation, or a sentence all of whose numbers, names and rare words stand
in a sentence of the passage. The judge of the model tier reads the rest.
"""

import re
from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Literal

from ingestion.index.lexical import terms
from ingestion.text.sentences import sentence_spans
from service.guard.chain import Verdict, outcome_of
from service.guard.checks.citations import MARKER, cited_in, without_markers
from service.guard.checks.exact import REMOVED, numbers_in
from service.guard.failure import failed
from service.guard.models.tier import Supports
from service.scope.policy import Rule

_NOT = re.compile(
    r"\b(?:not|no|never|none|nobody|nothing|neither|nor|without|cannot|only|unless|except|nicht|kein\w{0,2}|nie|ohne|nur"
    r"|nunca|sin|ni|ne|pas|sans|sauf|non|mai|senza|solo|sólo|não|sem|niet|geen|zonder)\b|n['’]t\b",
    re.IGNORECASE,
)
# Words with which models frame an answer, as the index has them.
_FRAME = frozenset(
    terms("yes no sure okay answer question passage document text information provided according based", "en")
)
# Share of a sentence's own words that one sentence of a passage must hold, so that no model is asked.
_PLAIN = 0.85
# Words of a sentence or row that, taken over whole, says the same in an answer.
_LEAST_UNIT = 4
# A passage that shares less is not asked about, unless it is the nearest or the model named it.
_LEAST_SHARED = 0.2
# Passages that the judge reads for one sentence, besides those that the model named.
_MOST_OTHERS = 2
# Sentences whose score is this share of the best one's are likely to answer. What a sentence says beyond the question must
# stand there: its numbers, or where it has none this share of its words. Chosen on the demo with one small model, see
# DECISIONS 47; `touchstone evals run answers --generator URL` measures what they do for another.
_NEAR_BEST, _SAID_THERE = 0.9, 0.7

By = Literal["model", "service"]


@dataclass(frozen=True, slots=True)
class Attributed:
    """A sentence as it may leave. `citations` are the passages that support it, and `cited_by` says who found them.

    `says` is False for what claims nothing: a greeting, a repeated question, a citation alone. `answers`: what it says
    beyond the question stands in a sentence that is among the likeliest to answer.
    """

    text: str
    citations: tuple[int, ...] = ()
    cited_by: By | None = None
    says: bool = True
    answers: bool = False
    verdicts: tuple[Verdict, ...] = ()


@dataclass(frozen=True, slots=True)
class _Claim:
    """What a sentence claims: its text without markers, its own words as the index has them, its numbers."""

    text: str
    words: frozenset[str]
    numbers: frozenset[str]
    is_negated: bool


@dataclass(frozen=True, slots=True)
class Likely:
    """A sentence of a passage with the heading above it, and how likely it is to answer, by retrieval's score."""

    passage: int
    text: str
    score: float


class Attribution:
    """Attributes the sentences of one answer. `support` raises `TimeoutError` when it is late.

    `likely` are the passages' sentences; without them every sentence that is supported counts as an answer. `language`
    is that of the passages.
    """

    def __init__(
        self,
        support: Supports,
        passages: Sequence[str],
        question: str,
        rule: Rule,
        likely: Sequence[Likely] = (),
        *,
        language: str = "en",
    ) -> None:
        self._support = support
        self._passages = list(passages)
        self._language = language
        self._question = _claim(question, language)
        self._rule = rule
        self._seen: set[str] = set()
        best = max((one.score for one in likely), default=0.0)
        near = [one for one in likely if one.score >= _NEAR_BEST * best]
        self._likely = [(one.passage, _claim(one.text, language)) for one in near] if best > 0 else None

    def attribute(self, sentence: str) -> Attributed:
        """The sentence with the markers that it deserves."""
        claim = _claim(without_markers(sentence), self._language)
        if self._is_repeated(claim):
            return Attributed("", says=False)
        if self._says_nothing(claim):
            return Attributed(without_markers(sentence), says=False)
        named = [n for n in dict.fromkeys(cited_in(sentence)) if 1 <= n <= len(self._passages)]
        try:
            found = self._judged(sentence, claim, named)
        except Exception as exc:  # noqa: BLE001 - any failure of a guard is the policy's to answer
            found = self._unjudged(sentence, claim, named, failed("grounding", "output", self._rule, exc))
        return replace(found, answers=self._answers(claim, found.citations))

    def _answers(self, claim: _Claim, citations: Sequence[int]) -> bool:
        """Whether what a claim says beyond the question stands in a likely sentence of a passage that supports it."""
        if self._likely is None or not citations:
            return bool(citations)
        words = claim.words - self._question.words
        numbers = claim.numbers - self._question.numbers
        return bool(words or numbers) and any(
            passage in citations
            and numbers <= one.numbers
            and (numbers or len(words & one.words) >= _SAID_THERE * len(words))
            for passage, one in self._likely
        )

    def _is_repeated(self, claim: _Claim) -> bool:
        """Whether the answer has said this before."""
        key = " ".join(claim.text.casefold().split())
        is_repeated = key in self._seen
        self._seen.add(key)
        return is_repeated and bool(claim.words)

    def _says_nothing(self, claim: _Claim) -> bool:
        """Whether a sentence has no words or numbers of its own, or repeats the question."""
        said = claim.words | claim.numbers
        if not said or (claim.text.rstrip().endswith("?") and claim.words <= self._question.words):
            return True
        return (
            REMOVED in claim.text
            and not _words_of(claim.text.replace(REMOVED, " "), self._language) - self._question.words
        )

    def _judged(self, sentence: str, claim: _Claim, named: list[int]) -> Attributed:
        shares = {
            n: _shared(claim, passage, self._language) for n, passage in enumerate(self._passages, start=1)
        }
        ranked = sorted(shares, key=lambda n: -shares[n])
        for n in [*named, *ranked]:
            if _is_plain(claim, self._passages[n - 1], self._language):
                return _attributed(sentence, (n,), named)
        quoted = self._quoted(claim, [*named, *(n for n in ranked if n not in named)])
        if quoted:
            return _attributed(sentence, quoted, named)
        if named and self._supports(claim, named):
            return _attributed(sentence, self._needed(claim, named), named)
        others = [n for n in ranked if n not in named]
        # A paraphrase may share no word with the passage that it comes from, so that the nearest is always read.
        for n in [n for i, n in enumerate(others[:_MOST_OTHERS]) if not i or shares[n] >= _LEAST_SHARED]:
            if self._supports(claim, [n]):
                return _attributed(sentence, (n,), named)
        verdict = Verdict("grounding", "output", outcome_of(self._rule), "UNSUPPORTED", 1.0, 0, len(sentence))
        return Attributed(_marked(sentence, ()), verdicts=(verdict,))

    def _quoted(self, claim: _Claim, order: Sequence[int]) -> tuple[int, ...]:
        """The passages of whose whole sentences, lines or rows a claim is made; the last may have been cut off."""
        rest = _folded(claim.text)
        cited: list[int] = []
        while rest:
            found = next(
                (
                    (n, unit)
                    for n in order
                    for unit in _units_of(self._passages[n - 1], self._language)
                    if _begins_with(rest, unit)
                ),
                None,
            )
            if found is None:
                return ()
            number, unit = found
            cited.append(number)
            rest = rest[len(unit) :].lstrip(" .!?…;,")
        return tuple(dict.fromkeys(cited))

    def _unjudged(self, sentence: str, claim: _Claim, named: list[int], late: Verdict) -> Attributed:
        """Without the judge a named passage is believed where it shares the sentence's words."""
        shares = {
            n: _shared(claim, passage, self._language) for n, passage in enumerate(self._passages, start=1)
        }
        best = max(shares, key=lambda n: (shares[n], n in named), default=0)
        if best and shares[best] >= 0.6 and claim.numbers <= numbers_in(self._passages[best - 1]):
            return replace(_attributed(sentence, (best,), named), verdicts=(late,))
        rule = "NOTHING_SHARED" if not best or shares[best] < _LEAST_SHARED else "UNSUPPORTED"
        verdict = Verdict("grounding", "output", outcome_of(self._rule), rule, 1.0, 0, len(sentence))
        return Attributed(_marked(sentence, ()), verdicts=(late, verdict))

    def _supports(self, claim: _Claim, numbers: Sequence[int]) -> bool:
        passages = [self._passages[n - 1] for n in numbers]
        return self._support(claim.text, passages) >= self._rule.threshold

    def _needed(self, claim: _Claim, named: Sequence[int]) -> tuple[int, ...]:
        """Of several passages that support a sentence together, those that share something with it."""
        shared = tuple(
            n for n in named if _shared(claim, self._passages[n - 1], self._language) >= _LEAST_SHARED
        )
        return shared or tuple(named[:1])


class TimedSupport:
    """A judge in a thread, which is not waited for longer than the rule says."""

    def __init__(self, support: Supports, executor: Executor, deadline_s: float) -> None:
        self._support = support
        self._executor = executor
        self._deadline_s = deadline_s

    def __call__(self, claim: str, passages: Sequence[str]) -> float:
        """The probability that the passages support the claim. Raises `TimeoutError`."""
        future = self._executor.submit(self._support, claim, passages)
        try:
            return future.result(timeout=self._deadline_s)
        finally:
            future.cancel()


def _claim(text: str, language: str) -> _Claim:
    return _Claim(text.strip(), _words_of(text, language), numbers_in(text), bool(_NOT.search(text)))


@lru_cache(maxsize=4_000)
def _words_of(text: str, language: str) -> frozenset[str]:
    """The words of a text as the index of its language has them, without numbers and frames."""
    return frozenset(word for word in terms(text, language) if not word.isdecimal()) - _FRAME


@lru_cache(maxsize=500)
def _sentences_of(passage: str, language: str) -> tuple[_Claim, ...]:
    """The sentences of a passage."""
    return tuple(_claim(passage[start:end], language) for start, end in sentence_spans(passage, language))


def _folded(text: str) -> str:
    """Text in which only the words and their order count."""
    return " ".join(text.casefold().split()).strip(" .!?…;,")


@lru_cache(maxsize=500)
def _units_of(passage: str, language: str) -> tuple[str, ...]:
    """Whole lines and rows of a passage, and the sentences in them, the longest first; without the heading in front too."""
    lines = [*passage.splitlines(), *passage.partition(": ")[2].splitlines()]
    sentences = [line[start:end] for line in lines for start, end in sentence_spans(line, language)]
    units = {_folded(unit) for unit in (*lines, *sentences)}
    return tuple(sorted((one for one in units if len(one.split()) >= _LEAST_UNIT), key=len, reverse=True))


def _begins_with(text: str, unit: str) -> bool:
    """Whether a text begins with a unit, or is the begin of one that was cut off and lost no negation by that."""
    if not text.startswith(unit):
        is_cut = unit.startswith(text + " ") and len(text.split()) >= _LEAST_UNIT
        return is_cut and bool(_NOT.search(text)) == bool(_NOT.search(unit))
    return len(text) == len(unit) or not text[len(unit)].isalnum()


def _shared(claim: _Claim, passage: str, language: str) -> float:
    """Share of a claim's words that a passage holds."""
    words = _words_of(passage, language)
    return (
        len(claim.words & words) / len(claim.words)
        if claim.words
        else float(claim.numbers <= numbers_in(passage))
    )


def _is_plain(claim: _Claim, passage: str, language: str) -> bool:
    """Whether a passage says it nearly in these words: a quotation, or one of its sentences with all numbers and as
    many negations that holds nearly all words, the rest of which stand elsewhere in the passage."""
    folded = _folded(claim.text)
    if folded and folded in _folded(passage):
        return True
    if not claim.words or not claim.words <= _words_of(passage, language):
        return False
    return any(
        claim.numbers <= one.numbers
        and claim.is_negated == one.is_negated
        and len(claim.words & one.words) >= _PLAIN * len(claim.words)
        for one in _sentences_of(passage, language)
    )


def _attributed(sentence: str, citations: tuple[int, ...], named: Sequence[int]) -> Attributed:
    by: By = "model" if set(citations) <= set(named) else "service"
    return Attributed(_marked(sentence, citations), citations, by)


def _marked(sentence: str, citations: Sequence[int]) -> str:
    """The sentence with these markers alone, where it has them or else at its end."""
    if tuple(cited_in(sentence)) == tuple(citations):
        return sentence
    bare = MARKER.sub("", sentence)
    core = bare.rstrip()
    markers = "".join(f"[{n}]" for n in citations)
    return f"{core} {markers}{bare[len(core) :]}" if markers else bare
