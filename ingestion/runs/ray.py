"""The same two stages on Ray: sources are prepared and chunks embedded by as many workers as the cluster has.

Results come back in the order of what was given, so a release made here is the one that would be made there.
Needs the extra `ray`. Files must be readable on every node: a shared folder or an fsspec URL.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from ingestion.corpus import Source
from ingestion.embed import Embedder, Embeddings, load_embedder
from ingestion.errors import IngestionError, ScopeError
from ingestion.prepare.preparer import Plan
from ingestion.runs.workers import Failure, InlineWorkers, Outline, Result, Task, embed_here

try:
    import ray
except ImportError as exc:  # pragma: no cover - depends on the installation
    raise ScopeError("Ray is not installed. Run: pip install 'ray>=2.50', or use --engine local.") from exc

_AHEAD, _STARTS = 4, 2


class _Preparing:
    """Lives on a worker and does a task for what it is given."""

    def __init__(self, task: Task, plan: Plan) -> None:
        self._task, self._plan = task, plan
        self._workers = InlineWorkers()

    def work(self, source: Source) -> tuple[Source, Any]:
        """One source."""
        return next(self._workers.do(self._task, self._plan, [source]))


class _Embedding:
    """Lives on a worker and embeds what it is given."""

    def __init__(self, name: str) -> None:
        self._embedder = load_embedder(name, threads=1)

    def work(self, texts: list[str]) -> Embeddings:
        """One batch."""
        return next(embed_here(self._embedder, [texts]))


def _start() -> None:
    """Ray gives its processes thirty seconds to come up; on a busy machine the second try has them."""
    for attempt in range(_STARTS):
        try:
            ray.init(log_to_driver=False, include_dashboard=False)
        except Exception as exc:  # Ray raises `Exception` itself
            ray.shutdown()
            if attempt == _STARTS - 1:
                raise IngestionError(
                    f"Ray did not start: {exc} Name a cluster in RAY_ADDRESS, or ingest without Ray."
                ) from exc
        else:
            return


class RayWorkers:
    """Connects to the cluster of `RAY_ADDRESS`, or starts one on this machine."""

    def __init__(self, workers: int = 0, *, embedder: str = "builtin") -> None:
        if not ray.is_initialized():
            _start()
            self._is_ours = True
        else:
            self._is_ours = False
        self._count = workers or max(1, int(ray.cluster_resources().get("CPU", 1)))
        self._embedder = embedder

    def prepare(self, plan: Plan, sources: Iterable[Source]) -> Iterator[Result]:
        """On every worker. One that dies over a source is replaced, and the source reported."""
        return self._do("prepare", plan, sources)

    def outline(self, plan: Plan, sources: Iterable[Source]) -> Iterator[tuple[Source, Outline | Failure]]:
        """On every worker, as they are prepared."""
        return self._do("outline", plan, sources)

    def _do(self, task: Task, plan: Plan, sources: Iterable[Source]) -> Iterator[tuple[Source, Any]]:
        def lost(source: Source, reason: str) -> tuple[Source, Any]:
            return source, Failure(reason)

        return self._spread(lambda: _actor(_Preparing, task, plan), sources, lost)

    def embed(self, embedder: Embedder, batches: Iterable[list[str]]) -> Iterator[Embeddings]:
        """On every worker; nothing is computed in this process."""

        def lost(_: list[str], reason: str) -> Embeddings:
            raise IngestionError(f"Embedding failed on a worker: {reason}")

        yield from self._spread(lambda: _actor(_Embedding, self._embedder), batches, lost)

    def _spread(
        self, start: Callable[[], Any], items: Iterable[Any], lost: Callable[[Any, str], Any]
    ) -> Iterator[Any]:
        """Every item through one of the actors, in order, a few ahead."""
        actors = [start() for _ in range(self._count)]
        under_way: deque[tuple[int, Any, Any]] = deque()
        try:
            for number, item in enumerate(items):
                index = number % self._count
                under_way.append((index, item, actors[index].work.remote(item)))
                if len(under_way) >= self._count * _AHEAD:
                    yield self._next(under_way, actors, start, lost)
            while under_way:
                yield self._next(under_way, actors, start, lost)
        finally:
            for actor in actors:
                ray.kill(actor)

    @staticmethod
    def _next(
        under_way: deque[tuple[int, Any, Any]],
        actors: list[Any],
        start: Callable[[], Any],
        lost: Callable[[Any, str], Any],
    ) -> Any:
        index, item, promise = under_way.popleft()
        try:
            return ray.get(promise)
        except ray.exceptions.RayActorError:
            # What waited behind it is given to the successor.
            actors[index] = start()
            for position, (other, later, _) in enumerate(under_way):
                if other == index:
                    under_way[position] = (other, later, actors[index].work.remote(later))
            return lost(item, "The worker died on it or ran out of memory.")

    def close(self) -> None:
        """Leave the cluster, or stop it if it was started here."""
        if self._is_ours:
            ray.shutdown()


def _actor(kind: type, *arguments: object) -> Any:
    return ray.remote(num_cpus=0.5, max_restarts=0)(kind).remote(*arguments)
