"""CSV to blocks: questions and answers as sections, anything else as rows with their header."""

import csv
import io
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ingestion.corpus import Block, Reading
from ingestion.errors import SourceError
from ingestion.load.encodings import decode
from ingestion.load.limits import MAX_FILE_BYTES
from ingestion.load.rows import table_blocks

_QUESTION = ("question", "frage", "pregunta")
_ANSWER = ("answer", "antwort", "respuesta")
_DELIMITERS = ",;\t|"
_SAMPLE = 65_536
# What Excel writes and reads as the first line, to say how the cells are divided.
_SAID = re.compile(r'\A"?sep=(.)"?(?:\r\n|\r|\n)', re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Dialect:
    """How a file divides its cells. Where it puts a backslash before a quote, quotes aren't doubled."""

    delimiter: str
    quote: str
    escape: str | None


def read_csv(data: bytes, name: str) -> Reading:
    """Rows in order. Raises `SourceError` when it can't be read as delimited text."""
    text = decode(data)
    said = _SAID.match(text)
    text = text[said.end() :] if said else text
    csv.field_size_limit(MAX_FILE_BYTES)  # of the process: a file is read by one at a time
    try:
        rows = [
            row for row in _rows(text, _dialect(text, said[1] if said else None)) if any(map(str.strip, row))
        ]
    except csv.Error as exc:
        raise SourceError(f"It cannot be read as delimited text: {exc}.") from exc
    if not rows:
        return Reading(title=name, blocks=())
    names = [cell.strip().lower() for cell in rows[0]]
    question, answer = _column(names, _QUESTION), _column(names, _ANSWER)
    if question is None or answer is None:
        return Reading(title=name, blocks=tuple(table_blocks(rows)))
    return Reading(title=name, blocks=tuple(_sections(rows[1:], question, answer)))


def _rows(text: str, dialect: Dialect) -> Iterator[list[str]]:
    # Line ends stay as they are, so that those of old Macs divide rows too.
    return csv.reader(
        io.StringIO(text, newline=""),
        delimiter=dialect.delimiter,
        quotechar=dialect.quote,
        escapechar=dialect.escape,
        doublequote=dialect.escape is None,
        skipinitialspace=True,
    )


def _dialect(text: str, delimiter: str | None) -> Dialect:
    """The dialect under which the most rows have the same number of cells, more than one."""
    sample = text[:_SAMPLE]
    if len(text) > _SAMPLE:
        sample = sample[: max(sample.rfind("\n"), sample.rfind("\r")) + 1] or sample
    escape = "\\" if '\\"' in sample and '""' not in sample else None
    dialects = [
        Dialect(sign, quote, escape) for sign in delimiter or _DELIMITERS for quote in _quotes(sample, sign)
    ]
    return max(dialects, key=lambda dialect: _evenness(sample, dialect))


def _quotes(sample: str, delimiter: str) -> tuple[str, ...]:
    """`"`; an apostrophe is a quote only where every name of the first row stands in two."""
    names = (
        [cell.strip() for cell in sample.lstrip().splitlines()[0].split(delimiter)] if sample.strip() else []
    )
    is_quoted = all(len(name) > 2 and name[0] == name[-1] == "'" for name in names)
    return ("'",) if names and is_quoted else ('"',)


def _evenness(sample: str, dialect: Dialect) -> tuple[float, int]:
    """The share of rows that have the usual number of cells, and that number; nothing for a single column."""
    try:
        sizes = Counter(len(row) for row in _rows(sample, dialect) if row)
    except csv.Error:
        return 0.0, 0
    cells, rows = max(sizes.items(), key=lambda pair: (pair[0] > 1, pair[1]), default=(0, 0))
    return (rows / sizes.total(), cells) if cells > 1 else (0.0, 0)


def _column(names: Sequence[str], wanted: Sequence[str]) -> int | None:
    return next((names.index(word) for word in wanted if word in names), None)


def _sections(rows: Sequence[Sequence[str]], question: int, answer: int) -> Iterator[Block]:
    for row in rows:
        if len(row) > max(question, answer):
            yield Block("heading", row[question], level=2)
            yield Block("paragraph", row[answer])
