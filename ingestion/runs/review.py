"""Which of the documents that wait in quarantine a decision is about: by id, by a pattern of ids, by rule or by source."""

from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase

from ingestion.audience import shown_id
from ingestion.errors import QuarantineError
from ingestion.runs.state import QuarantinedDocument


@dataclass(frozen=True, slots=True)
class Selection:
    """Documents by id or pattern of ids, by what they wait for, and by source; what is empty chooses all.

    A rule (or a pattern, such as `instruction_*`) chooses documents that wait for nothing else.
    """

    pattern: str = ""
    rule: str = ""
    source_name: str = ""

    def chosen(
        self, held: Iterable[QuarantinedDocument], groups: frozenset[str] | None = None
    ) -> list[QuarantinedDocument]:
        """Those that it is about, by the ids that callers of these groups (None: all) are shown.

        Raises `QuarantineError` when it names nothing, or nothing that waits.
        """
        if not (self.pattern or self.rule or self.source_name):
            raise QuarantineError(
                "Everything that waits would be decided at once. Name ids, a rule or a source; `*` is every id."
            )
        known = list(held)
        named = [one for one in known if shown_id(one.document_id, groups) == self.pattern]
        found = [one for one in named or known if self._is_about(one, shown_id(one.document_id, groups))]
        if not found:
            rules = sorted({flag.rule for one in known for flag in one.flags})[:8]
            sources = sorted({one.source_name for one in known})[:8]
            raise QuarantineError(
                f"Nothing that waits in quarantine fits {self._words()}. Of what waits the rules are {rules}, the sources"
                f" {sources}."
            )
        return found

    def _is_about(self, one: QuarantinedDocument, shown: str) -> bool:
        rules = {flag.rule for flag in one.flags}
        return (
            (self.pattern in ("", shown) or fnmatchcase(shown, self.pattern))
            and (not self.rule or all(fnmatchcase(rule, self.rule) for rule in rules))
            and self.source_name in ("", one.source_name)
        )

    def _words(self) -> str:
        said = {"the id": self.pattern, "the rule": self.rule, "the source": self.source_name}
        return ", ".join(f"{name} {value!r}" for name, value in said.items() if value)
