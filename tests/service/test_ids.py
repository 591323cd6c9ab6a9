"""Identifiers sort by when they were made, whatever the clock does, and no two are the same."""

import time
from concurrent.futures import ThreadPoolExecutor
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service import ids
from service.ids import uuid7


@given(st.lists(st.integers(-(10**14), 10**14), max_size=60))
def test_ids_of_a_process_are_in_order_on_any_clock(steps_ns: list[int]) -> None:
    now, made = time.time_ns(), [uuid7()]
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("service.ids._last", ids._last)  # put back at the end
        for step in steps_ns:
            now = max(0, now + step)
            patched.setattr(time, "time_ns", lambda now=now: now)
            made += [uuid7(), uuid7()]
    assert made == sorted(set(made))
    assert {UUID(one).version for one in made} == {7}


def test_threads_share_no_id() -> None:
    with ThreadPoolExecutor(8) as threads:
        made = [
            one for some in threads.map(lambda _: [uuid7() for _ in range(500)], range(16)) for one in some
        ]
    assert len(set(made)) == len(made)


def test_an_id_says_when_it_was_made(monkeypatch: pytest.MonkeyPatch) -> None:
    # Far ahead of what other tests made of the clock.
    now = 200_000_000_000_000
    monkeypatch.setattr(time, "time_ns", lambda: now * 1_000_000)
    monkeypatch.setattr("service.ids._last", 0)
    assert UUID(uuid7()).int >> 80 == now
