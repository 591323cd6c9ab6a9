"""Generators write the answer: a server that speaks OpenAI's protocol, or sentences of the documents."""

from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Protocol

from service.answer.evidence import Evidence
from service.answer.prompts import Marking, Message, Prompt
from service.answer.request import Options
from service.answer.tools import Calls, Step
from service.guard.texts import MaskedText
from service.scope import Sampling


@dataclass(frozen=True, slots=True)
class Task:
    """What a generator is asked to do. `steps` were done since the question; their results are numbered behind all hits
    that were found, whatever part of the hits the generator is told."""

    question: MaskedText
    history: tuple[Message, ...]
    evidence: Evidence
    sampling: Sampling
    prompt: Prompt
    adapter: str | None = None
    marking: Marking = Marking()
    options: Options = Options()
    steps: tuple[Step, ...] = ()
    first_result: int = 0


@dataclass(frozen=True, slots=True)
class Text:
    """A piece of the answer, as long or short as it came."""

    text: str


@dataclass(frozen=True, slots=True)
class KeepAlive:
    """Nothing new for a while; the client should hear that the stream lives."""


@dataclass(frozen=True, slots=True)
class StartOver:
    """What was written so far is void: another generator begins from nothing."""


@dataclass(frozen=True, slots=True)
class Finished:
    """The end: why, and what it used."""

    reason: str
    prompt_tokens: int
    completion_tokens: int


Event = Text | KeepAlive | StartOver | Calls | Finished


class Generator(Protocol):
    """Writes an answer as a stream of events that ends with `Finished`; `Calls` of tools come whole, in front of it.

    Raises `GeneratorError` before the first `Text` when it could not begin, and
    `GeneratorInterruptedError` after it. `quotes` says that it writes sentences of the passages with their numbers.
    """

    name: str
    quotes: bool

    def generate(self, task: Task) -> AsyncGenerator[Event, None]:
        """Stream the answer."""
        ...
