"""JSON and JSON lines to blocks: each record a section with its longest texts as paragraphs, the rest as a row."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from ingestion.corpus import Block, Reading
from ingestion.errors import SourceError
from ingestion.load.text import decode

_TITLES = ("title", "name", "question", "subject", "heading", "id")
_TEXTS = ("text", "body", "content", "answer", "description", "message", "comment")
_LONG = 80


def read_json(data: bytes, name: str) -> Reading:
    """One record, a list of records, or a mapping that holds one. Raises `SourceError` with the position."""
    try:
        raw = json.loads(decode(data))
    except (ValueError, RecursionError) as exc:
        raise SourceError(f"It is no JSON: {exc}.") from exc
    records = _records(raw)
    title = raw["title"] if isinstance(raw, dict) and isinstance(raw.get("title"), str) else name
    return Reading(title=title, blocks=tuple(b for record in records for b in _blocks(record)))


def read_jsonl(data: bytes, name: str) -> Reading:
    """A record a line. Raises `SourceError` that names the line."""
    blocks: list[Block] = []
    for number, line in enumerate(decode(data).splitlines(), start=1):
        if not line.strip():
            continue
        try:
            blocks.extend(_blocks(json.loads(line)))
        except (ValueError, RecursionError) as exc:
            raise SourceError(f"Line {number} is no JSON: {exc}.") from exc
    return Reading(title=name, blocks=tuple(blocks))


def _records(raw: Any) -> list[Any]:
    if isinstance(raw, list):
        return raw
    if isinstance(raw, dict) and len(raw) <= 3:
        lists = [value for value in raw.values() if isinstance(value, list) and value]
        if len(lists) == 1 and all(isinstance(item, dict) for item in lists[0]):
            return list(lists[0])
    return [raw]


def _blocks(record: Any) -> Iterator[Block]:
    if not isinstance(record, Mapping):
        text = record if isinstance(record, str) else json.dumps(record, ensure_ascii=False)
        yield Block("paragraph", text)
        return
    flat = dict(_flat(record))
    title = next((flat.pop(key) for key in _TITLES if key in flat), None)
    if title:
        yield Block("heading", title, level=2)
    long = [key for key, value in flat.items() if key in _TEXTS or len(value) > _LONG]
    yield from (Block("paragraph", flat.pop(key)) for key in long)
    rest = "; ".join(f"{key}: {value}" for key, value in flat.items() if value)
    if rest:
        yield Block("row", rest)


def _flat(record: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    """Keys and values as text; keys of inner mappings are joined by dots."""
    for key, value in record.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{key}.")
        elif isinstance(value, list):
            yield (
                f"{prefix}{key}",
                ", ".join(v if isinstance(v, str) else json.dumps(v, ensure_ascii=False) for v in value),
            )
        elif value is not None:
            yield f"{prefix}{key}", str(value)
