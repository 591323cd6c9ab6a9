"""The keys in memory: what keeps them fresh does not die."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from service.auth import KeyRing, create_key, revoke_key
from service.database import migrate, open_database
from service.errors import UnauthenticatedError


class FailingKeyRing(KeyRing):
    """Fails a few times, then reads the keys and tells that it did."""

    def __init__(self, path: Path, failures: list[Exception], told: Callable[[], None]) -> None:
        super().__init__(open_database(f"sqlite:///{path}"))
        self._failures = failures
        self._told = told

    def refresh(self) -> None:
        if self._failures:
            raise self._failures.pop(0)
        super().refresh()
        self._told()


async def watched(ring: Callable[[Callable[[], None]], KeyRing]) -> KeyRing:
    """A ring after its watch has read the keys once."""
    loop, read = asyncio.get_running_loop(), asyncio.Event()

    def told() -> None:
        loop.call_soon_threadsafe(read.set)

    keys = ring(told)
    with ThreadPoolExecutor(1) as executor:
        watch = asyncio.create_task(keys.watch(executor, interval_s=0.0))
        await asyncio.wait({watch, asyncio.create_task(read.wait())}, return_when=asyncio.FIRST_COMPLETED)
        watch.cancel()
        await asyncio.gather(watch, return_exceptions=True)
    return keys


def test_a_key_that_was_revoked_stops_working_whatever_error_came_before(tmp_path: Path) -> None:
    engine = open_database(f"sqlite:///{tmp_path / 'x.db'}")
    migrate(engine)
    token = create_key(engine, "frontend", ["answer"])
    revoke_key(engine, token.split("-")[1])
    engine.dispose()
    failures: list[Exception] = [OSError("no descriptors left"), ValueError("not JSON"), RuntimeError("?")]
    keys = asyncio.run(watched(lambda told: FailingKeyRing(tmp_path / "x.db", failures, told)))
    with pytest.raises(UnauthenticatedError, match="was revoked"):
        keys.identify(f"Bearer {token}")
    keys.engine.dispose()
