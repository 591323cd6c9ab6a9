"""Writing an answer: what is known of it at any moment, and when another generator starts over."""

from collections.abc import AsyncGenerator, Callable
from types import SimpleNamespace
from typing import Any

import pytest

from service.answer.draft import Chain
from service.answer.generate import Event, Finished, Text
from service.answer.request import Options
from service.answer.write import Writer
from service.errors import GeneratorInterruptedError
from service.guard.build import AnswerContext, AssistantGuards
from service.scope import Assistant
from tests.service.conftest import hits

PASSAGES = ("Express delivery costs 9.90 euros and takes one day.",)


class Ticking:
    """A turn whose clock ticks once for every look at it."""

    def __init__(self, *, is_streamed: bool) -> None:
        self.request = SimpleNamespace(is_streamed=is_streamed, request_id="r", options=Options())
        self.route = SimpleNamespace(assistant=Assistant(collection="help", variant="baseline"))
        self.ticks = 0

    def since(self) -> float:
        self.ticks += 1
        return float(self.ticks)


class Failing:
    """Writes some texts, then goes away."""

    name = "failing"
    quotes = False

    def __init__(self, *texts: str) -> None:
        self._texts = texts

    async def generate(self, task: object) -> AsyncGenerator[Event, None]:
        for text in self._texts:
            yield Text(text)
        raise GeneratorInterruptedError("It went away.")


class Whole:
    """Writes a whole answer."""

    name = "whole"
    quotes = False

    async def generate(self, task: object) -> AsyncGenerator[Event, None]:
        yield Text("Express delivery takes one day. [1]")
        yield Finished("stop", 7, 5)


async def written(writer: Writer, first: Any, guards: AssistantGuards) -> list[object]:
    context = AnswerContext(hits(*PASSAGES), ("How long?",))
    chain = Chain((first, Whole()))
    return [piece async for piece in writer.write(None, chain, lambda _: guards.output(context))]  # type: ignore[arg-type]


async def test_the_void_text_leaves_neither_notices_nor_verdicts_nor_its_time(
    build: Callable[..., AssistantGuards],
) -> None:
    turn = Ticking(is_streamed=False)
    writer = Writer(turn)  # type: ignore[arg-type]
    await written(
        writer,
        Failing("Express delivery costs 9.90 euros. It costs 77.50 euros here. ", "Or less. "),
        build(),
    )
    end = writer.written
    assert (end.text, end.generator, end.degraded) == ("Express delivery takes one day. [1]", "whole", True)
    assert (end.notices, end.finish_reason) == ((), "stop")
    assert [verdict.rule for verdict in end.verdicts if verdict.verdict != "flag"] == []
    # The begin of the text is looked at first, then the void text's first piece; the new text comes later.
    assert end.first_token_s is not None
    assert end.first_token_s > 2


async def test_an_interrupted_answer_keeps_what_was_said_of_it(
    build: Callable[..., AssistantGuards],
) -> None:
    writer = Writer(Ticking(is_streamed=True))  # type: ignore[arg-type]
    with pytest.raises(GeneratorInterruptedError):
        await written(
            writer,
            Failing("Express delivery costs 9.90 euros. It costs 77.50 euros here. ", "Or less. ", "More "),
            build(),
        )
    writer.interrupt()
    end = writer.written
    assert end.finish_reason == "interrupted"
    assert end.text.startswith("Express delivery costs 9.90 euros. [1] It costs […]")
    assert "NOT_IN_SOURCES" in {verdict.rule for verdict in end.verdicts}
