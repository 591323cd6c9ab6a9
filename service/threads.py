"""How the threads of a serving process share its processors."""

import os
import sys

from threadpoolctl import threadpool_limits


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
