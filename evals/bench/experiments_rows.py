"""Experiments and answers of synthetic subjects, as rows of the gateway's tables. Writes them, measures nothing."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from hashlib import blake2b
from itertools import islice
from typing import Any
from zlib import crc32

import numpy as np
from sqlalchemy import Engine, insert

from service.database import without_limit
from service.experiments.assign import arm_of, is_covered
from service.scope import Experiment
from service.tables import Answer, DeclaredExperiment, ExperimentEpoch, Exposure, FeedbackEvent

Row = dict[str, Any]
END = datetime(2026, 11, 1, tzinfo=UTC)
LARGEST = "checkout-prompt"
_SUBJECTS = 150_000
_BATCH = 5_000
# About what an answer of three sentences with two citations takes.
_QUESTION = "How long do I have to send something back, and who pays for it? "
_ANSWER = "You have thirty days from the day on which the parcel arrived, and returns are free [1]. " * 5
_CITATION = {"chunk_id": "0" * 32, "document_id": "returns", "title": "Returns", "quote": _ANSWER[:240]}
_TIMINGS = {"guard_input_s": 0.001, "retrieve_s": 0.004, "first_token_s": 0.2, "total_s": 1.5}


@dataclass(frozen=True)
class Volume:
    """How many experiments and answers there are, and the largest experiment's share of the answers.

    `told` is the share of conversations with an outcome, `resolved` that of these which end well, by arm.
    """

    experiments: int = 1_000
    answers: int = 1_000_000
    largest: float = 0.2
    told: float = 0.4
    resolved: tuple[tuple[str, float], ...] = (("control", 0.70), ("treatment", 0.72))


@dataclass(frozen=True)
class _Plan:
    """An experiment of so many answers: when it begins, how long it runs, and its epochs as day, stage, coverage."""

    name: str
    answers: int
    begins_at: datetime
    days: float
    epochs: tuple[tuple[float, str, float], ...]

    @cached_property
    def declared(self) -> Experiment:
        """Two arms, a primary metric that waits a week for people, and a guardrail."""
        return Experiment.model_validate(
            {
                "hypothesis": "A shorter prompt resolves as much, for less.",
                "assistant": "a",
                "arms": {
                    "control": {"variant": "v", "weight": 50},
                    "treatment": {"variant": "w", "weight": 50},
                },
                "primary": "resolved_rate",
                "secondary": ["thumbs_up_rate"],
                "guardrails": {"first_token_s": {"margin": 0.1}},
                "plan": {
                    "effect": 0.02,
                    "ends": (self.begins_at + timedelta(days=self.days)).date().isoformat(),
                },
            }
        )

    @property
    def weights(self) -> dict[str, float]:
        """Of its arms."""
        return {name: arm.weight for name, arm in self.declared.arms.items()}


def write(engine: Engine, volume: Volume) -> None:
    """Fill an empty database, answers in the order in which they were given."""
    plans = _plans(volume)
    _insert(engine, DeclaredExperiment, (_declared(plan) for plan in plans))
    _insert(engine, ExperimentEpoch, (row for plan in plans for row in _epochs(plan)))
    visits = [visit for plan in plans for visit in _visits(plan)]
    visits.sort(key=lambda visit: visit.at)
    _insert(engine, Answer, map(_answer, visits))
    _insert(engine, Exposure, _exposures(visits))
    _insert(engine, FeedbackEvent, _feedback(visits, volume))
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        without_limit(connection)
        connection.exec_driver_sql("analyze")


def _insert(engine: Engine, table: type[Any], rows: Iterator[Row]) -> None:
    with engine.begin() as connection:
        without_limit(connection)
        while batch := list(islice(rows, _BATCH)):
            connection.execute(insert(table), batch)


def _plans(volume: Volume) -> list[_Plan]:
    largest = round(volume.answers * volume.largest)
    rest, others = volume.answers - largest, volume.experiments - 1
    begins = np.random.default_rng(1).uniform(45, 365, others)
    ramp = ((0.0, "canary", 20.0), (3.0, "ab", 60.0), (10.0, "paused", 60.0), (11.0, "ab", 100.0))
    plans = [_Plan(LARGEST, largest, END - timedelta(days=40), 30, ramp)]
    for number, days in enumerate(begins):
        size = rest // others + (number < rest % others)
        begun = END - timedelta(days=float(days))
        stages = ((0.0, "ab", 100.0), (21.0, "stopped", 100.0))
        plans.append(_Plan(f"experiment-{number:04}", size, begun, 14, stages))
    return plans


def _declared(plan: _Plan) -> Row:
    return {
        "name": plan.name,
        "declared": plan.declared.model_dump(mode="json"),
        "digest": plan.declared.digest,
        "variants": {"control": "0" * 16, "treatment": "1" * 16},
        "created_at": plan.begins_at,
        "created_by": "bench",
    }


def _epochs(plan: _Plan) -> Iterator[Row]:
    for number, (day, stage, coverage) in enumerate(plan.epochs, start=1):
        begins_at = plan.begins_at + timedelta(days=day)
        yield {
            "experiment": plan.name,
            "epoch": number,
            "stage": stage,
            "coverage": coverage,
            "weights": plan.weights,
            "begins_at": begins_at,
            "created_at": begins_at,
            "created_by": "bench",
            "reason": "as planned",
        }


@dataclass(frozen=True, slots=True)
class _Visit:
    """An answer: whose it is, in which conversation, and which arm gave it."""

    plan: _Plan
    at: datetime
    number: int
    turn: int
    subject: str
    arm: str
    epoch: int
    stage: str

    @property
    def conversation(self) -> str:
        return f"{self.plan.name}-{self.number:012}"

    @property
    def id(self) -> str:
        return self.named(self.at)

    def named(self, moment: datetime) -> str:
        """An id that sorts by a moment, as the service's do."""
        milliseconds = round(moment.timestamp() * 1_000)
        return f"{milliseconds:012x}{self.number:012x}{self.turn:x}{crc32(self.plan.name.encode()):08x}"


def _visits(plan: _Plan) -> Iterator[_Visit]:
    """Conversations of subjects who come about twice, with one to four answers each, until there are enough."""
    chance = np.random.default_rng([2, len(plan.name), *plan.name.encode()])
    left, number = plan.answers, 0
    while left > 0:
        subject = blake2b(int(chance.integers(_SUBJECTS)).to_bytes(8, "big"), digest_size=16).hexdigest()
        for day in chance.uniform(0, plan.days, int(chance.geometric(0.5))):
            epoch, stage, coverage = _epoch(plan, float(day))
            if stage == "paused" or not is_covered(plan.name, f"s:{subject}", coverage):
                continue
            began = plan.begins_at + timedelta(days=float(day))
            arm = arm_of(plan.name, f"s:{subject}", plan.weights)
            number += 1
            for turn in range(min(int(chance.integers(1, 5)), left)):
                at = began + timedelta(seconds=40 * turn)
                yield _Visit(plan, at, number, turn, subject, arm, epoch, stage)
                left -= 1


def _epoch(plan: _Plan, day: float) -> tuple[int, str, float]:
    number, (_, stage, coverage) = [one for one in enumerate(plan.epochs, start=1) if one[1][0] <= day][-1]
    return number, stage, coverage


def _answer(visit: _Visit) -> Row:
    chance = _chances(visit)
    treated = visit.arm == "treatment"
    first_token_s = 0.2 + 0.3 * chance[0] + 0.02 * treated
    is_answered = chance[1] < 0.85
    return {
        "id": visit.id,
        "created_at": visit.at,
        "request_id": visit.id,
        "conversation_id": visit.conversation,
        "caller": "bench",
        "subject": visit.subject,
        "assistant": "a",
        "variant": "w" if treated else "v",
        "experiment": visit.plan.name,
        "outcome": "answered" if is_answered else "abstained",
        "reason": None,
        "finish_reason": "stop",
        "degraded": chance[2] < 0.01,
        "question": _QUESTION,
        "answer": _ANSWER,
        "citations": [_CITATION, _CITATION],
        "verdicts": [],
        "timings": _TIMINGS,
        "prompt_tokens": 600 + round(300 * chance[3]),
        "completion_tokens": 60 + round(90 * chance[0]),
        "collection": "c",
        "release_id": "release",
        "release_digest": "0" * 64,
        "prompt_digest": "0" * 16,
        "generator": "bench",
        "adapter": None,
        "scope_digest": "0" * 16,
        "variant_digest": ("1" if treated else "0") * 16,
        "arm": visit.arm,
        "epoch": visit.epoch,
        "stage": visit.stage,
        "unit": f"s:{visit.subject}",
        "propensity": 0.5,
        "sentences": 3,
        "unsupported": int(chance[1] > 0.95),
        "first_token_s": first_token_s,
        "total_s": first_token_s + 1 + chance[2],
        "cost": 0.001 + 0.001 * chance[3],
    }


def _chances(visit: _Visit) -> Sequence[float]:
    """Four numbers from 0 up to 1 that belong to an answer."""
    seed = hash((visit.number, visit.turn, crc32(visit.plan.name.encode())))
    return [(seed >> bits & 0xFFF) / 0x1000 for bits in (0, 12, 24, 36)]


def _exposures(visits: Sequence[_Visit]) -> Iterator[Row]:
    seen: set[tuple[str, int, str]] = set()
    for visit in visits:
        key = (visit.plan.name, visit.epoch, visit.subject)
        if key not in seen:
            seen.add(key)
            yield {
                "experiment": visit.plan.name,
                "epoch": visit.epoch,
                "unit": f"s:{visit.subject}",
                "created_at": visit.at,
                "stage": visit.stage,
                "arm": visit.arm,
                "variant": "w" if visit.arm == "treatment" else "v",
                "variant_digest": ("1" if visit.arm == "treatment" else "0") * 16,
                "propensity": 0.5,
                "answer_id": visit.id,
                "caller": "bench",
            }


def _feedback(visits: Sequence[_Visit], volume: Volume) -> Iterator[Row]:
    """Outcomes come within days; one answer of twenty has a thumb."""
    resolved = dict(volume.resolved)
    for visit in visits:
        chance = _chances(visit)
        if visit.turn == 0 and chance[0] < volume.told:
            value = "resolved" if chance[1] < resolved[visit.arm] else "escalated"
            at = visit.at + timedelta(days=5 * chance[2])
            yield _event(visit, {"kind": "outcome", "target": "conversation", "value": value}, at)
        if chance[3] < 0.05:
            value = "up" if chance[2] < 0.7 else "down"
            yield _event(visit, {"kind": "thumb", "target": "answer", "value": value}, visit.at)


def _event(visit: _Visit, what: Mapping[str, str], at: datetime) -> Row:
    return {
        **what,
        "event_id": f"{visit.named(at)}{what['kind']:.1}",
        "answer_id": visit.id,
        "conversation_id": visit.conversation,
        "caller": "bench",
        "actor": visit.subject,
        "actor_kind": "end_user",
        "reasons": [],
        "state": "set",
        "observed_at": at,
        "received_at": at,
        "source": "api",
        "consent": "none",
    }
