"""Guards of whole sentences: toxicity and endless repetition."""

import re
from collections import Counter
from collections.abc import Callable

from service.guard.chain import Verdict, outcome_of
from service.guard.checks.citations import without_markers
from service.guard.models.tier import Scores
from service.scope.policy import Rule

_WORD = re.compile(r"\w+")
_SHORT_WORDS = 3


class ToxicityGuard:
    """Sentences that attack a group of people."""

    name = "toxicity"

    def __init__(self, score: Scores, rule: Rule, may_attack: Callable[[str], bool]) -> None:
        self._score = score
        self._rule = rule
        self._may_attack = may_attack

    def is_asked(self, sentence: str) -> bool:
        """Nine sentences in ten name nobody who could be attacked. A model that the scope names reads all."""
        return bool(self._rule.model) or self._may_attack(sentence)

    def judge(self, sentence: str) -> list[Verdict]:
        """A verdict when the score is above the threshold."""
        score = self._score(sentence)
        if score < self._rule.threshold:
            return []
        return [
            Verdict(self.name, "output", outcome_of(self._rule), "HATE", round(score, 4), 0, len(sentence))
        ]


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
