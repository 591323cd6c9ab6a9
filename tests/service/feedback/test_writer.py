"""Events that arrive together share a transaction; each is durable when its sender hears of it, and fails alone."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
from sqlalchemy.exc import DataError, OperationalError

from service.errors import ConflictError, NotReadyError
from service.feedback.event import Event, Receipt
from service.feedback.record import Written
from service.feedback.writer import FeedbackWriter
from tests.service.feedback.samples import an_event

Write = Callable[[Sequence[Event]], list[Written]]


def receipts(events: Sequence[Event]) -> list[Written]:
    return [Receipt(event.answer_id, event.answer_id, event.state, is_new=True) for event in events]


class Slow:
    """Writes when it is let, and remembers the batches."""

    def __init__(self) -> None:
        self.batches: list[int] = []
        self.may_write = threading.Event()

    def __call__(self, events: Sequence[Event]) -> list[Written]:
        self.batches.append(len(events))
        assert self.may_write.wait(30)
        return receipts(events)


@asynccontextmanager
async def started(write: Write, wait_s: float = 30.0) -> AsyncIterator[FeedbackWriter]:
    with ThreadPoolExecutor(1) as executor:
        writer = FeedbackWriter(write, executor, wait_s=wait_s)
        writer.start()
        yield writer
        await writer.close()


async def test_what_arrives_during_a_commit_shares_the_next() -> None:
    slow = Slow()
    async with started(slow) as writer:
        first = asyncio.create_task(writer.add(an_event()))
        while not slow.batches:
            await asyncio.sleep(0.001)
        others = [asyncio.create_task(writer.add(an_event())) for _ in range(50)]
        await asyncio.sleep(0.01)
        assert not any(task.done() for task in (first, *others)), "told before the commit"
        slow.may_write.set()
        await asyncio.gather(first, *others)
    assert slow.batches == [1, 50]


async def test_each_sender_hears_of_its_own_event() -> None:
    events = [an_event() for _ in range(1_200)]
    async with started(receipts) as writer:
        found = await asyncio.gather(*(writer.add(event) for event in events))
        assert [receipt.event_id for receipt in found] == [event.answer_id for event in events]
        many = await writer.add_all(events)
        assert [one.event_id for one in many if isinstance(one, Receipt)] == [
            event.answer_id for event in events
        ]


async def test_an_event_that_cannot_be_stored_fails_alone() -> None:
    def write(events: Sequence[Event]) -> list[Written]:
        if any(event.comment == "bad" for event in events):
            raise DataError(None, None, ValueError("bad"))
        return receipts(events)

    async with started(write) as writer:
        events = [replace(an_event(), comment="bad" if n == 7 else None) for n in range(20)]
        found = await asyncio.gather(*(writer.add(event) for event in events), return_exceptions=True)
        assert [isinstance(one, Receipt) for one in found] == [n != 7 for n in range(20)]
        assert isinstance(found[7], DataError)
        assert isinstance(await writer.add(an_event()), Receipt)


async def test_a_conflict_reaches_its_sender_alone() -> None:
    def write(events: Sequence[Event]) -> list[Written]:
        return [
            ConflictError("used") if event.value == "down" else written
            for event, written in zip(events, receipts(events), strict=True)
        ]

    async with started(write) as writer:
        good, bad = await asyncio.gather(
            writer.add(an_event()), writer.add(an_event(value="down")), return_exceptions=True
        )
        assert isinstance(good, Receipt)
        assert isinstance(bad, ConflictError)


async def test_a_database_that_is_away_is_said_and_the_next_event_is_tried() -> None:
    is_away = True

    def write(events: Sequence[Event]) -> list[Written]:
        if is_away:
            raise OperationalError(None, None, ValueError("away"))
        return receipts(events)

    async with started(write) as writer:
        with pytest.raises(NotReadyError, match="nothing was stored"):
            await writer.add(an_event())
        is_away = False
        assert isinstance(await writer.add(an_event()), Receipt)


async def test_nobody_waits_for_ever_and_what_was_not_begun_is_dropped() -> None:
    slow = Slow()
    async with started(slow, wait_s=0.05) as writer:
        first = asyncio.create_task(writer.add(an_event()))
        while not slow.batches:
            await asyncio.sleep(0.001)
        with pytest.raises(NotReadyError, match="has not answered"):
            await writer.add(an_event())
        with pytest.raises(NotReadyError):
            await first
        slow.may_write.set()
        await writer.add(an_event())
    assert slow.batches == [1, 1]


async def test_what_waits_is_written_before_the_end() -> None:
    async with started(receipts) as writer:
        waiting = [asyncio.create_task(writer.add(an_event())) for _ in range(5)]
        await asyncio.sleep(0)
    found = await asyncio.gather(*waiting)
    assert [receipt.is_new for receipt in found] == [True] * 5
