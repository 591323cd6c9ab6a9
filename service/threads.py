"""How many threads numerical libraries may start in a serving process."""

from threadpoolctl import threadpool_limits


def one_thread_each() -> None:
    """Keep BLAS and OpenMP from starting threads of their own, for the process and for the calling thread.

    Their threads spin while they wait, on the cores that the embedder's threads need: with them two cores
    answer 55 searches a second, without them 158. OpenMP's number belongs to each thread, so every thread
    that searches calls this.
    """
    threadpool_limits(limits=1)
