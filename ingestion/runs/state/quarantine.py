"""Where flagged documents wait for a person, and what was decided of them."""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any, Literal, Self

import numpy as np

from ingestion.corpus import Document, Flag
from ingestion.index.segment import Entry
from ingestion.index.texts import dump, load_chunk, load_document
from ingestion.runs.state.database import Database

Decision = Literal["waiting", "approved", "rejected"]
_AROUND_CHARS, _PASSAGE_CHARS = 160, 600
_COLUMNS = "document_id, content, state, flags, entry, at, run_id, decided_by, decided_at"


@dataclass(frozen=True, slots=True)
class Excerpt:
    """What a flag is about, between what stands before and behind it; empty where it is about no place in the text."""

    before: str = ""
    passage: str = ""
    after: str = ""

    @classmethod
    def of(cls, text: str, flag: Flag) -> Self:
        """From the text of the document. Long passages are cut at their end."""
        if flag.end <= flag.start:
            return cls()
        end = min(flag.end, flag.start + _PASSAGE_CHARS)
        first, last = max(0, flag.start - _AROUND_CHARS), min(len(text), end + _AROUND_CHARS)
        before, after = text[first : flag.start], text[end:last]
        # A word that is cut in two says nothing.
        before = before.partition(" ")[2] if first else before
        after = after.rpartition(" ")[0] if last < len(text) else after
        return cls(before, text[flag.start : end], after)


@dataclass(frozen=True, slots=True)
class QuarantinedDocument:
    """A document in quarantine, with an excerpt of its text for each flag.

    Of one that was decided about, title, source, groups and text are no longer known. Is only part of it in quarantine, the
    rest is in the index.
    """

    document_id: str
    content: str
    state: Decision
    flags: tuple[Flag, ...]
    title: str
    source_name: str
    at: str
    run_id: str
    decided_by: str
    decided_at: str
    groups: tuple[str, ...] = ()
    excerpts: tuple[Excerpt, ...] = ()
    pii_policy: str = ""

    @property
    def is_partial(self) -> bool:
        """Whether only passages of it wait."""
        return bool(self.flags) and all(flag.holds == "passage" for flag in self.flags)


class Quarantine:
    """One row for each text of a document, so that a decision holds for that very text."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def hold(self, entry: Entry, flags: Iterable[Flag], run_id: str) -> None:
        """Put a document into quarantine, in place of a text of it that waits. Call it within a batch."""
        document = entry.document
        body = json.dumps(
            {"document": dump(document), "chunks": [dump(c) for c in entry.chunks], "bands": entry.bands}
        )
        self._db.execute(
            "insert or replace into quarantine values (?, ?, 'waiting', ?, ?, ?, ?, '', '')",
            (
                document.id,
                document.content,
                json.dumps([asdict(flag) for flag in flags]),
                body,
                datetime.now(UTC).isoformat(),
                run_id,
            ),
        )
        self.forget(document.id, but=document.content)

    def forget(self, document_id: str, *, but: str = "") -> None:
        """Forget the texts of a document that wait, but for one content. Call it within a batch, or pay for one."""
        self._db.execute(
            "delete from quarantine where document_id = ? and state = 'waiting' and content <> ?",
            (document_id, but),
        )

    def forget_texts(self) -> None:
        """Keep of what was decided the decision and the digest alone. Call it within a batch."""
        self._db.execute("update quarantine set entry = '{}', flags = '[]' where state <> 'waiting'")

    def waiting(self, document_id: str) -> Document | None:
        """The latest text of a document that waits."""
        found = self.entry(document_id)
        return found.document if found else None

    def ids_between(self, first: str, last: str) -> list[str]:
        """Ids of documents that wait, from the first text up to the last."""
        query = "select distinct document_id from quarantine where document_id >= ? and document_id < ? and state = 'waiting'"
        return [i for (i,) in self._db.rows(query, (first, last))]

    def decision(self, document_id: str, content: str) -> Decision | None:
        """What was decided of this very text; None when it was never held."""
        query = "select state from quarantine where document_id = ? and content = ?"
        found = self._db.rows(query, (document_id, content))
        state: Decision | None = found[0][0] if found else None
        return state

    def is_approved(self, document_id: str) -> bool:
        """Whether a text of a document was approved that isn't in the index yet."""
        query = "select 1 from quarantine where document_id = ? and state = 'approved'"
        return bool(self._db.rows(query, (document_id,)))

    def held(self, state: Decision | None = "waiting") -> list[QuarantinedDocument]:
        """Documents in quarantine, the oldest first."""
        where, values = (" where state = ?", (state,)) if state else ("", ())
        rows = self._db.rows(f"select {_COLUMNS} from quarantine{where} order by at, document_id", values)
        return [_held(row) for row in rows]

    def entry(self, document_id: str) -> Entry | None:
        """The latest text of a document that waits in quarantine, without vectors."""
        query = "select entry from quarantine where document_id = ? and state = 'waiting' order by at desc limit 1"
        found = self._db.rows(query, (document_id,))
        if not found:
            return None
        raw = json.loads(found[0][0])
        chunks = tuple(load_chunk(chunk) for chunk in raw["chunks"])
        rows = tuple(range(len(chunks)))
        nothing = np.empty((0, 0), np.float32)
        return Entry(load_document(raw["document"]), chunks, rows, nothing, tuple(raw["bands"]))

    def decide(self, document_id: str, state: Decision, by: str) -> bool:
        """Approve or reject every waiting text of a document, of which the digest stays; whether there was one."""
        done = self._db.execute(
            "update quarantine set state = ?, decided_by = ?, decided_at = ?, entry = '{}', flags = '[]'"
            " where document_id = ? and state = 'waiting'",
            (state, by, datetime.now(UTC).isoformat(), document_id),
        )
        return done > 0


def _held(row: tuple[Any, ...]) -> QuarantinedDocument:
    document_id, content, state, flags, entry, at, run_id, by, decided_at = row
    raw = json.loads(entry).get("document")
    document = load_document(raw) if raw else None
    found = tuple(Flag(**flag) for flag in json.loads(flags))
    return QuarantinedDocument(
        document_id=document_id,
        content=content,
        state=state,
        flags=found,
        title=document.title if document else "",
        source_name=document.source_name if document else "",
        at=at,
        run_id=run_id,
        decided_by=by,
        decided_at=decided_at,
        groups=document.groups if document else (),
        excerpts=tuple(Excerpt.of(document.text, flag) for flag in found) if document else (),
        pii_policy=document.pii_policy if document else "",
    )
