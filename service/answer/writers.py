"""Who may write the answer to a question: servers, chat models, and at last the documents' own sentences."""

from collections.abc import Mapping
from dataclasses import replace

from service.answer.draft import Chain
from service.answer.generate import Generator
from service.answer.generate.openai import OpenAIGenerator
from service.answer.request import Options
from service.answer.understand import Turn
from service.errors import BusyError, InvalidRequestError
from service.guard.input import SUSPECTED
from service.scope import Variant
from service.scope.file import AUTO, EXTRACTIVE, SERVER

_REMEDY = "Set TOUCHSTONE_GENERATOR_URL, choose another `rag.variant`, or ask for text."


class Writers:
    """The generators of a deployment, by name, as variants name them."""

    def __init__(self, generators: Mapping[str, Generator]) -> None:
        self._generators = generators

    def wanted(self, variant: Variant) -> str:
        """The name of the variant's generator; `auto` is the server where there is one."""
        if variant.generator != AUTO:
            return variant.generator
        return SERVER if SERVER in self._generators else EXTRACTIVE

    def first(self, variant: Variant) -> Generator | None:
        """The variant's generator; None where this deployment doesn't have it."""
        return self._generators.get(self.wanted(variant))

    def servers(self, variant: Variant) -> tuple[Generator, ...]:
        """Of a variant whose generator is a server, the servers: they alone write JSON and call tools."""
        names = dict.fromkeys([self.wanted(variant), *variant.fallback])
        found = [self._generators.get(name) for name in names]
        if not isinstance(found[0], OpenAIGenerator):
            return ()
        return tuple(one for one in found if isinstance(one, OpenAIGenerator))

    def check(self, options: Options, variant: Variant) -> None:
        """Raises `InvalidRequestError` for what takes a server, where the variant's generator is none."""
        if self.servers(variant):
            return
        for what, param, value in (
            ("write JSON", "response_format", options.form),
            ("call tools", "tools", options.tools),
        ):
            if value is not None:
                raise InvalidRequestError(
                    f"The generator {self.wanted(variant)!r} can't {what}: it takes a server that speaks OpenAI's protocol."
                    f" {_REMEDY}",
                    param=param,
                )

    def able(self, turn: Turn) -> Turn:
        """The turn, without tools and their results where nobody who may write can read them."""
        if not turn.has_tools or (turn.disposition != "degrade" and self.servers(turn.route.variant)):
            return turn
        options = replace(turn.request.options, tools=None)
        return replace(turn, request=replace(turn.request, options=options), steps=())

    def chain(self, turn: Turn, *, is_weak: bool = False) -> Chain:
        """Who may write, in order; `is_weak`: the documents are too unlikely to answer by themselves.

        Guards that were late may leave the answer to the documents' own sentences.
        """
        variant, options = turn.route.variant, turn.request.options
        if options.form is not None:
            return Chain(self.servers(variant))
        if turn.has_tools:
            is_alone = is_weak or (options.tools is not None and options.tools.is_forced)
            return Chain((*self.servers(variant), *(() if is_alone else self._named([EXTRACTIVE]))))
        wanted = self.wanted(variant)
        is_held_back = turn.disposition == "degrade"
        names = [EXTRACTIVE] if is_held_back or wanted == EXTRACTIVE else [wanted, *variant.fallback]
        # A server that this deployment doesn't have fails like one that is away.
        return Chain(self._named(names), is_degraded=names[0] != wanted or wanted not in self._generators)

    def _named(self, names: list[str]) -> tuple[Generator, ...]:
        return tuple(self._generators[name] for name in dict.fromkeys(names) if name in self._generators)


def undegraded(turn: Turn) -> Turn:
    """The turn; where nothing but a generator could answer, one that a guard suspects is refused.

    Raises `BusyError` where late guards keep such a question from the generator.
    """
    options = turn.request.options
    is_forced = options.tools is not None and options.tools.is_forced
    if turn.disposition != "degrade" or (options.form is None and not is_forced):
        return turn
    if not any(verdict.rule == SUSPECTED for verdict in turn.verdicts):
        raise BusyError("The guards are busy, and this may not pass without them. Try again.")
    verdicts = tuple(replace(v, verdict="block") if v.rule == SUSPECTED else v for v in turn.verdicts)
    return replace(turn, verdicts=verdicts, disposition="block")
