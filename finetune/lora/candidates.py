"""Measures candidates for `choose`: quality by `touchstone evals`, in a process of its own, and latency by a probe."""

import http.client
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from finetune.lora.choose import Candidate, Choice, Criterion, Measured
from finetune.lora.licences import decide_one
from finetune.yaml_file import TrainingDataError
from service.scope import Scope
from service.scope.generators import OpenAIServers

Figures = Mapping[str, Mapping[str, float]]
Quality = Callable[[str], Figures]
REQUESTS = 10
_PATIENCE_S = 120.0
_ANSWER_TOKENS = 64
# About as much as an answer's prompt holds: five passages, and a question.
_PASSAGE = (
    "The parcel leaves the warehouse within two working days, and the carrier sends a message with a link. Whoever isn't at"
    " home finds a card, which names the shop where the parcel waits for seven days. After that it is sent back. "
)
_PROMPT = (
    "".join(f"[{n}] {_PASSAGE * 3}\n\n" for n in range(1, 6)) + "How long does a parcel wait in the shop?"
)


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a candidate answers."""

    url: str
    key: str | None = None
    model: str | None = None


@dataclass(frozen=True, slots=True)
class Probe:
    """Medians of a few requests, one after the other; tokens as the server counts them, None where it doesn't."""

    first_token_s: float
    total_s: float
    prompt_tokens: float | None
    completion_tokens: float | None


def measure_all(
    choice: Choice, scope: Scope, quality: Quality, told: Callable[[str], None] = lambda _: None
) -> list[Measured]:
    """Every candidate, in the file's order. One that can't be measured has a `problem`; one whose licence is refused isn't
    asked anything. `told` hears who is next."""
    found = []
    for candidate in choice.candidates:
        licence = decide_one(choice.licences, candidate.licence, candidate.name)
        if licence.outcome == "refused":
            found.append(Measured(candidate, licence, problem=licence.reason))
            continue
        told(candidate.name)
        try:
            model, values, figures = _measured(candidate, scope, quality)
            found.append(Measured(candidate, licence, model, values, figures))
        except TrainingDataError as exc:
            found.append(Measured(candidate, licence, problem=str(exc)))
    return found


def _measured(
    candidate: Candidate, scope: Scope, quality: Quality
) -> tuple[str, dict[Criterion, float], Figures]:
    endpoint = endpoint_of(candidate, scope)
    model, context = served_by(endpoint)
    probe = probed(endpoint, model)
    figures = quality(candidate.endpoint)
    values: dict[Criterion, float] = {
        "quality": quality_of(figures),
        "first_token_s": probe.first_token_s,
        "total_s": probe.total_s,
    }
    optional: dict[Criterion, float | None] = {
        "cost": _cost(candidate, probe),
        "context_tokens": context or candidate.context_tokens,
        "memory_gib": candidate.memory_gib,
    }
    return model, values | {key: value for key, value in optional.items() if value is not None}, figures


def endpoint_of(candidate: Candidate, scope: Scope) -> Endpoint:
    """Where a candidate answers. A URL of the file gets no key: name a generator of the scope file for that.

    Raises `TrainingDataError`.
    """
    if "://" in candidate.endpoint:
        return Endpoint(candidate.endpoint.rstrip("/"))
    config = scope.generators.get(candidate.endpoint)
    if not isinstance(config, OpenAIServers):
        raise TrainingDataError(
            f"{candidate.endpoint!r} is no URL and no server of the scope file. Name one of"
            f" {sorted(name for name, one in scope.generators.items() if isinstance(one, OpenAIServers))}."
        )
    try:
        return Endpoint(config.urls[0], config.api_key(), config.model)
    except ValueError as exc:
        raise TrainingDataError(f"The generator {candidate.endpoint!r} can't be used: {exc}.") from exc


def served_by(endpoint: Endpoint) -> tuple[str, int | None]:
    """The model that is asked for, and its context in tokens where the server tells. Raises `TrainingDataError`."""
    with closing(_connected(endpoint)) as connection:
        response = _asked(connection, endpoint, "GET", "/models")
        try:
            listed = json.loads(response.read())["data"]
            names = {str(one["id"]): one for one in listed}
        except (ValueError, KeyError, TypeError) as exc:
            raise TrainingDataError(f"{endpoint.url!r} lists no models as OpenAI's protocol does.") from exc
    name = endpoint.model or next(iter(names), None)
    if name is None or name not in names:
        raise TrainingDataError(f"{endpoint.url!r} serves {sorted(names)}, and not {name!r}.")
    context = names[name].get("max_model_len")
    return name, context if isinstance(context, int) else None


def probed(endpoint: Endpoint, model: str, requests: int = REQUESTS) -> Probe:
    """Ask a few times, one after the other, streamed. Raises `TrainingDataError` for a server that fails or says nothing."""
    runs = [_one_request(endpoint, model) for _ in range(requests)]
    counted = [
        usage for *_, usage in runs if usage and {"prompt_tokens", "completion_tokens"} <= usage.keys()
    ]
    return Probe(
        statistics.median(first for first, _, _ in runs),
        statistics.median(total for _, total, _ in runs),
        statistics.fmean(one["prompt_tokens"] for one in counted) if counted else None,
        statistics.fmean(one["completion_tokens"] for one in counted) if counted else None,
    )


def _one_request(endpoint: Endpoint, model: str) -> tuple[float, float, dict[str, int] | None]:
    """Seconds to the first and to the last token, and the usage."""
    body = {
        "model": model,
        "messages": [{"role": "user", "content": _PROMPT}],
        "max_tokens": _ANSWER_TOKENS,
        "temperature": 0,
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    first, usage = None, None
    with closing(_connected(endpoint)) as connection:
        begun = time.perf_counter()
        for event in _events(_asked(connection, endpoint, "POST", "/chat/completions", body), endpoint):
            if "error" in event:
                raise TrainingDataError(f"{endpoint.url!r} failed within its answer: {event['error']}.")
            usage = event.get("usage") or usage
            if first is None and any(
                (one.get("delta") or {}).get("content") for one in event.get("choices", [])
            ):
                first = time.perf_counter() - begun
        total = time.perf_counter() - begun
    if first is None:
        raise TrainingDataError(f"{endpoint.url!r} answered without a word.")
    return first, total, usage


def _events(response: http.client.HTTPResponse, endpoint: Endpoint) -> Iterator[dict[str, Any]]:
    """The events of a stream up to its end. A connection that breaks ends without a word, and is told from that."""
    try:
        for line in response:
            data = line.strip().removeprefix(b"data:").strip()
            if not line.startswith(b"data:"):
                continue
            if data == b"[DONE]":
                return
            event = json.loads(data)
            if not isinstance(event, dict):
                raise ValueError(f"an event is {event!r}")
            yield event
        raise ValueError("its stream has no end")
    except (OSError, http.client.HTTPException, ValueError) as exc:
        raise TrainingDataError(f"{endpoint.url!r} broke off within its answer: {exc}.") from exc


def _connected(endpoint: Endpoint) -> http.client.HTTPConnection:
    parts = urlsplit(endpoint.url)
    try:
        host, port = parts.hostname, parts.port
    except ValueError as exc:
        raise TrainingDataError(f"{endpoint.url!r} is no URL: {exc}.") from exc
    if parts.scheme not in ("http", "https") or not host:
        raise TrainingDataError(f"{endpoint.url!r} is no URL of the form http://host:port/v1.")
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    return kind(host, port, timeout=_PATIENCE_S)


def _asked(
    connection: http.client.HTTPConnection,
    endpoint: Endpoint,
    method: str,
    path: str,
    body: Mapping[str, Any] | None = None,
) -> http.client.HTTPResponse:
    headers = {"content-type": "application/json"}
    headers |= {"authorization": f"Bearer {endpoint.key}"} if endpoint.key else {}
    try:
        connection.request(
            method, urlsplit(endpoint.url).path + path, json.dumps(body).encode() if body else None, headers
        )
        response = connection.getresponse()
        if response.status != http.client.OK:
            said = response.read(200).decode("utf-8", "replace")
            raise TrainingDataError(f"{endpoint.url!r} answered {path} with {response.status}: {said!r}.")
    except (OSError, http.client.HTTPException) as exc:
        raise TrainingDataError(f"{endpoint.url!r} can't be reached: {exc}.") from exc
    return response


def _cost(candidate: Candidate, probe: Probe) -> float | None:
    """Of 1,000 answers like the probe's; None without a price, or without the counts that it is for."""
    price = candidate.price
    if price is None:
        return None
    cost = price.hour * probe.total_s / 3600
    if price.prompt or price.completion:
        if probe.prompt_tokens is None or probe.completion_tokens is None:
            return None
        cost += (price.prompt * probe.prompt_tokens + price.completion * probe.completion_tokens) / 1_000_000
    return 1_000 * cost


def quality_of(figures: Figures) -> float:
    """One number of what `evals` printed: the mean of four shares, each averaged over the sets that have it.

    The documents answer in a candidate's stead where it fails or nothing of what it wrote is supported. That is none of its
    merits: its own text must hold the gold answer, and its citations count by the share of answers that are its own. Raises
    `TrainingDataError` where it wrote nothing.
    """
    contains = _mean(figures, "bare.contains")
    if contains is None:
        raise TrainingDataError(
            "It wrote nothing to any question with a gold answer, so its quality isn't known."
        )
    cited = [
        figure["value"] * (1.0 - _value(figures, key.removesuffix("cited_right") + "degraded"))
        for key, figure in figures.items()
        if key.endswith(".generated.cited_right")
    ]
    false = _mean(figures, "abstention.false")
    shares = (
        contains,
        statistics.fmean(cited) if cited else 0.0,
        _mean(figures, "abstention.recall") or 0.0,
        0.0 if false is None else 1.0 - false,
    )
    return statistics.fmean(shares)


def _value(figures: Figures, name: str) -> float:
    return figures[name]["value"] if name in figures else 0.0


def _mean(figures: Figures, name: str) -> float | None:
    values = [figure["value"] for key, figure in figures.items() if key.endswith(f".generated.{name}")]
    return statistics.fmean(values) if values else None


def quality_by_evals(options: Sequence[str] = ()) -> Quality:
    """Runs `touchstone evals run answers abstention` for an endpoint; `options` are further ones of that command."""

    def run(endpoint: str) -> Figures:
        command = [sys.executable, "-m", "evals", "run", "answers", "abstention", "--generator", endpoint]
        done = subprocess.run([*command, "--json", *options], capture_output=True, text=True, check=False)
        if done.returncode:
            reason = (done.stderr.strip().splitlines() or ["no reason was given"])[-1]
            raise TrainingDataError(f"Its quality couldn't be measured: {reason}")
        figures: Figures = json.loads(done.stdout.splitlines()[-1])["metrics"]
        return {name: figure for name, figure in figures.items() if ".generated." in name}

    return run
