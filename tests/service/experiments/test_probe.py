"""A faulty arm is found by its numbers within one probe, pauses its experiment, and leaves the analysis."""

from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from sqlalchemy import Engine

from service.answer.arms import ArmWatch
from service.answer.generate.openai import OpenAIGenerator
from service.answer.generate.replica import Replica, Upstream
from service.experiments.integrity import integrity_of
from service.experiments.lifecycle import Actor, resume, start
from service.experiments.probe import PROMPTS, Probe, distance, fault_of, read_words, register
from service.experiments.store import read_alarms, read_experiment
from service.scope import Scope
from tests.service.experiments.conftest import Bench, declared, scope_of

NAME, BASE, GOOD, OTHER = "adapters", "base", "good@0123456789ab", "other@ba9876543210"
SAID: dict[str, dict[str, float]] = {
    BASE: {"the": -1.0, "a": -2.0, "its": -3.0},
    GOOD: {"the": -1.2, "a": -2.0, "its": -2.9},
    OTHER: {"the": -1.0, "a": -2.4, "one": -3.3},
}


class Server:
    """Serves models by name; `behind` says which one really answers."""

    def __init__(self) -> None:
        self.behind = {name: name for name in SAID}
        self.status = 200
        self.noise = 0.0
        self.asked = 0

    async def models(self, _: web.Request) -> web.Response:
        return web.json_response({"data": [{"id": name} for name in self.behind]})

    async def complete(self, request: web.Request) -> web.Response:
        body = await request.json()
        self.asked += 1
        if body["model"] not in self.behind:
            return web.json_response({}, status=404)
        if self.status != 200:
            return web.json_response({}, status=self.status)
        assert (body["prompt"], body["max_tokens"]) == (list(PROMPTS), 1)
        told = SAID[self.behind[body["model"]]]
        shaken = {word: value + self.noise * (-1) ** self.asked for word, value in told.items()}
        choices = [
            {"index": index, "logprobs": {"top_logprobs": [shaken]}}
            for index in reversed(range(len(PROMPTS)))
        ]
        return web.json_response({"choices": choices})


class Watched(Bench):
    """A bench with servers behind the treatment's adapter, and a watch that looks when it is told."""

    def __init__(self, engine: Engine, servers: list[str], session: aiohttp.ClientSession) -> None:
        raw = scope_of({NAME: declared(stages=["ab"])})
        raw["generators"] = {"house": {"kind": "openai", "url": servers}}
        raw["variants"]["baseline"]["generator"] = "house"
        raw["variants"]["short"] = {"generator": "house", "adapter": GOOD}
        super().__init__(engine, Scope.model_validate(raw))
        replicas = [
            Replica("house", session, Upstream(url, model=BASE), number)
            for number, url in enumerate(servers, 1)
        ]
        self.generators = {"house": OpenAIGenerator("house", replicas)}
        start(engine, self.scope, NAME, Actor("tester", "a test", 0.0))

    async def look(self) -> list[str]:
        """Probe once; the messages of the alarms."""
        self.book.refresh(self.engine)
        with ThreadPoolExecutor(1) as threads:
            await ArmWatch(self.scope, self.generators, self.book, self.engine, threads).look()
        return [alarm.message for alarm in read_alarms(self.engine, NAME)]

    @property
    def state(self) -> str:
        one = read_experiment(self.engine, NAME)
        assert one
        return one.state_at(datetime.now(UTC) + timedelta(seconds=1))


@pytest.fixture
async def servers() -> AsyncIterator[tuple[list[Server], list[str]]]:
    found, urls, runners = [Server(), Server()], [], []
    for server in found:
        app = web.Application()
        app.router.add_get("/v1/models", server.models)
        app.router.add_post("/v1/completions", server.complete)
        runner = web.AppRunner(app)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        runners.append(runner)
        urls.append(f"http://127.0.0.1:{runner.addresses[0][1]}/v1")
    yield found, urls
    for runner in runners:
        await runner.cleanup()


@pytest.fixture
async def watched(
    engine: Engine, servers: tuple[list[Server], list[str]]
) -> AsyncIterator[tuple[Watched, list[Server]]]:
    async with aiohttp.ClientSession() as session:
        yield Watched(engine, servers[1], session), servers[0]


Break = Callable[[list[Server]], Any]


async def test_an_arm_that_is_what_it_was_goes_on(watched: tuple[Watched, list[Server]]) -> None:
    bench, servers = watched
    for server in servers:
        server.noise = 0.001
    assert await bench.look() == []
    assert await bench.look() == []
    assert bench.state == "ab"
    assert servers[0].asked == servers[1].asked > 0


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        (lambda ones: ones[0].behind.update({GOOD: BASE}), "does nothing"),
        (lambda ones: ones[1].behind.update({GOOD: BASE}), "does nothing"),
        (lambda ones: ones[0].behind.update({GOOD: OTHER}), "another model than before"),
        (lambda ones: ones[1].behind.pop(GOOD), "server 2 doesn't serve"),
        (lambda ones: ones[0].behind.update({BASE: OTHER}), "another model than before"),
    ],
    ids=["no-op", "no-op on one server", "swapped", "gone", "base swapped"],
)
async def test_every_fault_pauses_within_one_probe(
    watched: tuple[Watched, list[Server]], broken: Break, message: str
) -> None:
    bench, servers = watched
    assert await bench.look() == []
    broken(servers)
    (said, *_) = await bench.look()
    assert message in said
    assert bench.state == "paused"
    running = read_experiment(bench.engine, NAME)
    assert running
    found = integrity_of(running, [], (0, 0), read_alarms(bench.engine, NAME))
    assert {epoch for _, epoch in found.faulty} == {1}
    resume(bench.engine, NAME, Actor("tester", "mended", 0.0))
    assert bench.state == "ab"


async def test_a_no_op_adapter_is_found_at_the_first_probe(watched: tuple[Watched, list[Server]]) -> None:
    bench, servers = watched
    servers[0].behind[GOOD] = BASE
    (said,) = await bench.look()
    assert said.startswith("The arm 'treatment' is faulty")
    assert bench.state == "paused"


@pytest.mark.parametrize("status", [500, 503, 429])
async def test_a_server_that_is_ill_is_no_faulty_arm(
    watched: tuple[Watched, list[Server]], status: int
) -> None:
    bench, servers = watched
    servers[0].status = status
    assert await bench.look() == []
    assert bench.state == "ab"


def test_noise_of_a_busy_server_is_no_fault_and_a_small_adapter_is_still_told_apart() -> None:
    base, small = [{"a": -1.0, "b": -2.0}], [{"a": -1.02, "b": -2.02}]
    assert fault_of(Probe("m", small, base, noise=0.004), small) == ""
    assert "does nothing" in fault_of(Probe("m", base, base), None)
    assert "does nothing" in fault_of(Probe("m", small, base, noise=0.01), small)
    other = [{"a": -0.98, "b": -1.98}]
    assert "another model" in fault_of(Probe("m", other, base), small)


def test_the_first_fingerprint_of_a_model_stays(engine: Engine) -> None:
    first = [{"a": -1.0}]
    assert register(engine, "m", first) == first
    assert register(engine, "m", [{"a": -2.0}]) == first


def test_words_that_one_model_alone_names_are_a_difference() -> None:
    assert distance([{"a": -1.0, "b": -2.0}], [{"a": -1.0, "c": -2.5}]) == pytest.approx(1 / 3)
    assert distance([{"a": -1.0}], [{"a": -1.0}, {"a": -1.0}]) == float("inf")
    assert distance([{}], [{}]) == float("inf")


@pytest.mark.parametrize("reply", [{}, {"choices": []}, {"choices": [{"logprobs": None}]}, [], None, "x"])
def test_a_server_without_log_probabilities_cant_be_probed(reply: object) -> None:
    with pytest.raises(ValueError, match="no log probabilities"):
        read_words(reply)
