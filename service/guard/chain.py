"""Guards of text: each changes it or lets it pass, and says so. Knows no policy but `flag`."""

import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, Protocol

from service.scope.policy import Rule, Zone

Outcome = Literal["pass", "flag", "redact", "drop", "block", "abstain"]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a guard found: the rule, its score, and where.

    `start:end` are characters of the text that was judged: of the question as it was written; of an answer's text
    as it was sent, and None where what they point at was removed or never sent.
    `digest` is a keyed hash of what was taken out, so that a record can be matched with a value and never read back;
    the value itself is never kept.
    """

    guard: str
    zone: Zone
    verdict: Outcome
    rule: str
    score: float
    start: int | None = None
    end: int | None = None
    digest: str = ""


def outcome_of(rule: Rule) -> Outcome:
    """What a finding leads to."""
    return "pass" if rule.action == "off" else rule.action


class Guard(Protocol):
    """A check of whole words: it never needs what comes before or after them."""

    name: str

    def apply(self, text: str, zone: Zone) -> tuple[str, list[Verdict]]:
        """The text as it may go on, and the verdicts; none when there is nothing to say."""
        ...


class SentenceGuard(Protocol):
    """A check of whole sentences. What becomes of one is the policy's to say."""

    name: str

    def judge(self, sentence: str) -> list[Verdict]:
        """Findings in a sentence, each with the consequence that the policy wants."""
        ...


class ModelGuard(SentenceGuard, Protocol):
    """A check of whole sentences that asks a model."""

    def is_asked(self, sentence: str) -> bool:
        """Whether the model reads the sentence at all; says so without the model."""
        ...


class Digests:
    """Keyed hashes of removed text."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def of(self, value: str) -> str:
        """Sixteen hexadecimal digits; the same value has the same."""
        return hmac.new(self._key, value.encode("utf-8", "surrogatepass"), hashlib.sha256).hexdigest()[:16]


class Flagging:
    """A guard that only says what it would have done: how a new guard is tried before it bites."""

    def __init__(self, guard: Guard) -> None:
        self._guard = guard
        self.name = guard.name

    def apply(self, text: str, zone: Zone) -> tuple[str, list[Verdict]]:
        """The text as it was, and flags."""
        _, verdicts = self._guard.apply(text, zone)
        return text, [replace(verdict, verdict="flag", digest="") for verdict in verdicts]


def switched(guards: Sequence[tuple[Rule, Guard]]) -> list[Guard]:
    """Those that are on. Those that only flag leave the text alone and come last: what they point at is what leaves."""
    acting = [guard for rule, guard in guards if rule.changes_text]
    return [*acting, *(Flagging(guard) for rule, guard in guards if rule.is_on and not rule.changes_text)]


def apply_all(guards: Sequence[Guard], text: str, zone: Zone) -> tuple[str, list[Verdict]]:
    """Each guard sees what the one before it left."""
    verdicts: list[Verdict] = []
    for guard in guards:
        text, found = guard.apply(text, zone)
        verdicts += found
    return text, verdicts


def apply_to_json(guards: Sequence[Guard], value: object, zone: Zone) -> tuple[object, list[Verdict]]:
    """The same for every string of a JSON value, keys too: arguments of tools, structured replies."""
    if isinstance(value, str):
        return apply_all(guards, value, zone)
    verdicts: list[Verdict] = []

    def inner(one: object) -> object:
        changed, found = apply_to_json(guards, one, zone)
        verdicts.extend(found)
        return changed

    if isinstance(value, dict):
        return {str(inner(key)): inner(one) for key, one in value.items()}, verdicts
    if isinstance(value, list):
        return [inner(one) for one in value], verdicts
    if isinstance(value, int) and not isinstance(value, bool) and len(str(value)) > 6:
        # A card number is no less one without quotation marks.
        changed, found = apply_all(guards, str(value), zone)
        return (changed, found) if found else (value, [])
    return value, verdicts
