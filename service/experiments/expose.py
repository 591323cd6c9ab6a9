"""That a unit met an arm, written down once for each epoch, before the first byte of its answer leaves."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any

from service.experiments.book import Assignment

# What `record` takes: a row, which is durable when it has been awaited.
Record = Callable[[dict[str, Any]], Awaitable[None]]
_REMEMBERED = 100_000


class Exposures:
    """Notes each unit's first answer of an epoch. The table's key keeps what several processes note of one unit single."""

    def __init__(self, record: Record, table: str) -> None:
        self._record = record
        self._marker = {"_table": table}
        self._known: dict[tuple[str, int, str], Awaitable[None] | None] = {}

    def note(
        self, found: Assignment | None, *, answer_id: str, caller: str, now: datetime
    ) -> Awaitable[None] | None:
        """Await what comes back before anything is sent; None where nothing is to be written.

        Raises nothing itself; awaited, it raises `NotReadyError` where the row can't be kept.
        """
        if found is None or not found.is_exposure:
            return None
        key = (str(found.experiment), int(found.epoch or 0), str(found.unit))
        if key in self._known:
            return self._known[key]
        noted = asyncio.ensure_future(self._record(self._row(found, answer_id, caller, now)))
        self._remember(key, noted)
        return noted

    def _row(self, found: Assignment, answer_id: str, caller: str, now: datetime) -> dict[str, Any]:
        return {
            **self._marker,
            "experiment": found.experiment,
            "epoch": found.epoch,
            "unit": found.unit,
            "created_at": now,
            "stage": found.stage,
            "arm": found.arm,
            "variant": found.variant,
            "variant_digest": found.variant_digest,
            "propensity": found.propensity,
            "answer_id": answer_id,
            "caller": caller,
        }

    def _remember(self, key: tuple[str, int, str], noted: asyncio.Future[None]) -> None:
        """Others of the unit wait for the same row; once it is durable, nobody does. A row that failed is tried again."""
        if len(self._known) >= _REMEMBERED:
            del self._known[next(iter(self._known))]
        self._known[key] = noted

        def settled(done: asyncio.Future[None]) -> None:
            if done.cancelled() or done.exception() is not None:
                self._known.pop(key, None)
            elif key in self._known:
                self._known[key] = None

        noted.add_done_callback(settled)
