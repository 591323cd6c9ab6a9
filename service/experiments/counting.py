"""Counts an experiment's answers, conversations and feedback in the database. Knows no statistics.

Feedback counts for the arm of its answer, as it was written when the answer was given.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
from sqlalchemy import ColumnElement, Connection, Engine, Select, case, func, or_, select

from service.experiments.feedback import Beginning, Place, events_of, outcomes_of, read_rows, thumbs_of
from service.experiments.span import Span, counting, grouping, labelled
from service.experiments.totals import Bucket, Counted, EntryKey, Numbers, Totals, totals_of
from service.scope import Metric
from service.tables import Answer, Exposure

# Rows that are fetched at a time.
_ROWS = 20_000


def count(engine: Engine, span: Span, metrics: Collection[Metric]) -> Totals:
    """The totals that some metrics are made of, with what people did later within their windows."""
    windows: dict[float, set[str]] = defaultdict(set)
    for metric in metrics:
        if metric.is_late:
            windows[metric.window_days] |= {metric.numerator, metric.denominator}
    with ThreadPoolExecutor(1) as beside, counting(engine) as connection:
        # Two large queries at once: the database works for both while this process waits.
        said = beside.submit(read_rows, engine, span) if windows else None
        asked = _asked(connection, span, _wanted(metrics))
        events = events_of(said.result(), asked.number_of) if said else []
        began = asked.began()
        late = {
            days: [*thumbs_of(events, span.bucket, days, names), *outcomes_of(events, began, days, names)]
            for days, names in sorted(windows.items())
        }
        return totals_of(asked.entries, [asked.counted, _conversations(began)], late, span.bucket)


def _sum(condition: ColumnElement[bool]) -> ColumnElement[Any]:
    return func.sum(case((condition, 1), else_=0))


def _total(column: Any) -> ColumnElement[Any]:
    return func.coalesce(func.sum(column), 0)


# A generator failed: the answer broke off, or another one wrote it.
FAILED = or_(Answer.finish_reason == "interrupted", func.coalesce(Answer.failures, 0) > 0)
_ANSWERS: dict[str, ColumnElement[Any]] = {
    "answers": func.count(),
    "answered": _sum(Answer.outcome == "answered"),
    "abstained": _sum(Answer.outcome == "abstained"),
    "refused": _sum(Answer.outcome == "refused"),
    "escalated_answers": _sum(Answer.outcome == "escalated"),
    "degraded": _sum(Answer.degraded.is_(True)),
    "interrupted": _sum(Answer.finish_reason == "interrupted"),
    "failed": _sum(FAILED),
    "sentences": _total(Answer.sentences),
    "unsupported": _total(Answer.unsupported),
    "timed": func.count(Answer.total_s),
    "first_token_s": _total(case((Answer.total_s.is_not(None), Answer.first_token_s))),
    "total_s": _total(Answer.total_s),
    "prompt_tokens": _total(Answer.prompt_tokens),
    "completion_tokens": _total(Answer.completion_tokens),
    "tokens": _total(Answer.prompt_tokens + Answer.completion_tokens),
    "cost": _total(Answer.cost),
}


def _wanted(metrics: Iterable[Metric]) -> dict[str, ColumnElement[Any]]:
    """The totals of answers that metrics are made of; whether there were any at all is always counted."""
    named = {name for metric in metrics for name in (metric.numerator, metric.denominator)} | {"answers"}
    return {name: column for name, column in _ANSWERS.items() if name in named}


@dataclass(frozen=True, slots=True)
class _Asked:
    """What was asked and answered: a row for each conversation and bucket, with its first moment and its totals."""

    entries: Sequence[EntryKey]
    conversations: Sequence[str]
    firsts: Sequence[datetime]
    counted: Counted

    @property
    def number_of(self) -> dict[EntryKey, int]:
        """The entries' numbers."""
        return {entry: number for number, entry in enumerate(self.entries)}

    def began(self) -> dict[Place, Beginning]:
        """When each conversation began; a later message belongs to it all the same."""
        found: dict[Place, Beginning] = {}
        rows = zip(self.counted.entries, self.conversations, self.firsts, self.counted.buckets, strict=True)
        for entry, conversation, first, bucket in rows:
            place = (entry, conversation)
            if place not in found or first < found[place].at:
                found[place] = Beginning(first, bucket)
        return found


def _asked(connection: Connection, span: Span, wanted: Mapping[str, ColumnElement[Any]]) -> _Asked:
    """One pass over the answers, which are wide rows. Rows and entries are in the order of their names, not the database's."""
    bucket = _bucket(connection, span.bucket, Answer.created_at)
    first = func.min(Answer.created_at)
    query: Select[Any] = (
        select(*labelled(span), Answer.conversation_id, bucket, first, *wanted.values())
        .where(span.holds)
        .group_by(*grouping(span), Answer.conversation_id, bucket)
    )
    keys: list[EntryKey] = []
    conversations: list[str] = []
    buckets: list[str] = []
    firsts: list[datetime] = []
    values = [np.empty((0, len(wanted)))]
    for rows in connection.execute(query).partitions(_ROWS):
        arms, epochs, units, talks, names, moments, *totals = zip(*rows, strict=True)
        keys += zip(arms, epochs, units, strict=True)
        conversations += talks
        buckets += names
        firsts += moments
        values.append(np.array(totals, dtype=float).T)
    entries = sorted(set(keys))
    number_of = {entry: number for number, entry in enumerate(entries)}
    numbers = [number_of[key] for key in keys]
    order = sorted(range(len(keys)), key=lambda row: (numbers[row], conversations[row], buckets[row]))
    counted = Counted(
        tuple(wanted),
        [numbers[row] for row in order],
        [buckets[row] for row in order],
        np.concatenate(values)[order],
    )
    return _Asked(entries, [conversations[row] for row in order], [firsts[row] for row in order], counted)


def _bucket(connection: Connection, bucket: Bucket, column: Any) -> ColumnElement[str]:
    if connection.dialect.name == "postgresql":
        told = func.to_char(func.timezone("UTC", column), "YYYY-MM-DD HH24:MI")
        return func.substr(told, 1, bucket.chars)
    return func.substr(column, 1, bucket.chars)


def _conversations(began: Mapping[Place, Beginning]) -> Counted:
    """How many conversations each unit began in a bucket."""
    entries = [entry for entry, _ in began]
    buckets = [beginning.bucket for beginning in began.values()]
    return Counted(("conversations",), entries, buckets, np.ones((len(entries), 1)))


def count_before(
    engine: Engine,
    assistant: str,
    since: datetime,
    until: datetime,
    *,
    metrics: Iterable[Metric],
    units: Sequence[str],
) -> dict[str, Numbers]:
    """What subjects did with an assistant before an experiment: by the name of a total, for each of the units."""
    wanted = _wanted(metrics)
    query: Select[Any] = (
        select(Answer.subject, *wanted.values())
        .where(
            Answer.assistant == assistant,
            Answer.created_at >= since,
            Answer.created_at < until,
            Answer.subject.is_not(None),
        )
        .group_by(Answer.subject)
    )
    number_of = {unit: number for number, unit in enumerate(units)}
    found = np.zeros((len(units), len(wanted)))
    with counting(engine) as connection:
        for subject, *totals in connection.execute(query):
            number = number_of.get(f"s:{subject}")
            if number is not None:
                found[number] = totals
    return {name: found[:, index] for index, name in enumerate(wanted)}


def count_exposures(engine: Engine, experiment: str, until: datetime) -> list[tuple[int, str, str, int]]:
    """Exposures by epoch, stage and arm, in that order."""
    key = (Exposure.epoch, Exposure.stage, Exposure.arm)
    query = (
        select(*key, func.count())
        .where(Exposure.experiment == experiment, Exposure.created_at < until)
        .group_by(*key)
        .order_by(*key)
    )
    with counting(engine) as connection:
        return [(row[0], row[1], row[2], row[3]) for row in connection.execute(query)]


def find_callers(engine: Engine, experiment: str, until: datetime) -> dict[tuple[int, str], str]:
    """The caller through which a unit met its arm first, by epoch and unit."""
    query = select(Exposure.epoch, Exposure.unit, Exposure.caller).where(
        Exposure.experiment == experiment, Exposure.created_at < until
    )
    with counting(engine) as connection:
        return {(epoch, unit): caller for epoch, unit, caller in connection.execute(query)}
