"""Rows of the answer log as every database takes them: no NUL, no half of a surrogate pair, nothing too wide.

A row is an answer, unless it says of which other table it is.
"""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Integer, String

from service.tables import Answer, Base, Exposure

Row = dict[str, Any]
TABLE = "_table"
TABLES: Mapping[str, type[Base]] = {"answers": Answer, "exposures": Exposure}
# PostgreSQL stores no NUL in text, and UTF-8 has no form for half of a surrogate pair.
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
_SHOWN = "\N{REPLACEMENT CHARACTER}"
_MAX_INTEGER, _MAX_JSON_INTEGER = 2**31 - 1, 2**63 - 1
_COLUMNS = [column for table in TABLES.values() for column in table.__table__.columns]
# Columns of the same name are of the same width in all tables.
_WIDTHS = {
    column.name: column.type.length
    for column in _COLUMNS
    if isinstance(column.type, String) and column.type.length
}
_INTEGERS = {column.name for column in _COLUMNS if isinstance(column.type, Integer)}


def storable(row: Mapping[str, Any]) -> Row:
    """The row with every text cleaned, also within JSON, cut to its column, and every count within its column."""
    return {name: _fitted(name, _clean(value)) for name, value in row.items()}


def _clean(value: Any) -> Any:
    if isinstance(value, str):
        return _UNSTORABLE.sub(_SHOWN, value)
    if isinstance(value, Mapping):
        return {_clean(key): _clean(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_clean(one) for one in value]
    if isinstance(value, int):
        return max(-_MAX_JSON_INTEGER, min(value, _MAX_JSON_INTEGER)) if abs(value) > 1 else value
    return value if value is None or isinstance(value, float | datetime) else str(value)


def _fitted(name: str, value: Any) -> Any:
    if isinstance(value, str) and name in _WIDTHS:
        return value[: _WIDTHS[name]]
    if name in _INTEGERS and isinstance(value, int):
        return min(max(value, 0), _MAX_INTEGER)
    return value
