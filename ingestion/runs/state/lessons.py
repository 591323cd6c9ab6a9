"""What reviewers' decisions teach the screen of a source."""

from collections.abc import Iterable, Mapping

from ingestion.corpus import Flag
from ingestion.runs.state.database import Database

# So many documents must be approved in a row before a rule lets others through.
APPROVALS = 5


class Lessons:
    """How many documents of a source were approved in a row although a rule had found something in them."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def learn(self, source_name: str, flags: Iterable[Flag], *, is_approved: bool) -> None:
        """Count an approval of a document for each of its rules, or begin anew after a rejection. Call it within a batch.

        What is certain teaches nothing by an approval.
        """
        if not is_approved:
            rules = {flag.rule for flag in flags}
            statement = "delete from lessons where source_name = ? and rule = ?"
        else:
            rules = {flag.rule for flag in flags if not flag.is_certain}
            statement = (
                "insert into lessons values (?, ?, 1)"
                " on conflict (source_name, rule) do update set approvals = approvals + 1"
            )
        self._db.execute_many(statement, [(source_name, rule) for rule in sorted(rules)])

    def counts(self) -> dict[str, dict[str, int]]:
        """Approvals in a row, by source and rule."""
        found: dict[str, dict[str, int]] = {}
        query = "select source_name, rule, approvals from lessons order by source_name, rule"
        for source_name, rule, approvals in self._db.rows(query):
            found.setdefault(source_name, {})[rule] = approvals
        return found

    def learned(self) -> Mapping[str, frozenset[str]]:
        """The rules that let findings of a source through, by source."""
        return {
            source_name: frozenset(rule for rule, approvals in rules.items() if approvals >= APPROVALS)
            for source_name, rules in self.counts().items()
        }
