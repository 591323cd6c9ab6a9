"""Which answers are counted: those of an experiment, or of an assistant's traffic; and how the database is asked for them."""

import gc
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import (
    BindParameter,
    ColumnElement,
    Connection,
    Engine,
    and_,
    case,
    func,
    literal,
    text,
)

from service.database import without_limit
from service.experiments.totals import Bucket, bucket_for
from service.tables import Answer

# The one arm of traffic without an experiment.
ALL = "all"


@dataclass(frozen=True, slots=True, eq=False)
class Span:
    """Which answers count, up to a moment, and whose they are: `key` tells the arm, the epoch and the unit."""

    holds: ColumnElement[bool]
    key: tuple[Any, Any, Any]
    until: datetime
    bucket: Bucket


def of_experiment(name: str, stages: Sequence[str], until: datetime, bucket: Bucket) -> Span:
    """The answers of an experiment in some of its stages."""
    holds = and_(
        Answer.experiment == name,
        Answer.stage.in_(stages),
        Answer.created_at < until,
        Answer.arm.is_not(None),
    )
    return Span(holds, (Answer.arm, Answer.epoch, Answer.unit), until, bucket)


def of_traffic(assistant: str, unit: str, since: datetime, until: datetime) -> Span:
    """The answers that an assistant gave, all as if of one arm, for a plan; `unit` as an experiment has it."""
    conversation = "c:" + Answer.conversation_id
    whose = {
        "subject": case((Answer.subject.is_not(None), "s:" + Answer.subject), else_=conversation),
        "tenant": "t:" + Answer.caller,
        "conversation": conversation,
    }[unit]
    holds = and_(
        Answer.assistant == assistant,
        Answer.created_at >= since,
        Answer.created_at < until,
        func.coalesce(Answer.stage, "") != "unseen",
    )
    return Span(holds, (literal(ALL), literal(1), whose), until, bucket_for(until - since))


def labelled(span: Span) -> list[Any]:
    """Whose an answer is, by name."""
    names = ("arm", "epoch", "unit")
    return [column.label(name) for name, column in zip(names, span.key, strict=True)]


def grouping(span: Span) -> list[Any]:
    """What rows are grouped by: a constant is no column."""
    return [column for column in span.key if not isinstance(column, BindParameter)]


@contextmanager
def counting(engine: Engine) -> Iterator[Connection]:
    """A connection that may count a large experiment, as long as it takes. PostgreSQL does it in memory, not on the disk.

    Meanwhile nothing collects garbage: rows make none, and a collector that walks them again and again takes a quarter
    of the time of 200,000 answers, in which no other thread runs.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        with engine.connect() as connection:
            without_limit(connection)
            if connection.dialect.name == "postgresql":
                connection.execute(text("set local work_mem = '64MB'"))
                connection.execute(text("set local jit = off"))
            yield connection
    finally:
        if was_on:
            gc.enable()
