"""Advisory guards never delay a stream, leak nothing, and say `LATE` where they were not asked."""

import asyncio
import gc
import threading
import weakref
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest

from service.guard.chain import Verdict
from service.guard.stream.background import AdvisoryGuards, BackgroundQueue
from service.scope.policy import Rule
from service.threads import rest_of

ANOTHER = "another answer"
TEXT = "One sentence. Another sentence. A third."


class Reader:
    """Flags every sentence that it reads, once it may."""

    name = "reader"

    def __init__(self, gate: threading.Event | None = None) -> None:
        self.gate = gate
        self.read: list[str] = []

    def judge(self, sentence: str) -> list[Verdict]:
        if self.gate is not None:
            self.gate.wait()
        self.read.append(sentence)
        return [Verdict(self.name, "output", "flag", "READ", 1.0, 0, len(sentence))]


class Breaking(Reader):
    def judge(self, sentence: str) -> list[Verdict]:
        raise RuntimeError("broken")


def guards_of(reader: Reader, queue: BackgroundQueue | None, *, deadline_s: float = 60.0) -> AdvisoryGuards:
    return AdvisoryGuards([(Rule(action="flag"), reader)], queue, deadline_s)


@pytest.fixture
def gate() -> Iterator[threading.Event]:
    """Opens at the end at the latest, so that no thread waits for ever."""
    event = threading.Event()
    yield event
    event.set()


async def read_whole(queue: BackgroundQueue | None) -> tuple[list[str], list[Verdict]]:
    reader = Reader()
    guards = guards_of(reader, queue)
    for start in range(0, len(TEXT), 7):
        guards.feed(TEXT[start : start + 7])
    await guards.close()
    return reader.read, guards.verdicts


async def test_an_idle_queue_reads_everything_in_order_and_says_where() -> None:
    with ThreadPoolExecutor(1) as thread:
        queue = BackgroundQueue(thread, limit=4)
        read, verdicts = await read_whole(queue)
        assert queue.count == 0
    assert "".join(read) == TEXT
    assert [TEXT[verdict.start : verdict.end] for verdict in verdicts] == read
    assert (await read_whole(None))[0] == read


async def test_after_a_hundred_that_were_late_the_next_is_read(gate: threading.Event) -> None:
    with ThreadPoolExecutor(1) as thread:
        queue = BackgroundQueue(thread, limit=4)
        for _ in range(100):
            late = guards_of(Reader(gate), queue, deadline_s=0.001)
            late.feed(TEXT)
            await late.close()
            assert [verdict.rule for verdict in late.verdicts] == ["LATE"]
        gate.set()
        thread.submit(lambda: None).result()
        read, verdicts = await read_whole(queue)
        assert queue.count == 0
    assert "".join(read) == TEXT
    assert {verdict.rule for verdict in verdicts} == {"READ"}


async def test_a_full_queue_refuses_at_once(gate: threading.Event) -> None:
    with ThreadPoolExecutor(1) as thread:
        queue = BackgroundQueue(thread, limit=2)
        waiting = [queue.submit(ANOTHER, gate.wait) for _ in range(2)]  # type: ignore[arg-type]
        assert queue.submit(ANOTHER, lambda: None) is None
        refused = guards_of(Reader(), queue)
        refused.feed(TEXT)
        await refused.close()  # with a minute's patience, and without any wait
        assert [verdict.rule for verdict in refused.verdicts] == ["LATE"]
        gate.set()
        for piece in waiting:
            assert piece is not None
            piece.result()
        assert queue.count == 0


async def test_a_piece_that_is_cancelled_is_not_begun_and_leaves_the_queue(gate: threading.Event) -> None:
    begun: list[int] = []
    with ThreadPoolExecutor(1) as thread:
        queue = BackgroundQueue(thread, limit=3)
        first = queue.submit(ANOTHER, gate.wait)  # type: ignore[arg-type]
        second = queue.submit(ANOTHER, lambda: begun.append(2))
        assert first is not None
        assert second is not None
        assert second.cancel()
        assert queue.count == 1
        gate.set()
        first.result()
        thread.submit(lambda: None).result()
    assert (begun, queue.count) == ([], 0)


async def test_what_was_cancelled_is_not_kept_behind_a_piece_that_is_stuck(gate: threading.Event) -> None:
    kept: weakref.WeakSet[Reader] = weakref.WeakSet()
    with ThreadPoolExecutor(1) as thread:
        queue = BackgroundQueue(thread, limit=4)
        first = queue.submit(ANOTHER, gate.wait)  # type: ignore[arg-type]
        for _ in range(50):
            reader = Reader()
            kept.add(reader)
            piece = queue.submit(ANOTHER, partial(reader.judge, TEXT))  # type: ignore[arg-type]
            assert piece is not None
            assert piece.cancel()
        del reader, piece
        gc.collect()
        assert (len(kept), queue.count) == (0, 1)
        gate.set()
        assert first is not None
        first.result()


async def test_an_answer_has_one_piece_in_the_queue_however_much_it_says(gate: threading.Event) -> None:
    with ThreadPoolExecutor(1) as thread:
        queue = BackgroundQueue(thread, limit=8)
        reader = Reader(gate)
        guards = guards_of(reader, queue)
        for _ in range(50):
            guards.feed(TEXT + " ")
        assert queue.count == 1
        gate.set()
        await guards.close()
    assert "".join(reader.read) == (TEXT + " ") * 50


async def test_what_breaks_is_told_and_leaves_the_queue() -> None:
    with ThreadPoolExecutor(1) as thread:
        queue = BackgroundQueue(thread, limit=2)
        guards = guards_of(Breaking(), queue)
        guards.feed(TEXT)
        await guards.close()
        assert queue.count == 0
    assert {verdict.rule for verdict in guards.verdicts} == {"FAILED"}


async def test_a_close_that_is_cancelled_leaves_the_queue(gate: threading.Event) -> None:
    with ThreadPoolExecutor(1) as thread:
        queue = BackgroundQueue(thread, limit=2)
        blocked = queue.submit(ANOTHER, gate.wait)  # type: ignore[arg-type]
        guards = guards_of(Reader(), queue)
        guards.feed(TEXT)
        closing = asyncio.create_task(guards.close())
        await asyncio.sleep(0)
        closing.cancel()
        await asyncio.gather(closing, return_exceptions=True)
        assert queue.count == 1
        gate.set()
        assert blocked is not None
        blocked.result()
        thread.submit(lambda: None).result()
        assert queue.count == 0


@pytest.mark.parametrize(("owner", "rests"), [("another answer", 1), ("the same answer", 0), (None, 0)])
def test_the_thread_rests_while_other_answers_wait(
    owner: str | None, rests: int, monkeypatch: pytest.MonkeyPatch, gate: threading.Event
) -> None:
    rested: list[float] = []
    monkeypatch.setattr("service.guard.stream.background.time.sleep", rested.append)
    with ThreadPoolExecutor(1) as thread:
        queue = BackgroundQueue(thread, limit=4, rest=2.0)
        pieces = [queue.submit("the same answer", gate.wait)]  # type: ignore[arg-type]
        if owner is not None:
            pieces.append(queue.submit(owner, lambda: None))
        gate.set()
        for piece in pieces:
            assert piece is not None
            piece.result()
    assert len(rested) == rests


def test_it_rests_only_where_processors_are_few() -> None:
    assert [rest_of(cores) for cores in (1, 2, 3, 4, 64)] == [3, 2, 1, 0, 0]
