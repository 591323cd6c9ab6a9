"""A child answers, or it is known that it doesn't."""

import os
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from ingestion.runs.child import Child, ChildDiedError, ChildStuckError


def behave(message: tuple[str, float]) -> object:
    kind, amount = message
    if kind == "echo":
        return b"x" * int(amount)
    if kind == "die":
        os._exit(1)
    if kind == "sleep":
        time.sleep(amount)
    end = time.process_time() + (amount if kind == "burn" else 0)
    while time.process_time() < end:
        pass
    return kind


@pytest.fixture
def start() -> Iterator[Callable[[], Child]]:
    children: list[Child] = []

    def one() -> Child:
        children.append(Child(behave))
        return children[-1]

    yield one
    for child in children:
        child.stop()


def test_answers_of_any_size_come_back(start: Callable[[], Child]) -> None:
    child = start()
    for size in (0, 1, 65_536, 3_000_000):
        assert len(child.ask(("echo", size), 30)) == size


@pytest.mark.parametrize("kind", ["sleep", "burn"])
def test_what_takes_longer_than_its_limit_is_stuck(start: Callable[[], Child], kind: str) -> None:
    with pytest.raises(ChildStuckError):
        start().ask((kind, 600), 0.5)


def test_one_that_ends_has_died(start: Callable[[], Child]) -> None:
    child = start()
    with pytest.raises(ChildDiedError):
        child.ask(("die", 0), 30)
    with pytest.raises(ChildDiedError):
        child.ask(("echo", 1), 30)


def test_time_that_others_take_does_not_count(start: Callable[[], Child]) -> None:
    """Four children share two processors: each has its own seconds."""
    children = [start() for _ in range(2 * (os.cpu_count() or 1))]
    with ThreadPoolExecutor(len(children)) as threads:
        done = list(threads.map(lambda child: child.ask(("burn", 1.0), 1.8), children))
    assert done == ["burn"] * len(children)
