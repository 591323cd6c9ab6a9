"""CSV to blocks: questions and answers as sections, anything else as rows with their header."""

import csv
import io
from collections.abc import Iterator, Sequence

from ingestion.corpus import Block, Reading
from ingestion.errors import SourceError
from ingestion.load.rows import table_blocks
from ingestion.load.text import decode

_QUESTION = ("question", "frage", "pregunta")
_ANSWER = ("answer", "antwort", "respuesta")


def read_csv(data: bytes, name: str) -> Reading:
    """Rows in order. Raises `SourceError` when it can't be read as delimited text."""
    text = decode(data)
    try:
        dialect: type[csv.Dialect] = csv.Sniffer().sniff(text[:8_192], delimiters=",;\t|")
    except csv.Error:
        dialect = csv.excel
    dialect.doublequote = True  # the sniffer guesses this wrong when no quote is doubled early
    try:
        rows = [row for row in csv.reader(io.StringIO(text), dialect) if any(map(str.strip, row))]
    except csv.Error as exc:
        raise SourceError(f"It cannot be read as delimited text: {exc}.") from exc
    if not rows:
        return Reading(title=name, blocks=())
    names = [cell.strip().lower() for cell in rows[0]]
    question, answer = _column(names, _QUESTION), _column(names, _ANSWER)
    if question is None or answer is None:
        return Reading(title=name, blocks=tuple(table_blocks(rows)))
    return Reading(title=name, blocks=tuple(_sections(rows[1:], question, answer)))


def _column(names: Sequence[str], wanted: Sequence[str]) -> int | None:
    return next((names.index(word) for word in wanted if word in names), None)


def _sections(rows: Sequence[Sequence[str]], question: int, answer: int) -> Iterator[Block]:
    for row in rows:
        if len(row) > max(question, answer):
            yield Block("heading", row[question], level=2)
            yield Block("paragraph", row[answer])
