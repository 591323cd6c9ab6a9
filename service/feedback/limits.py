"""How much feedback each token, actor and key may give. In memory: each process counts for itself, and forgets when it ends."""

import time
from collections import OrderedDict
from dataclasses import dataclass
from math import ceil

from service.errors import RateLimitError
from service.scope.feedback import FeedbackLimits

_DAY_S, _MINUTE_S = 86_400.0, 60.0
# Of each kind; who is forgotten may begin anew, and nobody can fill the memory.
_REMEMBERED = 100_000


@dataclass(slots=True)
class _Window:
    began: float
    count: int


class Quota:
    """So many events in a stretch of time, by name. A stretch begins with its first event."""

    def __init__(self, limit: int, window_s: float, what: str) -> None:
        self._limit, self._window_s, self._what = limit, window_s, what
        self._windows: OrderedDict[str, _Window] = OrderedDict()

    def take(self, name: str, count: int = 1, *, now: float | None = None) -> None:
        """Count events. Raises `RateLimitError`, and counts none of them then."""
        now = time.monotonic() if now is None else now
        window = self._windows.get(name)
        if window is None or now - window.began >= self._window_s:
            window = _Window(now, 0)
            self._windows[name] = window
            self._windows.move_to_end(name)
            while len(self._windows) > _REMEMBERED:
                self._windows.popitem(last=False)
        if window.count + count > self._limit:
            left_s = ceil(window.began + self._window_s - now)
            raise RateLimitError(
                f"{self._what} gives at most {self._limit} events of feedback in {self._window_s:g} s, and this would be more."
                f" Send it again in {left_s} s.",
                retry_after_s=max(left_s, 1),
            )
        window.count += count

    def give_back(self, name: str) -> None:
        """Count one event less."""
        window = self._windows.get(name)
        if window is not None and window.count > 0:
            window.count -= 1


@dataclass(frozen=True, slots=True)
class Taken:
    """What an event has taken of quotas, by name."""

    quotas: tuple[tuple[Quota, str], ...]

    def give_back(self) -> None:
        """It was not stored, or was before: whoever must send again, or does so to be sure, is not to be shut out."""
        for quota, name in self.quotas:
            quota.give_back(name)


class Limits:
    """The quotas of the scope file."""

    def __init__(self, limits: FeedbackLimits) -> None:
        self.answers = Quota(limits.events_an_answer, _DAY_S, "The token of an answer")
        self.actors = Quota(limits.events_an_actor_a_day, _DAY_S, "One user")
        self.callers = Quota(limits.events_a_caller_a_minute, _MINUTE_S, "A key")

    def take(self, *quotas: tuple[Quota, str]) -> Taken:
        """Count an event in each. Raises `RateLimitError`, and counts it in none of them then."""
        for number, (quota, name) in enumerate(quotas):
            try:
                quota.take(name)
            except RateLimitError:
                Taken(quotas[:number]).give_back()
                raise
        return Taken(quotas)
