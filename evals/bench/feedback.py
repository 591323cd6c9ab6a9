"""Feedback: how much of a campaign reaches a dataset and what honest people lose by it, and how soon an event is durable.

The campaigns are those of `feedback_world.py`, stored in a database, screened and read as `finetune` will read them. Events
are posted over HTTP to a gateway of its own, at a steady pace, with tokens and with a key.
"""

import asyncio
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
from sqlalchemy import Engine, insert, text

from evals.bench.feedback_world import DAYS, STRATEGIES, Said, World, attack
from evals.bench.load import ask_json, request_bytes
from evals.bench.postgres import binaries, postgres
from evals.bench.servers import free_port, serving
from evals.metrics import Figure
from service.auth import create_key
from service.database import migrate, open_database
from service.feedback.dataset import dataset_rows
from service.feedback.screen.stored import screen
from service.feedback.tokens import FeedbackSigner
from service.ids import uuid7
from service.tables import Answer, FeedbackEvent

_WORLDS, _SEED = 12, 1_000
_PER_S, _SECONDS, _WARM_S, _CLIENTS = 200, 20.0, 10.0, 16
# Events that are there already: an empty table is found without an index.
_PAST = 50_000
_SECRET = "a benchmark's secret, known to its load"
# Days begin at the same hour in every run: the screen counts some things once a day.
_NOW = datetime(2026, 6, 1, tzinfo=UTC)
_SCOPE = """
version: 1
use_case: A benchmark.
collections: {c: {languages: [en], clearance: {supplier: b, licence: none, legal_basis: no_personal_data}}}
variants: {v: {generator: extractive}}
assistants: {a: {collection: c, variant: v}}
guards:
  input: {injection_model: off, toxicity: off}
  output: {grounding: off, toxicity: off}
feedback: {events_a_caller_a_minute: 1000000}
"""


def measure(*, data: Path | None, is_quick: bool) -> dict[str, Figure]:
    """Figures by id."""
    figures = _abuse(1 if is_quick else _WORLDS)
    seconds = 3.0 if is_quick else _SECONDS
    figures |= _speed("sqlite", None, seconds)
    folder = binaries()
    if folder is not None:
        with postgres(folder) as url:
            figures |= _speed("postgres", url, seconds)
    return figures


def _abuse(worlds: int) -> dict[str, Figure]:
    """Shares by strategy; the worst and the best are of all but `one_each`, which no screen can tell from opinions."""
    figures: dict[str, Figure] = {}
    means: dict[str, dict[str, float]] = {"poisoned_kept": {}, "honest_lost": {}}
    for name in ("none", *STRATEGIES):
        shares = [_shares(name, _SEED + number) for number in range(worlds)]
        for index, what in enumerate(("poisoned_kept", "honest_lost")):
            if name == "none" and what == "poisoned_kept":
                continue
            values = [one[index] for one in shares]
            figures[f"feedback.abuse.{name}.{what}"] = _mean(values)
            if name in STRATEGIES and name != "one_each":
                means[what][name] = float(np.mean(values))
    for what, by_name in means.items():
        worst, best = max(by_name, key=by_name.__getitem__), min(by_name, key=by_name.__getitem__)
        figures[f"feedback.abuse.{what}"] = figures[f"feedback.abuse.{worst}.{what}"]
        figures[f"feedback.abuse.best.{what}"] = figures[f"feedback.abuse.{best}.{what}"]
    return figures


def _mean(values: Sequence[float]) -> Figure:
    """With the interval of the mean over worlds, by bootstrap."""
    draws = np.random.default_rng(1).choice(np.array(values), (2_000, len(values))).mean(axis=1)
    low, high = np.percentile(draws, [2.5, 97.5])
    return Figure(float(np.mean(values)), float(low), float(high), len(values))


def _shares(strategy: str, seed: int) -> tuple[float, float]:
    """Of poisoned events the share in the dataset, of honest ones the share that is missing there."""
    world = World(np.random.default_rng(seed))
    said = world.honest() + (attack(world, strategy) if strategy != "none" else [])
    with tempfile.TemporaryDirectory() as folder:
        engine = open_database(f"sqlite:///{folder}/db")
        migrate(engine)
        _store(engine, said)
        screen(engine, days=DAYS + 2, now=_NOW)
        kept = {int(row.event_id) for row in dataset_rows(engine)}
        engine.dispose()
    poisoned = [number for number, one in enumerate(said) if one.is_poison]
    honest = [number for number, one in enumerate(said) if not one.is_attacker]
    return _share(poisoned, kept), 1 - _share(honest, kept)


def _share(numbers: Sequence[int], kept: set[int]) -> float:
    return sum(number in kept for number in numbers) / max(len(numbers), 1)


def _store(engine: Engine, said: Sequence[Said]) -> None:
    """Each event with an answer of its own; numbers are ids."""
    with engine.begin() as connection:
        connection.execute(insert(Answer), [_answer(number, one) for number, one in enumerate(said)])
        connection.execute(insert(FeedbackEvent), [_event(number, one) for number, one in enumerate(said)])


def _time(day: float) -> datetime:
    return _NOW - timedelta(days=DAYS + 1 - day)


def _answer(number: int, one: Said) -> dict[str, Any]:
    place = f"{one.document}/{one.passage}"
    texts = "request_id caller assistant finish_reason question answer collection release_id release_digest prompt_digest"
    cited = [{"chunk_id": place, "document_id": str(one.document), "source": ""}]
    return {
        **dict.fromkeys(f"{texts} generator scope_digest".split(), "x"),
        **{"verdicts": [], "timings": {}, "prompt_tokens": 0, "completion_tokens": 0, "degraded": False},
        "id": str(number),
        "conversation_id": str(number),
        "created_at": _time(one.day),
        "outcome": "answered",
        "variant": str(one.variant),
        "citations": cited,
    }


def _event(number: int, one: Said) -> dict[str, Any]:
    values = {"thumb": "up" if one.is_good else "down", "rating": "5" if one.is_good else "1"}
    return {
        "event_id": str(number),
        "answer_id": str(number),
        "caller": "token",
        "actor": str(one.actor),
        "actor_kind": "end_user",
        "kind": one.kind,
        "value": values.get(one.kind),
        "reasons": [],
        "correction": one.text or None,
        "target": "answer",
        "state": "set",
        "observed_at": _time(one.day),
        "received_at": _time(one.day),
        "source": "widget",
        "consent": "train",
    }


def _speed(name: str, url: str | None, seconds: float) -> dict[str, Figure]:
    with _gateway(url) as (base, key, answers):
        by_token = _requests(base, int(_PER_S * seconds), None, ())
        by_key = _requests(base, int(_PER_S * seconds), key, answers)
        # Models are loaded beside the first events.
        asyncio.run(_paced(base, _requests(base, int(_PER_S * _WARM_S), None, ())))
        paced, keyed = (asyncio.run(_paced(base, requests)) for requests in (by_token, by_key))
        flood = _requests(base, int(_PER_S * seconds), None, ())
        per_s = asyncio.run(_flooded(base, flood))
    return {
        f"feedback.accepted_p50_s@{name}": Figure(float(np.percentile(paced, 50)), n=len(paced)),
        f"feedback.accepted_p95_s@{name}": Figure(float(np.percentile(paced, 95)), n=len(paced)),
        f"feedback.accepted_by_key_p95_s@{name}": Figure(float(np.percentile(keyed, 95)), n=len(keyed)),
        f"feedback.events_per_s@{name}": Figure(per_s, n=len(flood)),
    }


@contextmanager
def _gateway(url: str | None) -> Iterator[tuple[str, str, list[str]]]:
    """A gateway on a database: its URL, a key, and answers of that key."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        (folder / "scope.yaml").write_text(_SCOPE)
        database = url or f"sqlite:///{folder / 'db'}"
        engine = open_database(database)
        migrate(engine)
        key = create_key(engine, "bench", ["feedback"])
        said = [Said(0, DAYS, 0, 0, 0, is_good=True)] * 1_000
        rows = [{**_answer(n, one), "id": uuid7(), "caller": key.split("-")[1]} for n, one in enumerate(said)]
        past = [_event(number, said[0]) for number in range(_PAST)]
        with engine.begin() as connection:
            connection.execute(insert(Answer), rows)
            connection.execute(insert(FeedbackEvent), past)
            connection.execute(text("analyze"))
        engine.dispose()
        port = free_port()
        env = {
            "TOUCHSTONE_SCOPE_FILE": str(folder / "scope.yaml"),
            "TOUCHSTONE_DATA_DIR": str(folder / "var"),
            "TOUCHSTONE_DATABASE_URL": database,
            "TOUCHSTONE_SECRET_KEY": _SECRET,
        }

        command = [sys.executable, "-m", "service", "serve", "--port", str(port)]
        base = f"http://127.0.0.1:{port}"
        stack.enter_context(serving(command, f"{base}/readyz", log=folder / "log", env=env))
        yield base, key, [str(row["id"]) for row in rows]


def _requests(base: str, count: int, key: str | None, answers: Sequence[str]) -> list[bytes]:
    """Events with a token, each of an answer of its own, or with a key on its answers."""
    signer = FeedbackSigner(_SECRET.encode())
    found = []
    for number in range(count):
        event: dict[str, object] = {"kind": "thumb", "value": "up" if number % 2 else "down"}
        if key is None:
            answer_id = uuid7()
            event |= {"answer_id": answer_id, "token": signer.sign(answer_id, f"{number:032x}")}
        else:
            event |= {"answer_id": answers[number % len(answers)]}
        found.append(request_bytes(f"{base}/v1/feedback", event, key))
    return found


async def _paced(base: str, requests: Sequence[bytes]) -> list[float]:
    """Seconds from when each request was due to its 201, so many a second whatever the replies take."""
    queue: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()
    times: list[float] = []
    clients = [asyncio.create_task(_client(base, queue, times)) for _ in range(_CLIENTS)]
    began = time.perf_counter()
    for number, request in enumerate(requests):
        due = began + number / _PER_S
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
        queue.put_nowait((due, request))
    await queue.join()
    for client in clients:
        client.cancel()
    if len(times) != len(requests):
        raise RuntimeError(f"{len(requests) - len(times)} events were not accepted")
    return times


async def _client(base: str, queue: asyncio.Queue[tuple[float, bytes]], times: list[float]) -> None:
    parts = urlsplit(base)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    try:
        while True:
            due, request = await queue.get()
            status, _ = await ask_json(reader, writer, request)
            if status == 201:
                times.append(time.perf_counter() - due)
            queue.task_done()
    finally:
        writer.close()


async def _flooded(base: str, requests: Sequence[bytes]) -> float:
    """Events a second that are accepted when clients wait for nothing but their reply."""
    queue: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()
    times: list[float] = []
    for request in requests:
        queue.put_nowait((time.perf_counter(), request))
    clients = [asyncio.create_task(_client(base, queue, times)) for _ in range(2 * _CLIENTS)]
    began = time.perf_counter()
    await queue.join()
    took = time.perf_counter() - began
    for client in clients:
        client.cancel()
    return len(times) / took
