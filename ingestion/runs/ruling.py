"""The rule by which a document enters the index, the same for runs, uploads and approvals."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from ingestion.corpus import Flag
from ingestion.prepare.passages import passages_of, without
from ingestion.prepare.preparer import PreparedDocument
from ingestion.prepare.screen import describe
from ingestion.runs.state import Decision


@dataclass(frozen=True, slots=True)
class Ruling:
    """What becomes of a document, why, and the document as it may enter.

    `waits` is the whole document where passages of what enters wait for a person; `passed` are flags that the approvals of its
    source let through.
    """

    kind: Literal["enters", "blocked", "rejected", "held"]
    prepared: PreparedDocument
    detail: str = ""
    waits: PreparedDocument | None = None
    passed: tuple[Flag, ...] = ()


def rule_on(
    prepared: PreparedDocument, decision: Decision | None, learned: frozenset[str] = frozenset()
) -> Ruling:
    """What a policy blocks stays out whatever a person decided; a person's word outweighs the screens.

    `learned` are rules that the approvals of the document's source weakened.
    """
    flags = prepared.document.flags
    if prepared.blocked:
        types = ", ".join(sorted(prepared.blocked))
        return Ruling("blocked", prepared, f"It holds {types}, which the policy keeps out.")
    if decision == "rejected":
        return _rejected(prepared)
    if decision == "approved":
        return Ruling("enters", _passed(prepared))
    waiting = tuple(flag for flag in flags if flag.is_certain or flag.rule not in learned)
    passed = tuple(flag for flag in flags if flag not in waiting)
    if any(flag.holds == "document" for flag in waiting):
        return Ruling("held", prepared, describe(waiting))
    entering = _without(prepared, waiting)
    return Ruling("enters", entering, describe(waiting), prepared if waiting else None, passed)


def _rejected(prepared: PreparedDocument) -> Ruling:
    """Of a document that waited in part the passages stay out, of another one everything."""
    flags = prepared.document.flags
    if flags and all(flag.holds == "passage" for flag in flags):
        return Ruling("enters", _without(prepared, flags), "A person rejected passages of it.")
    return Ruling("rejected", prepared, "A person rejected this text.")


def _without(prepared: PreparedDocument, flags: Sequence[Flag]) -> PreparedDocument:
    """A document without the passages that flags hold; what was held by others is flagged."""
    held = passages_of(prepared.document, prepared.chunks, flags)
    chunks = tuple(
        replace(chunk, verdict="flag") if chunk.verdict == "held" else chunk
        for chunk in prepared.chunks
        if chunk.ordinal not in held
    )
    document = without(prepared.document, prepared.chunks, held) if held else prepared.document
    return replace(prepared, document=document, chunks=chunks)


def _passed(prepared: PreparedDocument) -> PreparedDocument:
    """A document of which a person said that no passage of it is suspicious."""
    chunks = tuple(replace(chunk, verdict="pass") for chunk in prepared.chunks)
    return replace(prepared, chunks=chunks)
