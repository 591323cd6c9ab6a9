"""The pool of processes that prepare documents: every source gets a result, whatever sizes and signals meet."""

import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path

import pytest

from ingestion.config import Clearance, CollectionConfig
from ingestion.corpus import Source
from ingestion.errors import StoppedError, WorkersError
from ingestion.prepare.preparer import Plan, PreparedDocument
from ingestion.runs.workers import Failure, LocalWorkers, Result
from tests.conftest import wait_until

PAGE_BYTES = 670_000


@pytest.fixture
def plan(tmp_path: Path) -> Plan:
    clearance = Clearance(supplier="tests", licence="internal", legal_basis="no_personal_data")
    config = CollectionConfig(
        clearance=clearance,
        pii={"entities": [], "names": "none"},
        screen={"enabled": False},
        deduplicate=False,
        languages=["en"],
    )
    return Plan(config, tmp_path)


@pytest.fixture
def workers() -> Iterator[LocalWorkers]:
    pool = LocalWorkers(1)
    yield pool
    pool.close()


def page(number: int, size: int = PAGE_BYTES) -> Source:
    line = f"Option {number} of the command prints the page of the manual and ends. ".encode()
    return Source(
        f"p{number}", f"p{number}.txt", str(number), size, data=(line * (size // len(line) + 1))[:size]
    )


def within(seconds: float, work: Callable[[], Sequence[Result]]) -> Sequence[Result]:
    """What work returns; fails when it hangs."""
    found: list[Sequence[Result]] = []
    thread = threading.Thread(target=lambda: found.append(work()), daemon=True)
    thread.start()
    thread.join(seconds)
    assert not thread.is_alive(), "it hangs"
    return found[0]


def test_sources_and_results_of_any_size_pass_each_other(plan: Plan, workers: LocalWorkers) -> None:
    results = within(120, lambda: list(workers.prepare(plan, [page(i) for i in range(7)])))
    assert [source.id for source, _ in results] == [f"p{i}" for i in range(7)]


def killing(workers: LocalWorkers, stop: threading.Event, pause_s: float) -> None:
    """Kill or stop a worker again and again."""
    number = 0
    while not stop.wait(pause_s):
        for pid in workers.pids[:1]:
            with suppress(ProcessLookupError):
                os.kill(pid, (signal.SIGKILL, signal.SIGSTOP)[number % 2])
            number += 1


@pytest.mark.slow
def test_workers_that_are_killed_and_stopped_cost_their_source_alone(plan: Plan) -> None:
    sources, workers, stop = [page(i) for i in range(6)], LocalWorkers(2, time_factor=0.03), threading.Event()
    killer = threading.Thread(target=killing, args=(workers, stop, 1.5))
    killer.start()
    try:
        results = within(600, lambda: list(workers.prepare(plan, sources)))
    finally:
        stop.set()
        killer.join()
        workers.close()
    assert [source.id for source, _ in results] == [source.id for source in sources]
    reasons = {one.reason for _, one in results if isinstance(one, Failure)}
    assert all("crashed" in reason or "given up" in reason for reason in reasons)


def test_a_stopped_worker_is_given_up_and_the_next_source_has_another(plan: Plan) -> None:
    workers = LocalWorkers(1, time_factor=0.03)
    assert isinstance(next(workers.prepare(plan, [page(0, 100)]))[1], PreparedDocument)
    (pid,) = workers.pids
    os.kill(pid, signal.SIGSTOP)
    (_, failed), (_, prepared) = within(120, lambda: list(workers.prepare(plan, [page(1), page(2, 100)])))
    workers.close()
    assert isinstance(failed, Failure)
    assert "given up" in failed.reason
    assert isinstance(prepared, PreparedDocument)


def test_an_idle_worker_that_was_killed_costs_nothing(plan: Plan, workers: LocalWorkers) -> None:
    list(workers.prepare(plan, [page(0, 100)]))
    (pid,) = workers.pids
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: not is_running(pid))
    ((_, prepared),) = workers.prepare(plan, [page(1, 100)])
    assert isinstance(prepared, PreparedDocument)


def is_running(pid: int) -> bool:
    """Its first thread may have ended before the others."""
    state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    return state != "Z" or len(list(Path(f"/proc/{pid}/task").iterdir())) > 1


def test_closing_ends_what_is_in_hand(plan: Plan) -> None:
    workers = LocalWorkers(1)
    errors: list[BaseException] = []

    def work() -> None:
        try:
            list(workers.prepare(plan, [page(i, 5_000_000) for i in range(3)]))
        except StoppedError as exc:
            errors.append(exc)

    thread = threading.Thread(target=work)
    thread.start()
    wait_until(lambda: workers.pids)
    pids = workers.pids
    workers.close()
    thread.join(60)
    assert len(errors) == 1
    assert "Send it again" in str(errors[0])
    assert not [pid for pid in pids if Path(f"/proc/{pid}").exists()]


def test_a_generator_that_is_left_leaves_nothing_for_the_next(plan: Plan, workers: LocalWorkers) -> None:
    left = workers.prepare(plan, [page(i, 100) for i in range(5)])
    next(left)
    left.close()
    ((source, _),) = workers.prepare(plan, [page(9, 100)])
    assert source.id == "p9"


@pytest.mark.slow
def test_a_pool_that_can_start_nothing_says_so(
    plan: Plan, workers: LocalWorkers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ingestion.runs.workers._Preparing", Unstartable)
    with pytest.raises(WorkersError, match="can't be read just now"):
        list(workers.prepare(plan, [page(0, 100)]))
    assert "ends as soon as it is started" in workers.trouble


def _exit() -> None:
    os._exit(3)


class Unstartable:
    def __reduce__(self) -> tuple[Callable[[], None], tuple[()]]:
        return _exit, ()
