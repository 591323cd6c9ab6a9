"""The filter language over the metadata of documents: read from JSON, applied inside the search.

`{"product": "hub"}`, `{"price": {"gte": 10, "lt": 20}}`, `{"tags": {"contains": "new"}}`,
`{"or": [{"product": {"in": ["hub", "chime"]}}, {"not": {"language": "de"}}]}`. Several fields in one object
must all hold. A list is short for `in`.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt

from ingestion.columns import Column, Value
from ingestion.corpus import Scalar
from ingestion.errors import FilterError

Op = Literal["eq", "ne", "in", "nin", "gt", "gte", "lt", "lte", "contains"]
OPS: tuple[Op, ...] = get_args(Op)
Mask = npt.NDArray[np.bool_]
_MAX_DEPTH, _MAX_CONDITIONS, _MAX_VALUES = 8, 100, 1_000
_FIELD = re.compile(r"[\w .\-]{1,100}")
_EXAMPLE = '{"product": {"in": ["hub", "chime"]}}'


@dataclass(frozen=True, slots=True)
class Compare:
    """One field against a value, or against several for `in` and `nin`."""

    field: str
    op: Op
    value: Scalar | tuple[Scalar, ...]

    def holds(self, found: Value) -> bool:
        """Whether it holds for what a document has in the field."""
        return _holds(self.op, found, self.value)


@dataclass(frozen=True, slots=True)
class Every:
    """All parts must hold; an empty one always does."""

    parts: "tuple[Filter, ...]"


@dataclass(frozen=True, slots=True)
class Some:
    """One part must hold."""

    parts: "tuple[Filter, ...]"


@dataclass(frozen=True, slots=True)
class Not:
    """The part must not hold."""

    part: "Filter"


Filter = Compare | Every | Some | Not


def _shown(value: object) -> str:
    """A value in a message: its beginning, or its kind where Python can't write it, as it is too deep or too long."""
    try:
        return f"{value!r:.80}"
    except (RecursionError, ValueError):
        return f"a {type(value).__name__}"


def parse_filter(raw: object) -> Filter:
    """Read a filter. Raises `FilterError` that names what is wrong and shows how to write it."""
    found = _parse(raw, 0)
    if _count(found) > _MAX_CONDITIONS:
        raise FilterError(f"The filter has more than {_MAX_CONDITIONS} conditions. Make it smaller.")
    return found


def _count(node: Filter) -> int:
    match node:
        case Compare():
            return 1
        case Not(part):
            return _count(part)
        case Every(parts) | Some(parts):
            return sum(map(_count, parts))


def _parse(raw: object, depth: int) -> Filter:
    if depth > _MAX_DEPTH:
        raise FilterError(f"The filter is nested deeper than {_MAX_DEPTH} levels. Make it flatter.")
    if not isinstance(raw, dict):
        raise FilterError(f"A filter must be an object such as {_EXAMPLE}, not {_shown(raw)}.")
    parts = [_entry(str(key), value, depth) for key, value in raw.items()]
    return parts[0] if len(parts) == 1 else Every(tuple(parts))


def _entry(key: str, value: object, depth: int) -> Filter:
    if key == "not":
        return Not(_parse(value, depth + 1))
    if key in ("and", "or"):
        if not isinstance(value, list) or not value:
            raise FilterError(f"{key!r} needs a list of filters, not {_shown(value)}.")
        parts = tuple(_parse(part, depth + 1) for part in value)
        return Every(parts) if key == "and" else Some(parts)
    if not _FIELD.fullmatch(key):
        raise FilterError(
            f"A field's name has 1 to 100 letters, digits, spaces or . - _, unlike {_shown(key)}."
        )
    if isinstance(value, list):
        return Compare(key, "in", _values(key, value))
    if not isinstance(value, dict):
        return Compare(key, "eq", _scalar(key, value))
    if not value:
        raise FilterError(f"{key!r} has no operator. Use one of {list(OPS)}.")
    found = tuple(_compare(key, str(op), wanted) for op, wanted in value.items())
    return found[0] if len(found) == 1 else Every(found)


def _compare(field: str, op: str, wanted: object) -> Compare:
    known: Op | None = next((one for one in OPS if one == op), None)
    if known is None:
        raise FilterError(f"{field!r} has the unknown operator {op!r}. Use one of {list(OPS)}.")
    if known in ("in", "nin"):
        if not isinstance(wanted, list):
            raise FilterError(f"{op!r} of {field!r} needs a list of values, not {_shown(wanted)}.")
        return Compare(field, known, _values(field, wanted))
    return Compare(field, known, _scalar(field, wanted))


def _values(field: str, raw: list[Any]) -> tuple[Scalar, ...]:
    if not raw or len(raw) > _MAX_VALUES:
        raise FilterError(f"{field!r} needs 1 to {_MAX_VALUES} values, not {len(raw)}.")
    return tuple(_scalar(field, one) for one in raw)


def _scalar(field: str, value: object) -> Scalar:
    if not isinstance(value, (str, int, float, bool)):
        raise FilterError(
            f"{field!r} must be compared with a text, a number or a boolean, not {_shown(value)}."
        )
    return value


def _same(found: Scalar, wanted: Scalar) -> bool:
    """Equal, where true is not 1."""
    return isinstance(found, bool) == isinstance(wanted, bool) and found == wanted


def _ordered(found: Scalar, wanted: Scalar, test: Callable[[Any, Any], bool]) -> bool:
    """Numbers compare with numbers, texts (dates among them) with texts; nothing else compares."""
    if isinstance(found, bool) or isinstance(wanted, bool):
        return False
    are_texts = isinstance(found, str) and isinstance(wanted, str)
    are_numbers = isinstance(found, (int, float)) and isinstance(wanted, (int, float))
    return (are_texts or are_numbers) and test(found, wanted)


_TESTS: dict[str, Callable[[Any, Any], bool]] = {
    "gt": lambda a, b: a > b,
    "gte": lambda a, b: a >= b,
    "lt": lambda a, b: a < b,
    "lte": lambda a, b: a <= b,
}


def _holds(op: Op, found: Value, wanted: Scalar | tuple[Scalar, ...]) -> bool:
    members: tuple[Scalar, ...] = () if found is None else found if isinstance(found, tuple) else (found,)
    options = wanted if isinstance(wanted, tuple) else (wanted,)
    if op in ("eq", "in", "ne", "nin"):
        is_in = any(_same(one, option) for one in members for option in options)
        return is_in == (op in ("eq", "in"))
    if op == "contains":
        text = str(options[0]).casefold()
        if isinstance(found, str):
            return text in found.casefold()
        return any(_same(one, options[0]) for one in members)
    return any(_ordered(one, options[0], _TESTS[op]) for one in members)


def mask_of(node: Filter, column: Callable[[str], Column], size: int) -> Mask:
    """For which of `size` documents a filter holds; `column` gives what they have in a field."""
    match node:
        case Compare():
            return column(node.field).select(node.holds)
        case Not(part):
            return ~mask_of(part, column, size)
        case Every(parts):
            mask = np.ones(size, dtype=bool)
            for part in parts:
                mask &= mask_of(part, column, size)
            return mask
        case Some(parts):
            mask = np.zeros(size, dtype=bool)
            for part in parts:
                mask |= mask_of(part, column, size)
            return mask
