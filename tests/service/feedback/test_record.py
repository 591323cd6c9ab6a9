"""What is stored equals a model, whatever is set, retracted, sent again and reordered; and each event is stored once."""

import random
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine, func, select
from sqlalchemy.orm import Session

from service.database import migrate, open_database
from service.errors import ConflictError
from service.feedback.current import current_feedback
from service.feedback.event import Event, Receipt, Speaker
from service.feedback.record import Written, bound, write
from service.ids import uuid7
from service.tables import FeedbackEvent
from tests.service.feedback.ledger import CONFLICT, Ledger
from tests.service.feedback.samples import an_event

NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)
TOGETHER = 200


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    made = open_database(f"sqlite:///{tmp_path / 'db'}")
    migrate(made)
    yield made
    made.dispose()


def a_sequence(chance: random.Random) -> list[Event]:
    """Events on one answer: by two actors, of two kinds and targets, with few times and few keys, some sent again."""
    answer_id, events = uuid7(), list[Event]()
    for _ in range(chance.randint(1, 9)):
        if events and chance.random() < 0.25:
            events.append(chance.choice(events))
            continue
        kind, values = chance.choice([("thumb", ["up", "down"]), ("rating", ["1", "5"])])
        is_set = chance.random() < 0.7
        events.append(
            an_event(
                answer_id=answer_id,
                speaker=Speaker("token", chance.choice("ab") * 32, "end_user", "widget"),
                kind=kind,
                value=chance.choice(values) if is_set else None,
                state="set" if is_set else "retracted",
                target=chance.choice(["answer", "conversation"]),
                reasons=("wrong",) if is_set and chance.random() < 0.2 else (),
                observed_at=NOON + timedelta(seconds=chance.randint(-2, 2))
                if chance.random() < 0.5
                else None,
                # The same key for another event too, now and then.
                idempotency_key=bound(answer_id, str(chance.randint(0, 12)))
                if chance.random() < 0.6
                else None,
            )
        )
    return events


def check_together(engine: Engine, chance: random.Random, count: int) -> int:
    """Play so many sequences side by side, in transactions of several events, and hold what is stored against the model."""
    left = [a_sequence(chance) for _ in range(count)]
    numbers: dict[str, dict[str, int]] = {}
    ledgers: dict[str, Ledger] = {}
    played = 0
    while any(left):
        batch = [sequence.pop(0) for sequence in left for _ in range(chance.randint(0, 2)) if sequence]
        # The clock stands still now and then, and is set back.
        now = NOON + timedelta(seconds=chance.randint(-1, 2))
        for event, written in zip(batch, write(engine, batch, now=now), strict=True):
            played += 1
            ledger = ledgers.setdefault(event.answer_id, Ledger())
            seen = numbers.setdefault(event.answer_id, {})
            expected = ledger.add(event, now)
            check_receipt(written, expected, seen)
    check_stored(engine, ledgers, numbers)
    return played


def check_receipt(written: Written, expected: int | str, seen: dict[str, int]) -> None:
    if expected == CONFLICT:
        assert isinstance(written, ConflictError)
        return
    assert isinstance(written, Receipt)
    assert written.is_new == (written.event_id not in seen)
    assert seen.setdefault(written.event_id, len(seen)) == expected


def check_stored(engine: Engine, ledgers: dict[str, Ledger], numbers: dict[str, dict[str, int]]) -> None:
    with Session(engine) as session:
        mine = FeedbackEvent.answer_id.in_(list(ledgers))
        stored = session.scalars(select(FeedbackEvent).where(mine)).all()
        current = session.scalars(current_feedback().where(mine)).all()
    by_answer: dict[str, dict[tuple[str, str | None, str, str], int]] = {name: {} for name in ledgers}
    for event in current:
        slot = (event.answer_id, event.actor, event.kind, event.target)
        assert slot not in by_answer[event.answer_id]
        by_answer[event.answer_id][slot] = numbers[event.answer_id][event.event_id]
    assert by_answer == {name: ledger.current() for name, ledger in ledgers.items()}
    assert len(stored) == sum(len(ledger.supersedes) for ledger in ledgers.values())
    for event in stored:
        known = numbers[event.answer_id]
        replaced = known[event.supersedes] if event.supersedes else None
        assert replaced == ledgers[event.answer_id].supersedes[known[event.event_id]]


def test_random_sequences_equal_the_model(engine: Engine) -> None:
    chance = random.Random(5)
    assert sum(check_together(engine, chance, count) for count in [1] * 50 + [50] * 10) > 2_000


@pytest.mark.slow
def test_a_hundred_thousand_random_sequences_equal_the_model(engine: Engine) -> None:
    chance = random.Random(6)
    assert sum(check_together(engine, chance, TOGETHER) for _ in range(100_000 // TOGETHER)) > 400_000


def test_a_conflict_fails_its_own_event_alone(engine: Engine) -> None:
    first = an_event(idempotency_key=bound("c", "k"))
    other = replace(first, value="down")
    written = write(engine, [an_event(), first, other, an_event()])
    assert [isinstance(one, Receipt) for one in written] == [True, True, False, True]
    assert [isinstance(one, Receipt) for one in write(engine, [other, an_event()])] == [False, True]


@pytest.mark.parametrize(
    "speaker", [Speaker("c", "b" * 32, "end_user", "api"), Speaker("c", "a" * 32, "agent", "api")]
)
def test_one_key_is_not_of_two_who_speak(engine: Engine, speaker: Speaker) -> None:
    first = an_event(idempotency_key=bound("c", "k"))
    written = write(engine, [first, replace(first, speaker=speaker), first])
    assert [isinstance(one, Receipt) for one in written] == [True, False, True]


def test_what_happened_last_counts_whatever_arrives_last(engine: Engine) -> None:
    closed = an_event(kind="outcome", value="ticket_closed", target="conversation", observed_at=NOON)
    reopened = replace(closed, value="reopened", observed_at=NOON + timedelta(hours=1))
    write(engine, [reopened], now=NOON + timedelta(hours=2))
    write(engine, [closed], now=NOON + timedelta(hours=3))
    with Session(engine) as session:
        (current,) = session.scalars(current_feedback())
        assert (current.value, current.supersedes) == ("reopened", None)


def test_a_clock_that_runs_ahead_holds_up_no_retraction(engine: Engine) -> None:
    ahead = an_event(observed_at=NOON + timedelta(seconds=50))
    write(engine, [ahead], now=NOON)
    write(
        engine,
        [replace(ahead, value=None, state="retracted", observed_at=None)],
        now=NOON + timedelta(seconds=1),
    )
    with Session(engine) as session:
        assert session.scalars(current_feedback()).all() == []
        assert session.scalar(select(func.max(FeedbackEvent.observed_at))) == NOON + timedelta(seconds=1)


def test_two_writers_with_one_key_store_one_event(engine: Engine, tmp_path: Path) -> None:
    """The other one's event is not there when this one looks, and is when it writes."""
    event = an_event(idempotency_key=bound("c", "k"))
    ids: list[Written] = []

    class Late(Event):
        """Says its key once the other writer has used it."""

        @property
        def slot(self) -> tuple[str, str | None, str, str]:
            if not ids:
                ids.extend(write(engine, [event]))
            return super().slot

    late = Late(**{name: getattr(event, name) for name in Event.__slots__})
    (written,) = write(engine, [late])
    (first,) = ids
    assert isinstance(first, Receipt)
    assert isinstance(written, Receipt)
    assert (written.event_id, written.is_new) == (first.event_id, False)
