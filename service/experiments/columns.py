"""Rows with typed columns to and from CSV, JSON lines and Parquet, a batch at a time. Knows nothing of what they say."""

import csv
import importlib
import io
import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import IO, Any, Literal

from service.errors import InvalidRequestError

Kind = Literal["text", "integer", "float", "boolean", "moment", "json"]
Columns = Mapping[str, Kind]
Row = Mapping[str, Any]
FileFormat = Literal["csv", "jsonl", "parquet"]
FILE_FORMATS: tuple[FileFormat, ...] = ("csv", "jsonl", "parquet")
# What a spreadsheet takes for the start of a formula.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


class RowWriter(ABC):
    """Writes rows into a binary file. `close` ends it, and leaves the file itself open."""

    def __init__(self, file: IO[bytes], columns: Columns) -> None:
        self._file, self._columns = file, columns

    @abstractmethod
    def write(self, rows: Sequence[Row]) -> None:
        """Write some rows."""

    def close(self) -> None:
        """End it."""
        self._file.flush()


def writer_of(
    form: FileFormat, file: IO[bytes], columns: Columns, *, strange: Sequence[str] = ()
) -> RowWriter:
    """A writer of a format. `strange` columns hold what strangers wrote: in CSV, no spreadsheet takes it for a formula."""
    if form == "csv":
        return _CsvWriter(file, columns, strange)
    return _LinesWriter(file, columns) if form == "jsonl" else _ParquetWriter(file, columns)


class _CsvWriter(RowWriter):
    def __init__(self, file: IO[bytes], columns: Columns, strange: Sequence[str]) -> None:
        super().__init__(file, columns)
        self._cells = [
            (name, _harmless if name in strange else _TO_TEXT[kind]) for name, kind in columns.items()
        ]
        self._put([list(columns)])

    def write(self, rows: Sequence[Row]) -> None:
        self._put(
            ["" if (value := row[name]) is None else text(value) for name, text in self._cells]
            for row in rows
        )

    def _put(self, lines: Iterable[Sequence[str]]) -> None:
        text = io.StringIO(newline="")
        csv.writer(text, lineterminator="\n").writerows(lines)
        self._file.write(text.getvalue().encode())


def _as_json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _harmless(value: object) -> str:
    """A text that no spreadsheet takes for a formula."""
    text = value if isinstance(value, str) else _as_json(value)
    return f"'{text}" if text.startswith(_FORMULA) else text


_TO_TEXT: Mapping[Kind, Callable[[Any], str]] = {
    "text": str,
    "integer": str,
    "float": repr,
    "boolean": lambda value: "true" if value else "false",
    "moment": lambda value: str(value.isoformat()),
    "json": _as_json,
}


class _LinesWriter(RowWriter):
    def write(self, rows: Sequence[Row]) -> None:
        lines = [_as_json({name: _plain(row[name]) for name in self._columns}) for row in rows]
        self._file.write("".join(f"{line}\n" for line in lines).encode())


def _plain(value: object) -> object:
    return value.isoformat() if isinstance(value, datetime) else value


class _ParquetWriter(RowWriter):
    def __init__(self, file: IO[bytes], columns: Columns) -> None:
        super().__init__(file, columns)
        self._arrow = arrow()
        self._schema = _schema(self._arrow, columns)
        parquet = importlib.import_module("pyarrow.parquet")
        self._writer = parquet.ParquetWriter(file, self._schema)

    def write(self, rows: Sequence[Row]) -> None:
        texts = {name for name, kind in self._columns.items() if kind == "json"}
        cells = {
            name: [
                _as_json(row[name]) if name in texts and row[name] is not None else row[name] for row in rows
            ]
            for name in self._columns
        }
        self._writer.write_table(self._arrow.table(cells, schema=self._schema))

    def close(self) -> None:
        self._writer.close()
        super().close()


def arrow() -> Any:
    """The library that reads and writes Parquet. Raises `InvalidRequestError` where it isn't installed."""
    try:
        return importlib.import_module("pyarrow")
    except ImportError as exc:
        raise InvalidRequestError(
            "Parquet needs pyarrow, which is not installed: pip install pyarrow. Or ask for csv.",
            param="format",
        ) from exc


def _schema(library: Any, columns: Columns) -> Any:
    types = {
        "text": library.string(),
        "json": library.string(),
        "integer": library.int64(),
        "float": library.float64(),
        "boolean": library.bool_(),
        "moment": library.timestamp("us", tz="UTC"),
    }
    return library.schema([(name, types[kind]) for name, kind in columns.items()])


def read_rows(path: Path, columns: Columns) -> Iterator[list[dict[str, Any]]]:
    """Rows of a file that a writer wrote, told by its ending, in batches: those of the columns that it has.

    An empty cell of a CSV file is None. Raises `InvalidRequestError` for another ending and for a file that isn't one.
    """
    try:
        yield from _READERS[path.suffix](path, columns)
    except KeyError as exc:
        raise InvalidRequestError(
            f"{str(path)!r} ends in none of {sorted(_READERS)}, or lacks a column: {exc}.", param="file"
        ) from exc
    except (ValueError, csv.Error) as exc:
        raise InvalidRequestError(
            f"{str(path)!r} can't be read: {exc}. Export it anew.", param="file"
        ) from exc


def _read_csv(path: Path, columns: Columns) -> Iterator[list[dict[str, Any]]]:
    csv.field_size_limit(_LONGEST)
    with path.open(encoding="utf-8", newline="") as file:
        reader = csv.DictReader(file)
        while lines := list(islice(reader, _BATCH)):
            yield [_values(line, columns, _FROM_TEXT) for line in lines]


def _read_lines(path: Path, columns: Columns) -> Iterator[list[dict[str, Any]]]:
    with path.open(encoding="utf-8") as file:
        while lines := list(islice(file, _BATCH)):
            yield [_values(json.loads(line), columns, {"moment": datetime.fromisoformat}) for line in lines]


def _read_parquet(path: Path, columns: Columns) -> Iterator[list[dict[str, Any]]]:
    arrow()
    with importlib.import_module("pyarrow.parquet").ParquetFile(path) as file:
        for batch in file.iter_batches(_BATCH):
            yield [_values(line, columns, {"json": json.loads}) for line in batch.to_pylist()]


def _values(line: Row, columns: Columns, readers: Mapping[Kind, Callable[[str], object]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, kind in columns.items():
        if name in line:
            value, read = line[name], readers.get(kind)
            is_there = value is not None and (value != "" or readers is not _FROM_TEXT)
            found[name] = None if not is_there else read(value) if read else value
    return found


_BATCH, _LONGEST = 5_000, 10_000_000
_FROM_TEXT: Mapping[Kind, Callable[[str], object]] = {
    "integer": int,
    "float": float,
    "boolean": lambda text: text == "true",
    "moment": datetime.fromisoformat,
    "json": json.loads,
}
_READERS = {".csv": _read_csv, ".jsonl": _read_lines, ".parquet": _read_parquet}
