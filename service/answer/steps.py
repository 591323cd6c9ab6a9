"""An agent's steps behind the question: calls of tools, and their results, which strangers may have written."""

import asyncio
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

import orjson

from service.answer.offers import is_allowed
from service.answer.request import RawMessage
from service.answer.structured import texts_of
from service.answer.tools import Step, ToolCall, ToolResult
from service.errors import InvalidRequestError
from service.guard.chain import Verdict
from service.guard.input import InputGuards, unblocked
from service.guard.texts import MaskedText

_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
_MOST_RESULTS = 50
# What stands in the place of a result that a guard takes away.
_LEFT_OUT = MaskedText("(left out)")
Originals = dict[str, set[str]]
_Pair = tuple[ToolCall, RawMessage]


@dataclass(frozen=True, slots=True)
class GuardedSteps:
    """The steps as a generator may read them, and what was found in them."""

    steps: tuple[Step, ...] = ()
    verdicts: tuple[Verdict, ...] = ()


async def read_steps(
    messages: Sequence[RawMessage],
    allowed: Sequence[str],
    guards: InputGuards | None,
    originals: Originals,
    *,
    most_chars: int,
) -> GuardedSteps:
    """Calls and results in messages behind the question. What the scope file doesn't allow, calls without a result and
    results without a call are left out. Raises `InvalidRequestError` for more than can be read."""
    found = _steps_in(messages, allowed)
    pairs = [pair for step in found for pair in step]
    if not pairs:
        return GuardedSteps()
    size = sum(len(call.arguments) + len(result.content) for call, result in pairs)
    if size > most_chars or len(pairs) > _MOST_RESULTS:
        raise InvalidRequestError(
            f"{len(pairs)} calls of tools with their results have {size} characters; at most {_MOST_RESULTS} with"
            f" {most_chars} are allowed. Send less.",
            param="messages",
        )
    return await asyncio.to_thread(_guarded, found, guards, originals)


def _steps_in(messages: Sequence[RawMessage], allowed: Sequence[str]) -> list[list[_Pair]]:
    steps: list[list[_Pair]] = []
    waiting: dict[str, ToolCall] = {}
    for message in messages:
        if message.role == "assistant":
            calls = [c for c in message.calls if _NAME.fullmatch(c.name) and is_allowed(c.name, allowed)]
            waiting = {call.id: call for call in calls}
            steps.append([])
        elif message.role == "tool" and message.call_id in waiting:
            steps[-1].append((waiting.pop(message.call_id), message))
    return [step for step in steps if step]


def _guarded(
    found: Sequence[Sequence[_Pair]], guards: InputGuards | None, originals: Originals
) -> GuardedSteps:
    steps: list[Step] = []
    verdicts: list[Verdict] = []
    number = 0
    for pairs in found:
        calls, results = [], []
        for sent, result in pairs:
            call, told = _guarded_call(sent, guards, originals)
            text, told_of_result = _guarded_result(result, guards, originals)
            verdicts += [replace(verdict, start=None, end=None) for verdict in (*told, *told_of_result)]
            if call is not None:
                number += 1
                # Nine letters and digits, as the strictest template wants them; the caller's own are no words of ours.
                calls.append(replace(call, id=f"call{number:05}"))
                results.append(ToolResult(sent.id, sent.name, text))
        steps += [Step(tuple(calls), tuple(results))] if calls else []
    return GuardedSteps(tuple(steps), tuple(verdicts))


def _guarded_call(
    call: ToolCall, guards: InputGuards | None, originals: Originals
) -> tuple[ToolCall | None, Sequence[Verdict]]:
    """The call with its arguments as a generator may read them; None for one that holds an attack."""
    arguments = _arguments_of(call)
    if guards is None:
        return replace(call, arguments=orjson.dumps(arguments).decode()), ()
    safe, found = guards.screen_json(arguments, "\n".join(texts_of(arguments)), originals)
    if any(verdict.verdict == "block" for verdict in found):
        return None, unblocked(found)
    return replace(call, arguments=orjson.dumps(safe).decode()), found


def _arguments_of(call: ToolCall) -> dict[str, object]:
    """The arguments; none where they are no object, which a server would refuse."""
    try:
        arguments = orjson.loads(call.arguments)
        orjson.dumps(arguments)  # writes less deep than it reads
    except (ValueError, orjson.JSONEncodeError):
        return {}
    return arguments if isinstance(arguments, dict) else {}


def _guarded_result(
    message: RawMessage, guards: InputGuards | None, originals: Originals
) -> tuple[MaskedText, Sequence[Verdict]]:
    if guards is None:
        return MaskedText(message.content), ()
    screened = guards.screen_result(message.content, originals)
    is_dropped = any(verdict.verdict == "drop" for verdict in screened.verdicts)
    return _LEFT_OUT if is_dropped else screened.text, screened.verdicts
