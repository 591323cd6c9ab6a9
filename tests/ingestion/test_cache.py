"""The memory of what was computed last: bounded, and the same values with and without it."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from ingestion.cache import LruCache


class Maker:
    """Doubles numbers, and keeps what it was asked."""

    def __init__(self) -> None:
        self.calls: list[list[int]] = []

    def one(self, key: int) -> int:
        return self.all([key])[0]

    def all(self, items: list[int]) -> list[int]:
        self.calls.append(items)
        return [2 * item for item in items]


def many(*numbers: int) -> dict[int, int]:
    return {number: number for number in numbers}


def test_it_is_bounded() -> None:
    cache: LruCache[int, int] = LruCache(3)
    for number in range(10):
        assert cache.get(number, lambda n: 2 * n) == 2 * number
    assert len(cache) == 3
    assert cache.get_all(many(*range(20)), Maker().all) == {n: 2 * n for n in range(20)}
    assert len(cache) == 3


def test_without_a_size_everything_is_kept() -> None:
    cache: LruCache[int, int] = LruCache(None)
    cache.get_all(many(*range(500)), Maker().all)
    assert len(cache) == 500


def test_the_least_recently_used_goes_first() -> None:
    cache, maker = LruCache[int, int](3), Maker()
    cache.get_all(many(1, 2, 3), maker.all)
    cache.get(1, maker.one)
    cache.get_all(many(2), maker.all)
    cache.get(4, maker.one)
    assert maker.calls == [[1, 2, 3], [4]]
    cache.get_all(many(1, 2, 4), maker.all)
    assert len(maker.calls) == 2, "what was read lately is still there"
    cache.get(3, maker.one)
    assert maker.calls[-1] == [3], "what wasn't is gone"


def test_what_is_missing_is_made_in_one_call_and_what_is_known_in_none() -> None:
    cache, maker = LruCache[int, int](9), Maker()
    cache.get(2, maker.one)
    assert cache.get_all(many(1, 2, 3), maker.all) == {1: 2, 2: 4, 3: 6}
    assert cache.get_all(many(3, 1), maker.all) == {1: 2, 3: 6}
    assert cache.get_all({}, maker.all) == {}
    assert maker.calls == [[2], [1, 3]]


def test_a_maker_that_raises_stores_nothing() -> None:
    cache, maker = LruCache[int, int](9), Maker()

    def fail(_: object) -> list[int]:
        raise RuntimeError("no model")

    with pytest.raises(RuntimeError, match="no model"):
        cache.get_all(many(1, 2), fail)
    with pytest.raises(RuntimeError, match="no model"):
        cache.get(1, fail)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="zip"):
        cache.get_all(many(1, 2), lambda items: [1])
    assert len(cache) == 0
    assert cache.get(1, maker.one) == 2


def test_a_value_may_be_none() -> None:
    cache: LruCache[int, int | None] = LruCache(2)
    calls: list[int] = []
    for _ in range(3):
        assert cache.get(1, calls.append) is None
    assert calls == [1]


def test_a_slow_maker_holds_up_no_other_key() -> None:
    cache, inside, finish = LruCache[int, int](9), threading.Event(), threading.Event()

    def wait(key: int) -> int:
        inside.set()
        assert finish.wait(60)
        return key

    with ThreadPoolExecutor(1) as executor:
        slow = executor.submit(cache.get, 1, wait)
        assert inside.wait(60)
        assert cache.get(2, lambda key: key) == 2
        finish.set()
        assert slow.result(60) == 1


def test_two_threads_get_what_one_would() -> None:
    cache: LruCache[int, int] = LruCache(50)

    def ask(first: int) -> bool:
        return all(
            cache.get(n % 97, lambda key: 2 * key) == 2 * (n % 97)
            and cache.get_all(many(n % 89, n % 83), lambda items: [2 * item for item in items])
            == {key: 2 * key for key in (n % 89, n % 83)}
            for n in range(first, first + 3_000)
        )

    with ThreadPoolExecutor(2) as executor:
        assert all(executor.map(ask, (0, 41)))
    assert len(cache) == 50
