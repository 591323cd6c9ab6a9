"""Synthetic subjects of known behaviour, who ask a running service over HTTP and say what became of it.

The report should find what was planted, and nothing else.
"""

import asyncio
import random
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import aiohttp

from service.errors import InvalidRequestError

_TIMEOUT_S = 600.0
_PATIENCE_S = 2.0
_TRIES = 30


# Asked where the assistant has no examples.
QUESTIONS = ("How long do I have to return something?", "What does express delivery cost?")


@dataclass(frozen=True, slots=True)
class Simulation:
    """Whom to ask and how the subjects behave: by arm, the chance that a conversation ends resolved.

    `base_url` has no `/v1`. Each subject asks one to `questions_each` questions, `at_once` subjects at a time.
    """

    base_url: str
    assistant: str
    resolved: Mapping[str, float]
    subjects: int = 200
    questions: Sequence[str] = QUESTIONS
    questions_each: int = 2
    at_once: int = 8
    key: str | None = None
    seed: int = 1


@dataclass(frozen=True, slots=True)
class Simulated:
    """What was planted: units and resolved conversations by arm, and replies that failed."""

    units: Mapping[str, int]
    resolved: Mapping[str, int]
    failed: int
    outside: int

    def as_json(self) -> dict[str, Any]:
        """For the command line."""
        return {
            "units": dict(self.units),
            "resolved": dict(self.resolved),
            "failed": self.failed,
            "outside": self.outside,
        }


def read_behaviour(text: str) -> dict[str, float]:
    """`control=0.5,treatment=0.7` as a mapping. Raises `InvalidRequestError`."""
    try:
        found = {arm.strip(): float(chance) for arm, chance in (part.split("=") for part in text.split(","))}
    except ValueError as exc:
        raise InvalidRequestError(
            f"{text!r} is no behaviour. Write it like control=0.5,treatment=0.7.", param="resolved"
        ) from exc
    wrong = [arm for arm, chance in found.items() if not 0 <= chance <= 1]
    if wrong:
        raise InvalidRequestError(f"The chance of {wrong[0]!r} is not from 0 to 1.", param="resolved")
    return found


async def simulate(plan: Simulation) -> Simulated:
    """Let everybody come. Raises what `aiohttp` does where the service can't be reached."""
    units: Counter[str] = Counter()
    resolved: Counter[str] = Counter()
    lost: Counter[str] = Counter()
    headers = {"authorization": f"Bearer {plan.key}"} if plan.key else {}
    gate = asyncio.Semaphore(plan.at_once)
    timeout = aiohttp.ClientTimeout(total=_TIMEOUT_S)
    async with aiohttp.ClientSession(plan.base_url, headers=headers, timeout=timeout) as session:

        async def come(number: int) -> None:
            async with gate:
                subject = _Subject(plan, session, number)
                arm = await subject.ask()
            if arm is None:
                lost["outside" if subject.was_answered else "failed"] += 1
                return
            units[arm] += 1
            # Others count while this one waits.
            is_resolved = await subject.say(arm)
            resolved[arm] += is_resolved

        await asyncio.gather(*(come(number) for number in range(plan.subjects)))
    return Simulated(units, resolved, lost["failed"], lost["outside"])


class _Subject:
    """One person with one conversation."""

    def __init__(self, plan: Simulation, session: aiohttp.ClientSession, number: int) -> None:
        self._plan, self._session = plan, session
        self._name = f"simulated-{plan.seed}-{number}"
        self._chance = random.Random(f"{plan.seed}/{number}")
        self._rag: dict[str, Any] = {}

    @property
    def was_answered(self) -> bool:
        """Whether anything came back."""
        return bool(self._rag)

    async def ask(self) -> str | None:
        """Ask all questions; the arm, or None for somebody outside of the experiment."""
        for _ in range(self._chance.randint(1, self._plan.questions_each)):
            body = {
                "model": self._plan.assistant,
                "messages": [{"role": "user", "content": self._chance.choice(self._plan.questions)}],
                "user": self._name,
                "rag": {"conversation_id": self._rag["conversation_id"]} if self._rag else {},
            }
            reply = await self._post("/v1/chat/completions", body)
            self._rag = reply["rag"] if reply else self._rag
        return self._rag.get("arm")

    async def say(self, arm: str) -> bool:
        """Report the outcome, with the key that asked; and give a thumb now and then, with the token of the reply."""
        is_resolved = self._chance.random() < self._plan.resolved.get(arm, 0.0)
        about = {"answer_id": self._rag["answer_id"]}
        value = "resolved" if is_resolved else "escalated"
        await self._post("/v1/feedback", {**about, "kind": "outcome", "value": value})
        if self._chance.random() < 0.2:
            thumb = {**about, "kind": "thumb", "value": "up" if is_resolved else "down"}
            await self._post("/v1/feedback", {**thumb, "token": self._rag["feedback_token"]})
        return is_resolved

    async def _post(self, path: str, body: dict[str, Any]) -> dict[str, Any] | None:
        """The reply, tried again as long as the service says that it is worth it."""
        headers = {"idempotency-key": f"{self._name}-{self._chance.getrandbits(64):x}"}
        for _ in range(_TRIES):
            async with self._session.post(path, json=body, headers=headers) as reply:
                if reply.status < 400:
                    found: dict[str, Any] = await reply.json()
                    return found
                if reply.status not in (404, 429, 502, 503):
                    return None
            await asyncio.sleep(_PATIENCE_S)
        return None
