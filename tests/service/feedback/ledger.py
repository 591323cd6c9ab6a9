"""The model that the store is held against: each slot is a list in which every event has its place, and the last one counts.

An event that says when it happened goes behind all that happened before it or at the same time; one that doesn't goes to
the end, since it is said now. Knows no database and computes no order of its own ids.
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from service.feedback.event import Event, Slot

CONFLICT = "conflict"


@dataclass
class Placed:
    """An event with the time that it is taken to have happened at."""

    number: int
    event: Event
    at: datetime


@dataclass
class Ledger:
    """Numbers stand for ids: that of an event is how many were stored before it."""

    slots: dict[Slot, list[Placed]] = field(default_factory=dict)
    by_key: dict[str, tuple[int, Event]] = field(default_factory=dict)
    supersedes: list[int | None] = field(default_factory=list)

    def add(self, event: Event, now: datetime) -> int | str:
        """The number of the event that stands for this one, or `CONFLICT`."""
        known = self.by_key.get(event.idempotency_key or "")
        if known is not None:
            return known[0] if content(known[1]) == content(event) else CONFLICT
        number = len(self.supersedes)
        slot = self.slots.setdefault(event.slot, [])
        last = slot[-1] if slot else None
        if event.observed_at is None:
            at = now if last is None or last.at < now else last.at + timedelta(microseconds=1)
            place = len(slot)
        else:
            at = min(event.observed_at, now)
            place = sum(one.at <= at for one in slot)
        self.supersedes.append(last.number if last is not None and place == len(slot) else None)
        slot.insert(place, Placed(number, event, at))
        if event.idempotency_key is not None:
            self.by_key[event.idempotency_key] = number, event
        return number

    def current(self) -> dict[Slot, int]:
        """The number of the event that counts, by slot."""
        return {
            slot: placed[-1].number for slot, placed in self.slots.items() if placed[-1].event.state == "set"
        }


def content(event: Event) -> tuple[object, ...]:
    """What two requests with one key must have in common."""
    return (
        event.answer_id, event.speaker.actor, event.speaker.actor_kind, event.kind, event.value, event.state, event.reasons, event.comment, event.correction,
        event.target, event.consent,
    )  # fmt: skip
