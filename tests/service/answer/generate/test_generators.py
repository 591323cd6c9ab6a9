"""Generators of the scope file: servers with replicas, chains that end with the documents, and LangChain's models."""

import asyncio
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, aclosing
from pathlib import Path
from typing import Any, ClassVar

import aiohttp
import pytest
import yaml
from langchain_core.language_models import FakeListChatModel
from langchain_core.messages import AIMessageChunk, BaseMessage
from langchain_core.outputs import ChatGenerationChunk
from pydantic import TypeAdapter

from ingestion.errors import ScopeError
from service.answer.generate import Event, Finished, Generator, KeepAlive, Text
from service.answer.generate.build import build_generators
from service.answer.generate.langchain import LangChainGenerator
from service.answer.generate.openai import OpenAIGenerator
from service.answer.generate.replica import Replica, Upstream
from service.errors import GeneratorError, GeneratorInterruptedError
from service.scope import load_scope
from service.scope.generators import GeneratorConfig, Timeouts
from service.settings import Settings
from tests.conftest import StartGateway, serving, wait_until
from tests.service.answer.generate.test_chunks import task
from tests.service.conftest import stream_of, text_of
from tests.upstream import ScriptedUpstream

QUESTION = "What does express delivery cost?"
DEAD = "http://127.0.0.1:9/v1"
FAST = Timeouts(connect_s=1, first_token_s=0.3, idle_s=0.3)


@pytest.fixture
def servers() -> Iterator[tuple[ScriptedUpstream, ScriptedUpstream]]:
    with ExitStack() as stack:
        pair = ScriptedUpstream(), ScriptedUpstream()
        for one in pair:
            one.url = f"{stack.enter_context(serving(one, lifespan='off'))}/v1"
        yield pair


def scope_of(folder: Path, patient_scope: Path, generators: dict[str, Any], **variant: Any) -> Path:
    content = yaml.safe_load(patient_scope.read_text())
    content["generators"] = generators
    name = content["assistants"]["support"]["variant"]
    content["variants"][name].update(variant)
    path = folder / "generators.yaml"
    path.write_text(yaml.safe_dump(content))
    return path


def build(generators: dict[str, Any]) -> dict[str, Generator]:
    configs = TypeAdapter(dict[str, GeneratorConfig]).validate_python(generators)
    return build_generators(configs, Settings(_env_file=None), None, None)  # type: ignore[call-arg,arg-type]


async def read(generator: OpenAIGenerator | LangChainGenerator) -> list[Event]:
    async with aclosing(generator.generate(task())) as events:
        return [event async for event in events]


def said(events: list[Event]) -> str:
    return "".join(event.text for event in events if isinstance(event, Text))


# Servers.


async def test_replicas_share_the_work(servers: tuple[ScriptedUpstream, ScriptedUpstream]) -> None:
    for one in servers:
        one.pause_s = 0.05
    async with aiohttp.ClientSession() as session:
        replicas = [Replica("pair", session, Upstream(one.url)) for one in servers]
        generator = OpenAIGenerator("pair", replicas)
        answers = await asyncio.gather(*(read(generator) for _ in range(6)))
    assert {said(events) for events in answers} == {"Express costs €9.90. [1]"}
    assert [one.requests for one in servers] == [3, 3]
    assert [replica.in_flight for replica in replicas] == [0, 0]


async def test_a_replica_that_fails_rests_while_the_other_answers(upstream: ScriptedUpstream) -> None:
    async with aiohttp.ClientSession() as session:
        dead, alive = (Replica("pair", session, Upstream(url)) for url in (DEAD, upstream.url))
        generator = OpenAIGenerator("pair", [dead, alive])
        answers = [await read(generator) for _ in range(5)]
        assert {said(events) for events in answers} == {"Express costs €9.90. [1]"}
        assert (dead.failures, upstream.requests) == (1, 5), "it was asked once, and the other from then on"


async def test_a_server_that_comes_back_is_asked_again(upstream: ScriptedUpstream) -> None:
    async with aiohttp.ClientSession() as session:
        replica = Replica("one", session, Upstream(upstream.url, retries=0))
        generator = OpenAIGenerator("one", [replica])
        upstream.statuses = [500] * 3
        for _ in range(3):
            with pytest.raises(GeneratorError):
                await read(generator)
        with pytest.raises(GeneratorError, match="No server"):
            await read(generator)
        assert upstream.requests == 3
        watching = asyncio.ensure_future(generator.watch())
        while not replica.is_well:
            await asyncio.sleep(0.01)
        watching.cancel()
        assert said(await read(generator)) == "Express costs €9.90. [1]"


async def test_a_busy_server_is_not_taken_for_a_dead_one(upstream: ScriptedUpstream) -> None:
    async with aiohttp.ClientSession() as session:
        replica = Replica("one", session, Upstream(upstream.url, retries=0))
        upstream.statuses = [429] * 5
        for _ in range(5):
            with pytest.raises(GeneratorError):
                await read(OpenAIGenerator("one", [replica]))
        assert replica.is_well


# Scopes.


def test_the_chain_goes_on_to_the_next_generator_and_ends_with_the_documents(
    start_gateway: StartGateway, upstream: ScriptedUpstream, patient_scope: Path, tmp_path: Path
) -> None:
    generators = {
        "near": {"kind": "openai", "url": DEAD, "retries": 0},
        "far": {"kind": "openai", "url": [upstream.url, DEAD], "model": "scripted-model"},
    }
    scope = scope_of(tmp_path, patient_scope, generators, generator="near", fallback=["far", "extractive"])
    with start_gateway(scope_file=scope) as gateway, gateway.client() as client:
        first = gateway.ask(QUESTION).json()
        streamed = stream_of(gateway.ask(QUESTION, stream=True))
        wait_until(lambda: "near" in client.get("/readyz").json()["checks"]["generators"])
        ready = client.get("/readyz")
        upstream.statuses = [500] * 20
        last = gateway.ask(QUESTION).json()
    assert first["choices"][0]["message"]["content"] == text_of(streamed) == "Express costs €9.90. [1]"
    assert (first["rag"]["degraded"], last["rag"]["degraded"]) == (True, True)
    assert ready.status_code == 200
    assert "127.0.0.1" not in ready.text, "probes are told no inside address"
    assert last["rag"]["citations"]
    assert last["choices"][0]["message"]["content"] != "Express costs €9.90. [1]"


def test_a_key_comes_from_the_environment_and_is_sent(
    start_gateway: StartGateway,
    upstream: ScriptedUpstream,
    patient_scope: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    price = {"prompt": 2, "completion": 10, "currency": "EUR"}
    generators = {"far": {"kind": "openai", "url": upstream.url, "api_key_env": "FAR_KEY", "price": price}}

    scope = scope_of(tmp_path, patient_scope, generators, generator="far")
    with pytest.raises(ScopeError, match="FAR_KEY holds no key"):
        build(generators)
    monkeypatch.setenv("FAR_KEY", "s3cret")
    with start_gateway(scope_file=scope) as gateway, gateway.client() as client:
        assert gateway.ask(QUESTION).json()["rag"]["degraded"] is False
        metrics = client.get("/metrics").text
    assert upstream.headers[-1][b"authorization"] == b"Bearer s3cret"
    # 321 tokens of the prompt and 4 of the answer.
    cost = re.search(r'generator_cost_total\{currency="EUR",generator="far"\} (\S+)', metrics)
    assert cost is not None
    assert float(cost[1]) == pytest.approx((321 * 2 + 4 * 10) / 1_000_000)


@pytest.mark.parametrize(
    ("generators", "variant", "wanted"),
    [
        ({}, {"generator": "nowhere"}, "unknown generator 'nowhere'"),
        ({}, {"fallback": ["nowhere", "extractive"]}, "unknown generator 'nowhere'"),
        ({}, {"generator": "openai", "fallback": ["openai"]}, "must end with 'extractive'"),
        ({"auto": {"kind": "openai", "url": DEAD}}, {}, "'auto' has a meaning"),
        ({"a": {"kind": "openai", "url": "ftp://x"}}, {}, "is no URL"),
        ({"a": {"kind": "openai", "url": []}}, {}, "empty list"),
        ({"a": {"kind": "openai"}}, {}, "url"),
        ({"a": {"kind": "other", "url": DEAD}}, {}, "kind"),
        ({"a": {"kind": "langchain", "model": "NoDots"}}, {}, "model"),
    ],
)
def test_a_wrong_generator_is_told_with_its_remedy(
    generators: dict[str, Any], variant: dict[str, Any], wanted: str, patient_scope: Path, tmp_path: Path
) -> None:
    with pytest.raises(ScopeError, match=wanted):
        load_scope(scope_of(tmp_path, patient_scope, generators, **variant))


# LangChain.


class Vendor(FakeListChatModel):
    """Streams words, tells what it used, and fails or pauses where it is told to."""

    closed: ClassVar[int] = 0
    fails_at: int | None = None
    pause_s: float = 0.0

    async def _astream(
        self, messages: list[BaseMessage], *args: Any, **kwargs: Any
    ) -> AsyncIterator[ChatGenerationChunk]:
        try:
            for number, word in enumerate(self.responses[0].split(" ")):
                await asyncio.sleep(self.pause_s)
                if number == self.fails_at:
                    raise RuntimeError("a vendor's own error")
                yield ChatGenerationChunk(message=AIMessageChunk(content=f"{word} "))
        except (GeneratorExit, asyncio.CancelledError):
            Vendor.closed += 1
            raise
        usage = {"input_tokens": 12, "output_tokens": 4, "total_tokens": 16}
        last = AIMessageChunk(
            content="", usage_metadata=usage, response_metadata={"finish_reason": "max_tokens"}
        )
        yield ChatGenerationChunk(message=last)


def vendor(timeouts: Timeouts = FAST, keep_alive_s: float = 0.1, **changes: Any) -> LangChainGenerator:
    model = Vendor(responses=["Express costs €9.90. [1]"], **changes)
    return LangChainGenerator("vendor", model, timeouts, keep_alive_s=keep_alive_s)


async def test_a_chat_model_streams_and_tells_what_it_used() -> None:
    events = await read(vendor())
    assert said(events).strip() == "Express costs €9.90. [1]"
    assert events[-1] == Finished("length", 12, 4)


async def test_a_chat_model_that_fails_is_a_failed_or_an_interrupted_generator() -> None:
    with pytest.raises(GeneratorError) as failed:
        await read(vendor(fails_at=0))
    assert not isinstance(failed.value, GeneratorInterruptedError)
    assert "vendor's own" not in failed.value.message
    with pytest.raises(GeneratorInterruptedError):
        await read(vendor(fails_at=2))


async def test_a_slow_chat_model_is_bridged_and_a_silent_one_given_up() -> None:
    events = await read(vendor(Timeouts(first_token_s=5, idle_s=5), keep_alive_s=0.02, pause_s=0.1))
    assert any(isinstance(event, KeepAlive) for event in events)
    with pytest.raises(GeneratorError):
        await read(vendor(pause_s=1))


async def test_a_chat_model_that_nobody_listens_to_any_more_hears_of_it() -> None:
    generator, Vendor.closed = vendor(Timeouts(first_token_s=5, idle_s=5), pause_s=0.01), 0
    async with aclosing(generator.generate(task())) as events:
        assert isinstance(await anext(events), Text)
    assert Vendor.closed == 1


def test_a_chat_model_of_the_scope_answers_by_its_dotted_path(
    start_gateway: StartGateway, patient_scope: Path, tmp_path: Path
) -> None:
    path = "langchain_core.language_models.FakeListChatModel"
    generators: dict[str, Any] = {
        "vendor": {
            "kind": "langchain",
            "model": path,
            "options": {"responses": ["Express costs €9.90. [1]"]},
        }
    }
    scope = scope_of(tmp_path, patient_scope, generators, generator="vendor")
    with start_gateway(scope_file=scope) as gateway:
        reply = gateway.ask(QUESTION).json()
    assert reply["choices"][0]["message"]["content"] == "Express costs €9.90. [1]"
    assert reply["rag"]["degraded"] is False


@pytest.mark.parametrize(
    ("wrong", "wanted"),
    [
        ({"model": "no.such.Model"}, "install its package"),
        ({"model": "langchain_core.messages.AIMessage"}, "no chat model"),
        ({"options": {"nonsense": 1}}, "takes other options"),
    ],
)
def test_a_chat_model_that_cannot_be_had_is_told_at_start(wrong: dict[str, Any], wanted: str) -> None:
    path = "langchain_core.language_models.FakeListChatModel"
    with pytest.raises(ScopeError, match=wanted):
        build({"vendor": {"kind": "langchain", "model": path, **wrong}})
