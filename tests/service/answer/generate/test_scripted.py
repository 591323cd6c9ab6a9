"""The scripted generator: the protocol without a server."""

from pathlib import Path

import pytest

from service.answer.abstain import Relevance
from service.answer.evidence import Evidence
from service.answer.generate import Event, Finished, Generator, KeepAlive, Task, Text
from service.answer.generate.scripted import ScriptedGenerator
from service.answer.prompts import load_prompt
from service.errors import GeneratorInterruptedError
from service.scope import Sampling
from tests.ingestion.corpora import Page, release_of


@pytest.fixture
def task(tmp_path: Path) -> Task:
    release = release_of(tmp_path, [Page("p", ("Lamps are repaired.",))])
    evidence = Evidence((), (), Relevance(0, 0, 0, 0, 0, 0), release, {})
    return Task("Are they?", (), evidence, Sampling(), load_prompt("cited"))


async def events_of(generator: Generator, task: Task) -> list[Event]:
    return [event async for event in generator.generate(task)]


async def test_a_script_is_streamed_in_order_and_ends_with_finished(task: Task) -> None:
    generator = ScriptedGenerator(Text("Yes"), KeepAlive(), Text("."))
    expected = [Text("Yes"), KeepAlive(), Text("."), Finished("stop", 0, 0)]
    assert await events_of(generator, task) == expected
    assert await events_of(generator, task) == expected, "it can be asked again"
    assert generator.tasks == [task, task]


async def test_what_the_script_says_of_the_end_is_the_end(task: Task) -> None:
    generator = ScriptedGenerator(Finished("length", 7, 9), Text("never"))
    assert await events_of(generator, task) == [Finished("length", 7, 9)]


async def test_an_error_of_the_script_is_raised_in_its_place(task: Task) -> None:
    generator = ScriptedGenerator(Text("Yes"), GeneratorInterruptedError("told to break"))
    stream = generator.generate(task)
    assert await anext(stream) == Text("Yes")
    with pytest.raises(GeneratorInterruptedError, match="told to break"):
        await anext(stream)
