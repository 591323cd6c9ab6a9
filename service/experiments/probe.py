"""Whether an arm's model is the one that it was: what it would say to fixed prompts, held against the first time.

A server may answer with another adapter than the one asked for, or with none. No answer shows that; the log probabilities
of its likeliest next words do. Those of the prompts' own words would tell more, but a vLLM with adapters that is asked for
them while it works for others stops for good (seen with 0.32).
"""

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import Engine
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from service.tables import ModelFingerprint

# For each prompt, the likeliest next words with their log probabilities.
Fingerprint = list[dict[str, float]]
PROMPTS = (
    "A customer writes: my parcel has not arrived. The support team answers: We are sorry to hear that. Please",
    "The warranty covers faults of material and of workmanship for a period of two",
    "Question: How do I reset my password? Answer: Open the settings, choose your account, and press",
    "The capital of France is",
    "If the lamp stays dark, first check whether the",
    "1, 2, 3, 5, 8,",
    "Dear Sir or Madam, I am writing to complain about",
    "To return an item, bring it to the shop within",
)
WORDS = 5
# The same model differs from itself by this much at most, in bfloat16 and in batches of any size.
_SAME = 0.05
# An adapter that differs by less from its base does nothing.
_NOTHING = 0.002


def digest_of_prompts() -> str:
    """Of the prompts: fingerprints of others can't be compared."""
    return hashlib.sha256("\n".join(PROMPTS).encode()).hexdigest()[:16]


def distance(one: Fingerprint, other: Fingerprint) -> float:
    """The mean difference of the words' log probabilities, without its sign; infinite for other prompts.

    A word that only one of them names is at most as likely as the least of the other.
    """
    if len(one) != len(other) or not one or not all([*one, *other]):
        return float("inf")
    gaps = [
        abs(first.get(word, min(first.values())) - second.get(word, min(second.values())))
        for first, second in zip(one, other, strict=True)
        for word in {*first, *second}
    ]
    return sum(gaps) / len(gaps)


@dataclass(frozen=True, slots=True)
class Probe:
    """What a server said for an arm's model, and for the model below its adapter.

    `noise` is how much the server differed from itself when it was asked for the base twice.
    """

    model: str
    found: Fingerprint
    base: Fingerprint | None = None
    noise: float = 0.0


def fault_of(probe: Probe, registered: Fingerprint | None) -> str:
    """What is wrong with an arm, in a sentence; empty for an arm that is what it was."""
    if probe.base is not None:
        moved = distance(probe.found, probe.base)
        if moved <= max(_NOTHING, 3 * probe.noise):
            return f"the adapter {probe.model!r} does nothing: the server answers as without it"
    if registered is not None:
        moved = distance(probe.found, registered)
        if moved > _limit(probe, registered):
            return f"{probe.model!r} is another model than before: its log probabilities moved by {moved:.3f}"
    return ""


def _limit(probe: Probe, registered: Fingerprint) -> float:
    """How far a model may move; an adapter less than halfway to its base, so that a small one can't pass for another."""
    if probe.base is None:
        return max(_SAME, 3 * probe.noise)
    to_base = distance(registered, probe.base)
    return max(_NOTHING, 3 * probe.noise, min(_SAME, to_base / 2))


def register(engine: Engine, model: str, found: Fingerprint) -> Fingerprint:
    """The fingerprint of a model's first time, which is this one if there was none."""
    key = (model, digest_of_prompts())
    with Session(engine) as session:
        known = session.get(ModelFingerprint, key)
    if known is not None:
        return known.fingerprint
    row = ModelFingerprint(model=model, prompts=key[1], fingerprint=found, created_at=datetime.now(UTC))
    try:
        with Session(engine) as session, session.begin():
            session.add(row)
    except IntegrityError:
        return register(engine, model, found)
    return found


def read_words(reply: object) -> Fingerprint:
    """The likeliest next words in a reply of `/completions` to all prompts. Raises `ValueError`."""
    try:
        choices = sorted(reply["choices"], key=lambda choice: choice["index"])  # type: ignore[index]
        found = [
            {str(word): float(value) for word, value in choice["logprobs"]["top_logprobs"][0].items()}
            for choice in choices
        ]
    except (KeyError, IndexError, TypeError, AttributeError) as exc:
        raise ValueError("the server tells no log probabilities") from exc
    if len(found) != len(PROMPTS) or not all(found):
        raise ValueError("the server tells no log probabilities")
    return found
