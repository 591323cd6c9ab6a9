"""Whatever bytes a generator sends, and however they are split: text or a typed error, the same for every split."""

import asyncio
import json
import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pytest

from service.answer.generate import Event, Finished, StartOver, Text
from service.answer.generate.openai import OpenAIGenerator
from service.answer.generate.replica import Replica, Upstream
from service.errors import GeneratorError, GeneratorInterruptedError
from tests.fuzzing import any_text, try_examples, try_for_minutes
from tests.ingestion.load.mutations import changed
from tests.service.answer.generate.test_chunks import END, GOOD, put, task

SHORT = 250
_LINES = (
    b"data: [DONE]\n\n", b"data:\n", b": keep-alive\n\n", b"data: {}\n\n", b"event: error\n", b"data: null\n\n", b"\r\n\r\n", b"data",
    b'data: {"choices": []}\n\n', b'data: {"error": {"message": "boom"}}\n\n', b'data: {"choices": [{"delta": {"content": "\\ud83d"}}]}\n\n',
    b'data: {"choices": [{"delta": {"content": "\\ude00 and \\u0000"}}]}\n\n', b"\xff\xfe", b"\x00", b"data: [[[[[[[[\n\n", b"data: " + b"x" * 5_000,
)  # fmt: skip


class _Pieces:
    """A reply whose bytes come in pieces; also its content, and its own context."""

    status = 200

    def __init__(self, pieces: Sequence[bytes]) -> None:
        self.content = self
        self._pieces = list(pieces)

    async def readany(self) -> bytes:
        return self._pieces.pop(0) if self._pieces else b""

    async def __aenter__(self) -> "_Pieces":
        return self

    async def __aexit__(self, *_: object) -> None:
        pass


class _Session:
    def __init__(self, pieces: Sequence[bytes]) -> None:
        self._pieces = pieces

    async def post(self, *_: object, **__: object) -> _Pieces:
        return _Pieces(self._pieces)


@dataclass(frozen=True)
class Outcome:
    """The text, and how it ended."""

    text: str
    end: object


def _generator(pieces: Sequence[bytes]) -> OpenAIGenerator:
    upstream = Upstream("http://x/v1", model="m", retries=0)
    return OpenAIGenerator("openai", [Replica("openai", _Session(pieces), upstream)])  # type: ignore[arg-type]


async def outcome(pieces: Sequence[bytes]) -> Outcome:
    generator = _generator(pieces)
    events: list[Event] = []
    end: object = None
    try:
        async for event in generator.generate(task()):
            # What was a thought after all is void.
            events = [] if isinstance(event, StartOver) else [*events, event]
    except GeneratorError as exc:
        end = type(exc), exc.message
    text = "".join(event.text for event in events if isinstance(event, Text))
    text.encode("utf-8")
    if end is None:
        *_, end = events
        assert isinstance(end, Finished)
    else:
        assert isinstance(end, tuple)
        assert (end[0] is GeneratorInterruptedError) == any(isinstance(event, Text) for event in events)
    return Outcome(text, end)


def stream(rng: random.Random) -> bytes:
    """A valid stream, whose events say strange things."""
    events: list[Any] = []
    for _ in range(rng.randrange(1, 6)):
        events.append(put(GOOD, ("choices", 0, "delta", "content"), any_text(rng, most_pieces=6)))
    lines = [b"data: " + json.dumps(event, ensure_ascii=True).encode() for event in (*events, END)]
    return rng.choice((b"\n\n", b"\r\n\r\n", b"\n")).join([*lines, b"data: [DONE]", b""])


def damaged(rng: random.Random) -> bytes:
    if rng.random() < 0.05:
        return bytes(rng.randrange(256) for _ in range(rng.randrange(400)))
    data = stream(rng)
    for _ in range(rng.choice((0, 1, 1, 2, 4))):
        if rng.random() < 0.5:
            place = rng.randrange(len(data) + 1)
            data = data[:place] + rng.choice(_LINES) + data[place:]
        else:
            data = changed(data, rng)
    return data


def split(data: bytes, rng: random.Random) -> list[bytes]:
    cuts = sorted({0, len(data), *(rng.randrange(len(data) + 1) for _ in range(rng.choice((1, 3, 30))))})
    return [data[start:end] for start, end in zip(cuts, cuts[1:], strict=False)]


def check(rng: random.Random) -> None:
    """A stream ends the same whole, in pieces, and in bytes where it is short."""
    data = damaged(rng)
    ways = [[data] if data else [], split(data, rng), split(data, rng)]
    if len(data) < 2_000:
        ways.append([data[i : i + 1] for i in range(len(data))])

    async def all_ways() -> list[Outcome]:
        return [await outcome(pieces) for pieces in ways]

    found = asyncio.run(all_ways())
    assert len(set(found)) == 1, (found, data)


def test_what_a_generator_sends_is_text_or_a_typed_error_however_it_is_split() -> None:
    try_examples(check, SHORT)


@pytest.mark.slow
def test_minutes_of_damaged_streams(capsys: pytest.CaptureFixture[str]) -> None:
    try_for_minutes(check, capsys)


def message(text: str) -> bytes:
    return b"data: " + json.dumps(put(GOOD, ("choices", 0, "delta", "content"), text)).encode() + b"\n"


@pytest.mark.parametrize(
    "data",
    [
        message("\ud83d") + message("\ude00") + b"data: " + json.dumps(END).encode() + b"\n",
        message("half \ud83d") + b"data: " + json.dumps(END).encode() + b"\n",
        message("x" * 90_000) * 3,
        b"data: " + b"x" * 1_100_000 + b"\n",
        message("begun") + b"x" * 1_100_000,
    ],
    ids=["halves", "half", "endless answer", "long line", "endless line"],
)  # fmt: skip
async def test_how_these_arrive_together_changes_nothing(data: bytes) -> None:
    lines = data.splitlines(keepends=True)
    halves = [data[: len(data) // 2], data[len(data) // 2 :]]
    found = {await outcome(pieces) for pieces in ([data], lines, halves)}
    assert len(found) == 1
