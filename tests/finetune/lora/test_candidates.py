"""What is measured of a candidate is what its server does; what fails is told, with its reason."""

from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import orjson
import pytest

from finetune.lora.candidates import (
    Endpoint,
    endpoint_of,
    measure_all,
    probed,
    quality_by_evals,
    quality_of,
    served_by,
)
from finetune.lora.choose import Candidate, Choice, weigh
from finetune.yaml_file import TrainingDataError
from service.scope import Scope, load_scope
from tests.conftest import SCOPE, serving
from tests.upstream import ScriptedUpstream

GOOD = {
    "bare.contains": 0.8,
    "cited_right": 0.7,
    "abstention.recall": 0.9,
    "abstention.false": 0.1,
    "degraded": 0.0,
    "contains": 0.9,
}


def figures(name: str = "demo", **changes: float) -> dict[str, dict[str, float]]:
    values = {**GOOD, **{key.replace("__", "."): value for key, value in changes.items()}}
    return {f"{name}.generated.{key}": {"value": value} for key, value in values.items()}


class Listing:
    """A scripted server whose list of models tells the context, as vLLM's does."""

    def __init__(self, scripted: ScriptedUpstream, context: int) -> None:
        self.scripted, self.context = scripted, context

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if not scope["path"].endswith("/models"):
            await self.scripted(scope, receive, send)
            return
        body = orjson.dumps({"data": [{"id": self.scripted.model, "max_model_len": self.context}]})
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": body})


@pytest.fixture
def servers() -> Iterator[tuple[ScriptedUpstream, ScriptedUpstream]]:
    """A small and fast one that says its context, and a slow one that doesn't."""
    fast, slow = ScriptedUpstream(), ScriptedUpstream()
    slow.first_pause_s, slow.model = 0.05, "slow-model"
    with ExitStack() as stack:
        fast.url = f"{stack.enter_context(serving(Listing(fast, 8192), lifespan='off'))}/v1"
        slow.url = f"{stack.enter_context(serving(slow, lifespan='off'))}/v1"
        yield fast, slow


@pytest.fixture
def scope() -> Scope:
    return load_scope(SCOPE)


def test_two_servers_are_measured_weighed_and_told_beside_what_is_out(
    servers: tuple[ScriptedUpstream, ScriptedUpstream], scope: Scope
) -> None:
    fast, slow = servers
    choice = Choice.model_validate(
        {
            "question": "Who answers?",
            "who": "Ana",
            "weights": {"quality": 2, "first_token_s": 1, "cost": 1, "context_tokens": 1},
            "scales": {
                "first_token_s": {"worst": 100, "best": 0},
                "cost": {"worst": 1, "best": 0},
                "context_tokens": {"worst": 0, "best": 8192},
            },
            "candidates": [
                {
                    "name": "fast",
                    "endpoint": fast.url,
                    "licence": "mit",
                    "price": {"prompt": 1, "completion": 2},
                },
                {"name": "slow", "endpoint": slow.url, "licence": "MIT", "context_tokens": 4096},
                {"name": "away", "endpoint": "http://127.0.0.1:9/v1", "licence": "MIT"},
                {"name": "secret", "endpoint": fast.url},
            ],
        }
    )
    asked: list[str] = []

    def quality(endpoint: str) -> dict[str, dict[str, float]]:
        asked.append(endpoint)
        return figures(bare__contains=1.0) if endpoint == slow.url else figures()

    first, second, *out = weigh(choice, measure_all(choice, scope, quality))
    assert (first.measured.candidate.name, second.measured.candidate.name) == ("fast", "slow")
    assert asked == [fast.url, slow.url]
    values = first.measured.values
    assert first.measured.model == "scripted-model"
    assert values["quality"] == pytest.approx((0.8 + 0.7 + 0.9 + 0.9) / 4)
    assert values["context_tokens"] == 8192
    # The server counts 321 and 4 tokens.
    assert values["cost"] == pytest.approx(1_000 * (321 * 1 + 4 * 2) / 1e6)
    assert second.measured.values["context_tokens"] == 4096
    assert "cost" not in second.measured.values
    assert second.measured.values["first_token_s"] > values["first_token_s"]
    assert second.measured.values["total_s"] >= 0.05
    reasons = {one.measured.candidate.name: one.faults[0] for one in out}
    assert "can't be reached" in reasons["away"]
    assert "states no licence" in reasons["secret"]
    # Ten of the probe each, and none for what is refused.
    assert (fast.requests, slow.requests) == (10, 10)


def test_the_probe_streams_and_asks_for_the_usage(servers: tuple[ScriptedUpstream, ScriptedUpstream]) -> None:
    fast, _ = servers
    probe = probed(Endpoint(fast.url), "scripted-model", requests=3)
    assert 0 < probe.first_token_s <= probe.total_s
    assert (probe.prompt_tokens, probe.completion_tokens) == (321, 4)
    assert all(body["stream"] and body["stream_options"] == {"include_usage": True} for body in fast.bodies)


@pytest.mark.parametrize(
    ("script", "named"),
    [
        ({"statuses": [503], "error_text": "busy"}, "503: 'busy'"),
        ({"tokens": []}, "without a word"),
        ({"break_after": 1}, "broke off"),
        ({"payloads": [b'{"error": {"message": "no memory"}}']}, "no memory"),
        ({"payloads": [b"{"]}, "broke off"),
    ],
)
def test_a_server_that_fails_is_no_candidate(
    servers: tuple[ScriptedUpstream, ScriptedUpstream], script: dict[str, Any], named: str
) -> None:
    fast, _ = servers
    for name, value in script.items():
        setattr(fast, name, value)
    with pytest.raises(TrainingDataError, match=named):
        probed(Endpoint(fast.url), "scripted-model")


def test_a_model_that_isnt_served_is_named(servers: tuple[ScriptedUpstream, ScriptedUpstream]) -> None:
    fast, _ = servers
    assert served_by(Endpoint(fast.url)) == ("scripted-model", 8192)
    with pytest.raises(TrainingDataError, match="'other'"):
        served_by(Endpoint(fast.url, model="other"))


def test_a_server_of_the_scope_file_brings_its_key_and_a_url_gets_none(
    scope: Scope, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOUSE_KEY", "k")
    raw = scope.model_dump() | {
        "generators": {
            "house": {"kind": "openai", "url": "http://h/v1/", "api_key_env": "HOUSE_KEY", "model": "m"},
            "chain": {"kind": "langchain", "model": "a.B"},
        }
    }
    with_servers = Scope.model_validate(raw)

    def found(endpoint: str) -> Endpoint:
        return endpoint_of(Candidate(name="c", endpoint=endpoint), with_servers)  # type: ignore[call-arg]

    assert found("house") == Endpoint("http://h/v1", "k", "m")
    assert found("http://other/v1/") == Endpoint("http://other/v1")
    for name in ("chain", "nobody"):
        with pytest.raises(TrainingDataError, match=r"\['house'\]"):
            found(name)
    monkeypatch.delenv("HOUSE_KEY")
    with pytest.raises(TrainingDataError, match="HOUSE_KEY"):
        found("house")


@pytest.mark.parametrize("url", ["ftp://host/v1", "http://", "http://host:port/v1"])
def test_what_is_no_url_is_refused_by_name(url: str) -> None:
    with pytest.raises(TrainingDataError, match="no URL"):
        served_by(Endpoint(url))


def test_quality_is_the_mean_of_four_shares_over_the_sets() -> None:
    assert quality_of(figures()) == pytest.approx(0.825)
    both = figures() | {"xquad.en.generated.bare.contains": {"value": 0.6}}
    assert quality_of(both) == pytest.approx(0.825 - 0.1 / 4)
    beside = figures() | {"demo.generated.extractive.contains": {"value": 0.0}}
    assert quality_of(beside) == pytest.approx(0.825)
    silent = figures()
    del silent["demo.generated.cited_right"]
    assert quality_of(silent) == pytest.approx(0.825 - 0.7 / 4)


def test_what_the_documents_answered_in_its_stead_is_no_merit() -> None:
    assert quality_of(figures(contains=1.0)) == quality_of(figures(contains=0.0))
    assert quality_of(figures(degraded=0.5)) == pytest.approx(0.825 - 0.35 / 4)
    mute = {key: value for key, value in figures().items() if "bare" not in key}
    with pytest.raises(TrainingDataError, match="wrote nothing"):
        quality_of(mute)


def test_a_measurement_that_fails_says_its_last_word() -> None:
    with pytest.raises(TrainingDataError, match="couldn't be measured: .*--no-such-option"):
        quality_by_evals(["--no-such-option"])("http://127.0.0.1:9/v1")


@pytest.mark.slow
def test_quality_is_measured_by_evals_on_the_teams_own_cases(
    servers: tuple[ScriptedUpstream, ScriptedUpstream],
) -> None:
    fast, _ = servers
    found = quality_by_evals(["--sample", "4"])(fast.url)
    assert fast.requests >= 1
    # Its one text answers none of the questions, so the documents do in its stead.
    assert found["demo.generated.contains"]["value"] > found["demo.generated.bare.contains"]["value"] == 0
    assert 0 <= quality_of(found) <= 0.5
