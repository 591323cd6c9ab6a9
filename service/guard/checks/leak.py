"""What the generator was told and must not tell: the rules of its prompt, and a canary hidden among them."""

import hashlib
import hmac
import re
from collections.abc import Sequence
from functools import lru_cache

from ingestion.detect.decodings import decodings_of
from service.guard.chain import Verdict, outcome_of
from service.scope.policy import Rule

_WORD = re.compile(r"\w+")
# Six words in a row that also stand in the rules are no accident; a shorter run may be.
_RUN = 6
# What is kept of the sentences before: a canary of twenty letters with as much between them, and five words.
_END_CHARS = 100


def canary_of(key: bytes) -> str:
    """A word that is in the prompt and nowhere else. The same for a deployment, so that a prefix cache still hits."""
    digest = hmac.new(key, b"canary", hashlib.sha256).hexdigest()[:20]
    # Letters alone: a guard of numbers must leave it to the guard that looks for it.
    return "ref-" + digest.translate(str.maketrans("0123456789", "ghijklmnop"))


class LeakGuard:
    """Finds the canary, in any reading of the text, and runs of words of the rules."""

    name = "leak"

    def __init__(self, rules: str, canary: str, rule: Rule, sources: str = "") -> None:
        self._canary = canary
        self._outcome = outcome_of(rule)
        self._end = ""
        self._runs = _runs_of_rules(rules)
        self._words = _words_of_rules(rules)
        self._sources = sources

    def judge(self, sentence: str) -> list[Verdict]:
        """A verdict when the sentence, or it and the end of those before it, gives something away."""
        text = self._end + sentence
        readings = [decoding.text.casefold() for decoding in decodings_of(text)]
        rule = self._rule_in(readings)
        # What was told of once is not told of the next sentence.
        self._end = "" if rule else text[-_END_CHARS:]
        return [self._verdict(rule, sentence)] if rule else []

    def _rule_in(self, readings: Sequence[str]) -> str:
        bare = self._canary.removeprefix("ref-")
        if bare and any(bare in re.sub(r"[\W_]", "", reading) for reading in readings):
            return "CANARY"
        said = frozenset().union(*(self._runs & _runs(one) for one in readings if self._may_hold_run(one)))
        # What the passages or the conversation say as well is no secret.
        return "PROMPT" if said and not said <= _runs(self._sources) else ""

    def _may_hold_run(self, reading: str) -> bool:
        """Whether so many words in a row are words of the rules; in most sentences they are not."""
        length = 0
        for word in _WORD.findall(reading):
            length = length + 1 if word in self._words else 0
            if length == _RUN:
                return True
        return False

    def _verdict(self, rule: str, sentence: str) -> Verdict:
        return Verdict(self.name, "output", self._outcome, rule, 1.0, 0, len(sentence))


@lru_cache(maxsize=64)
def _runs_of_rules(rules: str) -> frozenset[tuple[str, ...]]:
    return _runs(rules)


@lru_cache(maxsize=64)
def _words_of_rules(rules: str) -> frozenset[str]:
    return frozenset(word for run in _runs_of_rules(rules) for word in run)


def _runs(text: str) -> frozenset[tuple[str, ...]]:
    words = [word.casefold() for word in _WORD.findall(text)]
    return frozenset(tuple(words[i : i + _RUN]) for i in range(len(words) - _RUN + 1))
