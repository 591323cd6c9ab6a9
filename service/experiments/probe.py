"""Whether an arm's model is the one that it was: log probabilities of fixed prompts, held against those of the first time.

A server may answer with another adapter than the one asked for, or with none. No answer shows that; its numbers do.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import Engine
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from service.tables import ModelFingerprint

# Log probabilities of each prompt's tokens, one list for each prompt.
Fingerprint = list[list[float]]
PROMPTS = (
    "A customer writes: my parcel has not arrived. The support team answers: We are sorry to hear that. Please",
    "The warranty covers faults of material and of workmanship for a period of two years from the day of purchase.",
    "Question: How do I reset my password? Answer: Open the settings, choose your account, and press",
)
# The same model differs from itself by this much at most, in bfloat16 and in batches of any size.
_SAME = 0.05
# An adapter that differs by less from its base does nothing.
_NOTHING = 0.002


def digest_of_prompts() -> str:
    """Of the prompts: fingerprints of others can't be compared."""
    return hashlib.sha256("\n".join(PROMPTS).encode()).hexdigest()[:16]


def distance(one: Fingerprint, other: Fingerprint) -> float:
    """The mean difference of the tokens' log probabilities, without its sign; infinite where the tokens differ."""
    if [len(tokens) for tokens in one] != [len(tokens) for tokens in other]:
        return float("inf")
    gaps = [
        abs(a - b)
        for first, second in zip(one, other, strict=True)
        for a, b in zip(first, second, strict=True)
    ]
    return sum(gaps) / len(gaps) if gaps else float("inf")


@dataclass(frozen=True, slots=True)
class Probe:
    """What a server said for an arm's model, for the model below its adapter, and the adapters of the other arms.

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
        limit = max(_SAME, 3 * probe.noise) if probe.base is None else _limit(probe, registered)
        if moved > limit:
            return f"{probe.model!r} is another model than before: its log probabilities moved by {moved:.3f}"
    return ""


def _limit(probe: Probe, registered: Fingerprint) -> float:
    """How far an adapter may move: less than halfway to its base, so that a small adapter can't pass for another."""
    assert probe.base is not None
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


def read_logprobs(reply: object) -> list[float]:
    """The log probabilities of a prompt's tokens in a reply of `/completions` with `echo`. Raises `ValueError`."""
    try:
        told: Sequence[float | None] = reply["choices"][0]["logprobs"]["token_logprobs"]  # type: ignore[index]
        found = [float(value) for value in told[:-1] if value is not None]
    except (KeyError, IndexError, TypeError) as exc:
        raise ValueError("the server tells no log probabilities") from exc
    if not found:
        raise ValueError("the server tells no log probabilities")
    return found
