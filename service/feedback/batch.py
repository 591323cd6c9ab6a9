"""Files of feedback, such as outcomes from a helpdesk: JSON lines or CSV, each row by itself. Writes nothing."""

import csv
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import Any, Literal

from pydantic import ValidationError
from sqlalchemy import Engine

from service.errors import InvalidRequestError
from service.feedback.event import Event, Receipt, Speaker
from service.feedback.intake import Identities, Mask, event_of
from service.feedback.record import Written, bound
from service.feedback.requests import BatchReply, FeedbackRow, RefusedRow
from service.feedback.rights import RatedAnswer, Voice, answers_by_id, answers_of_conversations

Form = Literal["jsonl", "csv"]
MOST_ROWS = 10_000
_SUFFIXES: dict[str, Form] = {".csv": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl", ".json": "jsonl"}
# Rows that are looked up, masked and written together.
PART_ROWS = 500
_MOST_SHOWN = 1_000
# The longest texts, each sign of them escaped, are shorter; and there are fewer fields than columns.
_MOST_CHARS, _MOST_COLUMNS = 400_000, 100
_TOO_LONG = f"it has more than {_MOST_CHARS} characters"
# The limit of the `csv` module is the whole process's: always the same, so that no thread takes it from another.
_CELL_CHARS = 1 << 30
_RETRACT = "retract"


@dataclass(frozen=True, slots=True)
class Line:
    """A row with the number of its line; without a row, the reason why it can't be read."""

    number: int
    row: FeedbackRow | None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Entry:
    """A row with who says it and the answer that it may speak of, if there is one."""

    line: Line
    speaker: Speaker | None = None
    answer: RatedAnswer | None = None


@dataclass(frozen=True, slots=True)
class Importer:
    """Who sends a file. An admin may speak of every answer, others of those that they asked for."""

    engine: Engine
    identities: Identities
    mask: Mask
    caller: str
    is_admin: bool

    def look_up(self, lines: Sequence[Line]) -> list[Entry]:
        """The answers of rows. Raises `NotReadyError` without a database."""
        spoken = [
            (line, self.identities.of_key(line.row, self.caller, is_batch=True)) for line in lines if line.row
        ]
        ids = [line.row.answer_id for line, _ in spoken if line.row and line.row.answer_id]
        by_id = answers_by_id(self.engine, ids)
        voices = {
            (line.row.conversation_id, speaker.actor)
            for line, speaker in spoken
            if line.row and line.row.conversation_id is not None
        }
        by_voice = answers_of_conversations(self.engine, voices, None if self.is_admin else self.caller)
        found = {
            line.number: Entry(line, speaker, self._answer(line, speaker, by_id, by_voice))
            for line, speaker in spoken
        }
        return [found.get(line.number, Entry(line)) for line in lines]

    def _answer(
        self,
        line: Line,
        speaker: Speaker,
        by_id: Mapping[str, RatedAnswer],
        by_voice: Mapping[Voice, RatedAnswer],
    ) -> RatedAnswer | None:
        row = line.row
        if row is None or row.answer_id is None:
            return by_voice.get((row.conversation_id or "", speaker.actor)) if row else None
        answer = by_id.get(row.answer_id)
        return answer if answer is not None and (self.is_admin or answer.caller == self.caller) else None

    def event_of(self, entry: Entry) -> Event | str:
        """The event of a row, or why there is none. Masks texts, which takes time."""
        row, answer = entry.line.row, entry.answer
        if row is None or entry.speaker is None:
            return entry.line.reason
        if answer is None:
            name = "conversation_id" if row.conversation_id else "answer_id"
            return f"this key has no answer with the {name} {row.conversation_id or row.answer_id!r}"
        key = bound(f"{self.caller}\nbatch", row.idempotency_key or row.event_id or self._content(row))
        return event_of(row, entry.speaker, answer.id, answer, self.mask, key=key)

    def _content(self, row: FeedbackRow) -> str:
        """What stands for a row without an id: keyed, since all but its user and its texts is stored as it is."""
        written = json.dumps(row.model_dump(mode="json"), sort_keys=True)
        return "content " + self.identities.pseudonyms.stand_in("row", written)


def form_of(name: str) -> Form | None:
    """How a file of that name is written."""
    return _SUFFIXES.get(PurePath(name).suffix.lower())


def lines_of(data: bytes, form: Form, *, most: int = MOST_ROWS) -> list[Line]:
    """The rows of a file. Raises `InvalidRequestError` for one that is no text or has too many."""
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as exc:
        raise InvalidRequestError(f"The file is not UTF-8: {exc.reason} at byte {exc.start}.") from exc
    found: list[Line] = []
    for line in _csv_lines(text) if form == "csv" else _json_lines(text):
        if len(found) == most:
            raise InvalidRequestError(f"The file has more than {most} rows. Divide it.")
        found.append(line)
    return found


def _json_lines(text: str) -> Iterator[Line]:
    # One at a time: a list of the lines of a file that is all line ends takes eight times its size.
    for number, line in enumerate(io.StringIO(text), start=1):
        if line.strip():
            yield _json_line(number, line)


def _json_line(number: int, text: str) -> Line:
    if len(text) > _MOST_CHARS:
        return Line(number, None, _TOO_LONG)
    try:
        return _line(number, json.loads(text))
    except (ValueError, RecursionError):
        return _line(number, None)


def _csv_lines(text: str) -> Iterator[Line]:
    csv.field_size_limit(_CELL_CHARS)
    reader = csv.DictReader(io.StringIO(text, newline=""), strict=True)
    try:
        # Each row is as wide as the first line, however short it is.
        if len(reader.fieldnames or ()) > _MOST_COLUMNS:
            raise InvalidRequestError(f"The CSV has more than {_MOST_COLUMNS} columns.")
        for cells in reader:
            yield _csv_line(reader.line_num, cells)
    except csv.Error as exc:
        raise InvalidRequestError(f"The CSV can't be read at line {reader.reader.line_num}: {exc}.") from exc


def _csv_line(number: int, cells: Mapping[str | None, Any]) -> Line:
    """A row as JSON would have it: an empty cell says nothing, `retract` as value is null, reasons have blanks between."""
    if any(isinstance(cell, str) and len(cell) > _MOST_CHARS for cell in cells.values()):
        return Line(number, None, _TOO_LONG)
    row: dict[str, Any] = {
        "more cells than columns" if name is None else name.strip(): cell
        for name, cell in cells.items()
        if cell not in ("", None)
    }
    if row.get("value") == _RETRACT:
        row["value"] = None
    if isinstance(row.get("reasons"), str):
        row["reasons"] = row["reasons"].split()
    return _line(number, row)


def _line(number: int, raw: object) -> Line:
    if not isinstance(raw, dict):
        return Line(number, None, "it is no JSON object")
    try:
        return Line(number, FeedbackRow.model_validate(raw))
    except ValidationError as exc:
        first = exc.errors(include_url=False, include_input=False)[0]
        place = ".".join(str(part) for part in first["loc"][:2] if part not in ("str", "int"))
        message = str(first["msg"]).removeprefix("Value error, ")
        return Line(number, None, f"{place[:80]}: {message}" if place else message)


@dataclass(slots=True)
class Tally:
    """What became of the rows so far."""

    accepted: int = 0
    known: int = 0
    refused: int = 0
    refusals: list[RefusedRow] = field(default_factory=list)

    def count(self, lines: Sequence[Line], events: Sequence[Event | str], written: Sequence[Written]) -> None:
        """Add rows; `written` are the results of those that are events, in their order."""
        results = iter(written)
        for line, event in zip(lines, events, strict=True):
            result = event if isinstance(event, str) else next(results)
            if isinstance(result, Receipt):
                self.accepted += result.is_new
                self.known += not result.is_new
                continue
            self.refused += 1
            if len(self.refusals) < _MOST_SHOWN:
                self.refusals.append(RefusedRow(line=line.number, reason=str(result)))

    def reply(self) -> BatchReply:
        """As it is told."""
        return BatchReply(
            accepted=self.accepted, known=self.known, refused=self.refused, refusals=self.refusals
        )
