"""What a collection remembers besides its releases: a run in progress, outcomes, quarantine, and what decisions teach.

One SQLite file in the collection's folder. A run commits what it has finished, vectors included, in small
transactions, so a killed run loses at most the batch in hand and the next one goes on from there.
"""

from contextlib import AbstractContextManager
from pathlib import Path

from ingestion.runs.state.boilerplate import Boilerplate
from ingestion.runs.state.database import Database
from ingestion.runs.state.lessons import Lessons
from ingestion.runs.state.outcomes import Outcome, Outcomes
from ingestion.runs.state.quarantine import Decision, Excerpt, Quarantine, QuarantinedDocument
from ingestion.runs.state.staging import Staging

__all__ = ["Decision", "Excerpt", "Outcome", "QuarantinedDocument", "RunState"]


class RunState:
    """Open for one process at a time in one thread; several processes may have it open."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._database = Database(folder / "ledger.sqlite")
        self.staging = Staging(self._database)
        self.outcomes = Outcomes(self._database)
        self.quarantine = Quarantine(self._database)
        self.lessons = Lessons(self._database)
        self.boilerplate = Boilerplate(self._database)

    def close(self) -> None:
        """Let go of the file."""
        self._database.close()

    def purge(self) -> None:
        """Forget staged work and the texts of what was decided, and leave no trace of what was deleted in the file."""
        self.staging.clear()
        with self.batch():
            self.quarantine.forget_texts()
        self._database.compact()

    def batch(self) -> AbstractContextManager[None]:
        """Everything within is kept, or nothing is."""
        return self._database.batch()
