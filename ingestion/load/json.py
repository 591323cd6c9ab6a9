"""JSON and JSON lines to blocks: each record a section with its longest texts as paragraphs, the rest as a row."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from ingestion.corpus import Block, Reading
from ingestion.errors import SourceError
from ingestion.load.encodings import decode

_TITLES = ("title", "name", "question", "subject", "heading", "id")
_TEXTS = ("text", "body", "content", "answer", "description", "message", "comment")
_LONG = 80
_DEEPEST_LEVEL = 6


def read_json(data: bytes, name: str) -> Reading:
    """A record, a list of records, or a mapping that holds them at any depth. Raises `SourceError` with the position."""
    try:
        raw = json.loads(decode(data))
        blocks = tuple(b for record in (raw if isinstance(raw, list) else [raw]) for b in _blocks(record))
    except (ValueError, RecursionError) as exc:
        raise SourceError(f"It is no JSON: {exc}.") from exc
    title = raw["title"] if isinstance(raw, dict) and isinstance(raw.get("title"), str) else name
    return Reading(title=title, blocks=blocks)


def read_jsonl(data: bytes, name: str) -> Reading:
    """A record a line. Raises `SourceError` that names the line."""
    blocks: list[Block] = []
    # Of what Unicode calls line ends, strings may hold all but this one.
    for number, line in enumerate(decode(data).split("\n"), start=1):
        if not line.strip():
            continue
        try:
            blocks.extend(_blocks(json.loads(line)))
        except (ValueError, RecursionError) as exc:
            raise SourceError(f"Line {number} is no JSON: {exc}.") from exc
    return Reading(title=name, blocks=tuple(blocks))


def _blocks(record: Any) -> Iterator[Block]:
    if isinstance(record, Mapping):
        yield from _section(record, 2)
    else:
        yield Block("paragraph", record if isinstance(record, str) else _shown(record))


def _section(record: Mapping[str, Any], level: int, name: str = "") -> Iterator[Block]:
    """A record and, below it, the records that it holds. `name` is under which key it is held."""
    facts = dict(_facts(record))
    title = next((facts.pop(key) for key in _TITLES if key in facts), None)
    if title:
        yield Block("heading", title, level=level)
    long = [key for key, value in facts.items() if key in _TEXTS or len(value) > _LONG]
    yield from (Block("paragraph", facts.pop(key)) for key in long)
    rest = "; ".join(f"{key}: {value}" for key, value in facts.items() if value)
    if rest:
        yield Block("row", f"{name}: {rest}" if name and not title else rest)
    below = min(level + 1, _DEEPEST_LEVEL) if title else level
    for key, inner in _inner(record):
        yield from _section(inner, below, key if title or name else "")


def _facts(record: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    """Keys and values as text, but for records; keys of inner mappings are joined by dots."""
    for key, value in record.items():
        if isinstance(value, Mapping):
            if not _is_record(value):
                yield from _facts(value, f"{prefix}{key}.")
        elif isinstance(value, list):
            plain = [one for one in value if not isinstance(one, Mapping)]
            if plain or not value:
                yield f"{prefix}{key}", ", ".join(map(_shown, plain))
        elif value is not None:
            yield f"{prefix}{key}", str(value)


def _inner(record: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The records within a record: members of its lists, and mappings that have a text of their own."""
    for key, value in record.items():
        if isinstance(value, Mapping):
            if _is_record(value):
                yield key, value
            else:
                yield from _inner(value)
        elif isinstance(value, list):
            yield from ((key, one) for one in value if isinstance(one, Mapping))


def _is_record(value: Mapping[str, Any]) -> bool:
    return any(isinstance(value.get(key), str) for key in _TEXTS)


def _shown(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
