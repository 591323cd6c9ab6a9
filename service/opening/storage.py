"""Threads, the database and the installation's secret."""

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any, TypeVar

from sqlalchemy import Engine

from service.auth import KeyRing
from service.database import migrate
from service.feedback.tokens import secret_of
from service.settings import Settings

T = TypeVar("T")


def threads_in(
    count: int, name: str, stack: AsyncExitStack, start: Callable[[], None] | None = None
) -> Executor:
    executor = ThreadPoolExecutor(count, name, initializer=start)
    stack.callback(executor.shutdown)
    return executor


async def aside(executor: Executor, work: Callable[..., T], *arguments: Any) -> T:
    """Do it in a thread: opening files and loading models must not hold up the loop."""
    return await asyncio.get_running_loop().run_in_executor(executor, work, *arguments)


@dataclass(frozen=True, slots=True)
class Storage:
    """The database with threads that may wait for it, threads for files, which don't, and the installation's secret."""

    engine: Engine
    threads: Executor
    reading: Executor
    secret: bytes


async def open_storage(settings: Settings, keys: KeyRing, stack: AsyncExitStack) -> Storage:
    stack.callback(keys.engine.dispose)
    threads = threads_in(2, "database", stack)
    await aside(threads, migrate, keys.engine)
    await aside(threads, keys.refresh)
    return Storage(keys.engine, threads, threads_in(2, "reading", stack), _secret(settings))


def _secret(settings: Settings) -> bytes:
    given = settings.secret_key
    return secret_of(given.get_secret_value() if given else None, settings.data_dir)
