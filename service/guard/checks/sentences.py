"""Guards of whole sentences: toxicity, grounding, and endless repetition."""

import re
from collections import Counter
from collections.abc import Sequence
from functools import lru_cache

from service.guard.chain import Verdict, outcome_of
from service.guard.checks.citations import cited_in, without_markers
from service.guard.models.tier import Scores, Supports
from service.scope.policy import Rule

_WORD = re.compile(r"\w+")
_SHORT_WORDS = 3

# Long words are mostly rare (Zipf); shorter ones count where they are numbers, names or abbreviations.
_RARE_CHARS = 6
_ENDING = re.compile(r"(?<=\w{3})(?:ing|ies|ed|es|en|e|s|y)$")


@lru_cache(maxsize=4_000)
def _rare_in(text: str) -> frozenset[str]:
    """Rare words, numbers and names of a text, without what inflection changes."""
    return frozenset(
        _ENDING.sub("", word.casefold())
        for number, word in enumerate(_WORD.findall(text))
        if len(word) >= _RARE_CHARS or word[0].isdigit() or (number and word[0].isupper())
    )


class ToxicityGuard:
    """Sentences that attack a group of people."""

    name = "toxicity"

    def __init__(self, score: Scores, rule: Rule) -> None:
        self._score = score
        self._rule = rule

    def judge(self, sentence: str) -> list[Verdict]:
        """A verdict when the score is above the threshold."""
        score = self._score(sentence)
        if score < self._rule.threshold:
            return []
        return [
            Verdict(self.name, "output", outcome_of(self._rule), "HATE", round(score, 4), 0, len(sentence))
        ]


class GroundingGuard:
    """Sentences that the passages which they cite, or all passages, don't support."""

    name = "grounding"

    def __init__(self, support: Supports, passages: Sequence[str], rule: Rule) -> None:
        self._support = support
        self._passages = list(passages)
        self._rule = rule

    def judge(self, sentence: str) -> list[Verdict]:
        """A verdict when the support is below the threshold; `score` is what is missing of full support."""
        claim = without_markers(sentence).strip()
        if len(_WORD.findall(claim)) < _SHORT_WORDS:
            return []
        support = self._support(claim, self._cited(sentence))
        if support >= self._rule.threshold:
            return []
        return [self._verdict("UNSUPPORTED", round(1 - support, 4), sentence)]

    def judge_cheaply(self, sentence: str) -> list[Verdict]:
        """A verdict when a sentence shares no rare word, number or name with its passages; no model is asked."""
        claim = without_markers(sentence).strip()
        words = _rare_in(claim)
        if len(_WORD.findall(claim)) < _SHORT_WORDS or not words:
            return []
        known = frozenset().union(*map(_rare_in, self._cited(sentence)))
        return [] if words & known else [self._verdict("NOTHING_SHARED", 1.0, sentence)]

    def _cited(self, sentence: str) -> list[str]:
        """The passages that a sentence cites, or all."""
        cited = cited_in(sentence)
        return [self._passages[n - 1] for n in cited if 1 <= n <= len(self._passages)] or self._passages

    def _verdict(self, rule: str, score: float, sentence: str) -> Verdict:
        return Verdict(self.name, "output", outcome_of(self._rule), rule, score, 0, len(sentence))


class RepetitionGuard:
    """A generator that goes round in circles: the same sentence, or the same word on and on."""

    name = "repetition"

    def __init__(self, rule: Rule) -> None:
        self._rule = rule
        self._seen: Counter[str] = Counter()

    def judge(self, sentence: str) -> list[Verdict]:
        """A verdict when a sentence comes for the `limit`-th time, or holds a word many times in a row."""
        words = [word.casefold() for word in _WORD.findall(without_markers(sentence))]
        key = " ".join(words)
        self._seen[key] += 1
        is_loop = len(words) >= _SHORT_WORDS and self._seen[key] >= max(self._rule.limit, 2)
        run = best = 1
        for before, word in zip(words, words[1:], strict=False):
            run = run + 1 if word == before else 1
            best = max(best, run)
        if not is_loop and best < 8 * max(self._rule.limit, 2) // 2:
            return []
        return [Verdict(self.name, "output", outcome_of(self._rule), "LOOP", 1.0, 0, len(sentence))]
