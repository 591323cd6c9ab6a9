"""Rows of a query as documents, through SQLAlchemy."""

import hashlib
from collections.abc import Iterator, Mapping
from datetime import date
from typing import Any

from sqlalchemy import create_engine, text
from sqlalchemy.exc import SQLAlchemyError

from ingestion.config import SourceConfig
from ingestion.corpus import Scalar, Source, SourceFacts
from ingestion.errors import SourceError

_FORMATS = {"md": ".md", "markdown": ".md", "html": ".html", "text": ".txt", "txt": ".txt"}


def discover_rows(config: SourceConfig) -> Iterator[Source | tuple[Source, str]]:
    """A row a document: `id` and `text`; `title`, `updated`, `language` and `format` (md, html, text) if there.

    A column `groups`, names with commas between them, says who may see the row: whoever wrote the query gave it that
    name, so it counts. Other columns become metadata. Raises `SourceError` when the database or the query is wrong.
    """
    if not config.query:
        raise SourceError(
            f"The source {config.source_name!r} needs a `query` with the columns `id` and `text`."
        )
    try:
        engine = create_engine(config.path.removeprefix("sql+"), **config.arguments)
        with engine.connect() as connection:
            rows = connection.execution_options(stream_results=True, yield_per=500).execute(
                text(config.query)
            )
            for row in rows.mappings():
                yield _source(config, row)
    except (SQLAlchemyError, ImportError) as exc:
        reason = str(getattr(exc, "orig", None) or exc).splitlines()[0]
        raise SourceError(f"The query of {config.source_name!r} failed: {reason}.") from exc


def _source(config: SourceConfig, row: Mapping[Any, Any]) -> Source:
    if "id" not in row or "text" not in row:
        raise SourceError(
            f"The query of {config.source_name!r} gives {list(row)}; it must give `id` and `text`."
        )
    body = str(row["text"] or "")
    suffix = _FORMATS.get(str(row.get("format") or "text"), ".txt")
    values: dict[str, Scalar] = {
        str(key): value if isinstance(value, (str, int, float, bool)) else _plain(value)
        for key, value in row.items()
        if key not in ("id", "text", "format") and value is not None
    }
    digest = hashlib.sha256(f"{sorted(values.items())}\x1f{body}".encode()).hexdigest()
    said = values.pop("groups", None)
    facts = SourceFacts.of(values, None if said is None else tuple(str(said).split(",")))
    name, data = f"{config.source_name}/{row['id']}", body.encode()
    return Source(name, f"row{suffix}", digest, len(data), data=data, facts=facts)


def _plain(value: object) -> str:
    return value.isoformat() if isinstance(value, date) else str(value)
