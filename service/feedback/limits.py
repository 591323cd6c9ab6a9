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
class Window:
    began: float
    count: int


class Quota:
    """So many events in a stretch of time, by name. A stretch begins with its first event."""

    def __init__(self, limit: int, window_s: float, what: str) -> None:
        self._limit, self._window_s, self._what = limit, window_s, what
        self._windows: OrderedDict[str, Window] = OrderedDict()

    def take(self, name: str, count: int = 1, *, now: float | None = None) -> Window:
        """Count events, in a window. Raises `RateLimitError`, and counts none of them then."""
        now = time.monotonic() if now is None else now
        window = self._windows.get(name)
        if window is None or now - window.began >= self._window_s:
            window = Window(now, 0)
            self._windows[name] = window
            self._windows.move_to_end(name)
            while len(self._windows) > _REMEMBERED:
                self._windows.popitem(last=False)
        if window.count + count > self._limit:
            left_s = max(ceil(window.began + self._window_s - now), 1)
            remedy = f"Send it again in {left_s} s" if count <= self._limit else "Divide it"
            raise RateLimitError(
                f"{self._what} gives at most {self._limit} events of feedback in {self._window_s:g} s, and this would be more."
                f" {remedy}.",
                retry_after_s=left_s,
            )
        window.count += count
        return window


@dataclass(frozen=True, slots=True)
class Taken:
    """What events have taken of quotas."""

    windows: tuple[Window, ...]

    def give_back(self, count: int = 1) -> None:
        """They were not stored, or were before: whoever must send again, or does so to be sure, is not to be shut out.

        A window that is over gets it, not the one that came after.
        """
        for window in self.windows:
            window.count -= count


class Limits:
    """The quotas of the scope file."""

    def __init__(self, limits: FeedbackLimits) -> None:
        self.answers = Quota(limits.events_an_answer, _DAY_S, "The token of an answer")
        self.actors = Quota(limits.events_an_actor_a_day, _DAY_S, "One user")
        self.callers = Quota(limits.events_a_caller_a_minute, _MINUTE_S, "A key")

    def take(self, *quotas: tuple[Quota, str], count: int = 1) -> Taken:
        """Count events in each. Raises `RateLimitError`, and counts them in none of them then."""
        windows: list[Window] = []
        for quota, name in quotas:
            try:
                windows.append(quota.take(name, count))
            except RateLimitError:
                Taken(tuple(windows)).give_back(count)
                raise
        return Taken(tuple(windows))
