"""The rule by which a document enters the index, the same for runs, uploads and approvals."""

from dataclasses import dataclass, replace
from typing import Literal

from ingestion.prepare.preparer import PreparedDocument
from ingestion.prepare.screen import describe
from ingestion.runs.state import Decision


@dataclass(frozen=True, slots=True)
class Ruling:
    """What becomes of a document, why, and the document as it may enter."""

    kind: Literal["enters", "blocked", "rejected", "held"]
    prepared: PreparedDocument
    detail: str = ""


def rule_on(prepared: PreparedDocument, decision: Decision | None) -> Ruling:
    """What a policy blocks stays out whatever a person decided; a person's word outweighs the screens."""
    if prepared.blocked:
        types = ", ".join(sorted(prepared.blocked))
        return Ruling("blocked", prepared, f"It holds {types}, which the policy keeps out.")
    if decision == "rejected":
        return Ruling("rejected", prepared, "A person rejected this text.")
    if decision == "approved":
        return Ruling("enters", _passed(prepared))
    if prepared.document.flags:
        return Ruling("held", prepared, describe(prepared.document.flags))
    return Ruling("enters", prepared)


def _passed(prepared: PreparedDocument) -> PreparedDocument:
    """A document of which a person said that no passage of it is suspicious."""
    chunks = tuple(replace(chunk, verdict="pass") for chunk in prepared.chunks)
    return replace(prepared, chunks=chunks)
