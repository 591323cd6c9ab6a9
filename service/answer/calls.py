"""Calls of tools on their way out: of a function that was offered, with arguments that fit it, guarded value by value."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

import orjson

from service.answer.generate.cleaning import cleaned
from service.answer.offers import parameters_of
from service.answer.structured import map_texts, write_json
from service.answer.tools import ToolCall, Tools
from service.guard.chain import Verdict
from service.guard.output import Notice
from service.guard.stream.sentences import Decision
from service.guard.values import ValueGuards
from service.metrics import GENERATOR_ERRORS


@dataclass(frozen=True, slots=True)
class GuardedCalls:
    """The calls that may leave, and what the client is to be told of the others."""

    calls: tuple[ToolCall, ...]
    notices: tuple[Notice, ...]


class CallGuards:
    """The guards of one answer's calls. `nonce` is the code of the passages' tags."""

    def __init__(self, tools: Tools, guards: ValueGuards, nonce: str | None) -> None:
        self._tools = tools
        self._guards = guards
        self._nonce = nonce
        self._dropped: list[Verdict] = []
        self._told = 0

    @property
    def verdicts(self) -> list[Verdict]:
        """Everything that was found so far; without places, since arguments are no text."""
        return [*self._guards.verdicts, *self._dropped]

    @property
    def stopped(self) -> Decision | None:
        """Why no call may leave at all: `block`, `abstain`, or None."""
        return self._guards.stopped

    async def guard(self, calls: Sequence[ToolCall]) -> GuardedCalls:
        """What may leave of the calls of a generator."""
        left: list[ToolCall] = []
        for call in calls:
            if left and self._tools.may_call_several is False:
                self._drop("ONE_AT_A_TIME")
                break
            safe = await self._guarded(call)
            left += [safe] if safe else []
        notices = [*self._guards.notices, *(Notice(v.guard, v.verdict, v.rule) for v in self._dropped)]
        fresh, self._told = notices[self._told :], len(notices)
        return GuardedCalls(() if self.stopped else tuple(left), tuple(fresh))

    async def _guarded(self, call: ToolCall) -> ToolCall | None:
        function = self._tools.offered.get(call.name)
        if function is None:
            return self._without("UNKNOWN_TOOL")
        arguments = _read(call.arguments)
        if arguments is None:
            return self._without("BROKEN_ARGUMENTS")
        schema = parameters_of(function)
        if await asyncio.to_thread(schema.misfit, arguments) is not None:
            return self._without("UNFIT_ARGUMENTS")
        safe = await self._guards.guard(map_texts(arguments, lambda text: cleaned(text, self._nonce)))
        if await asyncio.to_thread(schema.misfit, safe) is not None:
            return self._without("MASKED_ARGUMENTS")
        return ToolCall(call.id, call.name, write_json(safe))

    def _without(self, rule: str) -> ToolCall | None:
        """No call, and why."""
        self._drop(rule)
        return None

    def _drop(self, rule: str) -> None:
        GENERATOR_ERRORS.labels("wrong call").inc()
        self._dropped.append(Verdict("tools", "output", "drop", rule, 1.0))


def _read(arguments: str) -> dict[str, object] | None:
    """The arguments; None for what is no object. Servers send nothing at all for a function without parameters."""
    try:
        value = orjson.loads(arguments) if arguments.strip() else {}
        orjson.dumps(value)  # writes less deep than it reads
    except (ValueError, orjson.JSONEncodeError):
        return None
    return value if isinstance(value, dict) else None
