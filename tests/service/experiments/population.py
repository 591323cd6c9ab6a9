"""A population whose behaviour is known, written into the database as the gateway and people would."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import numpy as np
from sqlalchemy import Engine

from service.answer.record import insert_rows
from service.answer.rows import Row
from service.experiments.book import Asker, ExperimentBook
from service.experiments.store import read_experiments
from service.tables import Answer, Exposure, FeedbackEvent


@dataclass(frozen=True)
class Behaviour:
    """How often people of an arm are answered, resolved and say so, and how long an answer takes."""

    answered: float = 0.8
    resolved: float = 0.5
    reports: float = 1.0
    thumb: float = 0.2
    first_token_s: float = 0.3
    interrupted: float = 0.0


@dataclass(frozen=True)
class Population:
    """Subjects who come once over so many days, and ask one to four questions in one conversation."""

    subjects: int
    days: float = 10
    behaviour: dict[str, Behaviour] = field(default_factory=dict)
    seed: int = 1
    first: int = 0
    # Of arms' answers that are lost on the way, for a sample ratio that fails.
    lost: dict[str, float] = field(default_factory=dict)

    def live(self, engine: Engine, book: ExperimentBook, start: datetime) -> None:
        """Let everybody come."""
        book.show(read_experiments(engine))
        answers: list[Row] = []
        feedback: list[Row] = []
        for batch in self._people(book, start):
            answers += batch[0]
            feedback += batch[1]
        insert_rows(engine, answers)
        if feedback:
            with engine.begin() as connection:
                connection.execute(FeedbackEvent.__table__.insert(), feedback)

    def _people(self, book: ExperimentBook, start: datetime) -> Iterator[tuple[list[Row], list[Row]]]:
        chance = np.random.default_rng(self.seed)
        for number in range(self.first, self.first + self.subjects):
            came = start + timedelta(days=float(chance.uniform(0, self.days)))
            conversation, subject = f"chat-{number}", f"p-{number}"
            found = book.choose("support", Asker("caller", conversation, subject), came)
            if found is None or found.arm is None:
                continue
            if chance.random() < self.lost.get(found.arm, 0.0):
                continue
            how = self.behaviour.get(found.arm, Behaviour())
            leaning = float(chance.normal(0, 0.1))
            rows: list[Row] = []
            for turn in range(int(chance.integers(1, 5))):
                is_answered = chance.random() < how.answered + leaning
                rows.append(
                    a_row(
                        id=f"answer-{number}-{turn}",
                        created_at=came + timedelta(minutes=turn),
                        conversation_id=conversation,
                        subject=subject,
                        experiment=found.experiment,
                        arm=found.arm,
                        epoch=found.epoch,
                        stage=found.stage,
                        unit=found.unit,
                        propensity=found.propensity,
                        variant=found.variant,
                        variant_digest=found.variant_digest,
                        outcome="answered" if is_answered else "abstained",
                        finish_reason="interrupted" if chance.random() < how.interrupted else "stop",
                        first_token_s=how.first_token_s * float(chance.lognormal(0, 0.3)),
                        total_s=1.0,
                        sentences=2,
                        unsupported=int(chance.random() < 0.1),
                        cost=0.01,
                    )
                )
            if found.is_exposure:
                rows.append(
                    {
                        "_table": Exposure.__tablename__,
                        "experiment": found.experiment,
                        "epoch": found.epoch,
                        "unit": found.unit,
                        "created_at": came,
                        "stage": found.stage,
                        "arm": found.arm,
                        "variant": found.variant,
                        "variant_digest": found.variant_digest,
                        "propensity": found.propensity,
                        "answer_id": f"answer-{number}-0",
                        "caller": "caller",
                    }
                )
            yield rows, list(self._said(chance, how, number, came, conversation))

    @staticmethod
    def _said(
        chance: np.random.Generator, how: Behaviour, number: int, came: datetime, conversation: str
    ) -> Iterator[Row]:
        if chance.random() < how.reports:
            value = "resolved" if chance.random() < how.resolved else "escalated"
            yield an_event(number, "outcome", value, came + timedelta(hours=5), conversation)
        if chance.random() < how.thumb:
            value = "up" if chance.random() < 0.7 else "down"
            yield an_event(number, "thumb", value, came + timedelta(minutes=2), conversation)


def a_row(**changes: Any) -> Row:
    row: Row = {column.name: None if column.nullable else "x" for column in Answer.__table__.columns}
    plain = {
        "degraded": False,
        "citations": [],
        "verdicts": [],
        "timings": {},
        "prompt_tokens": 100,
        "completion_tokens": 20,
        "assistant": "support",
        "request_id": "r",
    }
    return {**row, **plain, **changes}


def an_event(number: int, kind: str, value: str, at: datetime, conversation: str) -> Row:
    row: Row = {column.name: None for column in FeedbackEvent.__table__.columns}
    return {
        **row,
        "event_id": f"{kind}-{number}",
        "answer_id": f"answer-{number}-0",
        "conversation_id": conversation,
        "caller": "token",
        "actor": f"p-{number}",
        "actor_kind": "end_user",
        "kind": kind,
        "value": value,
        "reasons": [],
        "target": "answer" if kind == "thumb" else "conversation",
        "state": "set",
        "observed_at": at,
        "received_at": at,
        "source": "api",
        "consent": "none",
    }
