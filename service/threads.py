"""How the threads of a serving process share its processors."""

import asyncio
import os
import sys
from collections.abc import Callable
from concurrent.futures import Executor
from typing import TypeVar

from threadpoolctl import threadpool_limits

from service.errors import BusyError, NotReadyError

T = TypeVar("T")


async def within(seconds: float, executor: Executor, work: Callable[[], T], what: str) -> T:
    """Do it in a thread and wait no longer than told. Raises `NotReadyError` that names `what`.

    Work that has begun goes on in its thread, so it may be done all the same; what has not begun is dropped.
    """
    doing = asyncio.get_running_loop().run_in_executor(executor, work)
    try:
        return await asyncio.wait_for(doing, seconds)
    except TimeoutError as exc:
        raise NotReadyError(
            f"{what} has not answered within {seconds:g} s. Send the request again, with the same Idempotency-Key."
        ) from exc


async def in_turn(executor: Executor, work: Callable[[], T], *, wait_s: float) -> T:
    """Do it in a thread, after what came before it. What has begun is finished, whoever hangs up meanwhile.

    Raises `BusyError` when its turn has not come within so many seconds; it is not done then.
    """
    future = executor.submit(work)
    done = asyncio.wrap_future(future)
    try:
        async with asyncio.timeout(wait_s):
            return await asyncio.shield(done)
    except TimeoutError:
        if future.cancel():
            raise BusyError(
                f"Those before it have taken more than {wait_s:g} s, so nothing was begun. Send it again."
            ) from None
        return await asyncio.shield(done)


def one_thread_each() -> None:
    """Keep BLAS and OpenMP from starting threads of their own, for the process and for the calling thread.

    Their threads spin while they wait, on the cores that the embedder's threads need: with them two cores
    answer 55 searches a second, without them 158. OpenMP's number belongs to each thread, so every thread
    that searches calls this.
    """
    threadpool_limits(limits=1)


def processors() -> int:
    """How many processors this process may use; a container's quota is not seen."""
    return len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1


def rest_of(cores: int) -> float:
    """How long work that nobody waits for rests for each second of it: none from four cores on, where three are left."""
    return float(max(0, 4 - cores))
