"""The parts of a schema and where their references lead: to other parts, and never in a circle that goes no deeper."""

from collections.abc import Iterator, Mapping, Sequence
from graphlib import CycleError, TopologicalSorter
from typing import Any

from referencing import Registry, Specification
from referencing.exceptions import Unresolvable

# They read other schemas again and again, or from where they are used, and no server keeps to them.
_UNSUPPORTED = ("$dynamicRef", "$recursiveRef", "unevaluatedProperties", "unevaluatedItems")
# Keywords whose schemas judge the same value; other keywords go deeper into it.
_ONE, _LIST, _NAMED = (
    ("not", "if", "then", "else"),
    ("allOf", "anyOf", "oneOf"),
    ("dependentSchemas", "dependencies"),
)


class WrongSchemaError(ValueError):
    """The schema can't be used; the message says why."""


def parts_of(schema: object, specification: Specification[Any]) -> Iterator[dict[str, Any]]:
    """The schema and all schemas in it, but for those that are only `true` or `false`. Every dialect knows
    `definitions`, which the newer ones no longer list."""
    if isinstance(schema, dict):
        yield schema
        for part in (*specification.subresources_of(schema), *schema.get("definitions", {}).values()):
            yield from parts_of(part, specification)


def check_references(
    schema: dict[str, Any], parts: Sequence[dict[str, Any]], specification: Specification[Any]
) -> None:
    """Raises `WrongSchemaError` that says which reference leads elsewhere, nowhere or round in a circle. `parts` are
    those of the schema."""
    resolver = Registry[Any]().resolver_with_root(specification.create_resource(schema))
    known = {id(part) for part in parts}
    leads: dict[int, list[int]] = {}
    for part in parts:
        _check_keywords(part, is_top=part is schema)
        same = _same_of(part)
        if "$ref" in part:
            same.append(_referred(part["$ref"], resolver, known))
        leads[id(part)] = [id(one) for one in same if isinstance(one, dict)]
    try:
        TopologicalSorter(leads).prepare()
    except CycleError as exc:
        raise WrongSchemaError(
            "a reference leads back to itself without going deeper into the value"
        ) from exc


def _check_keywords(part: Mapping[str, Any], *, is_top: bool) -> None:
    for keyword in _UNSUPPORTED:
        if keyword in part:
            raise WrongSchemaError(f"the keyword {keyword!r} isn't supported; leave it out")
    for keyword in ("$schema", "$id"):
        if keyword in part and not is_top:
            raise WrongSchemaError(f"{keyword!r} may stand at the top alone")


def _referred(reference: object, resolver: Any, known: set[int]) -> object:
    """What a reference names: a schema within the same one."""
    if not isinstance(reference, str) or not reference.startswith("#"):
        raise WrongSchemaError(
            f"the reference {reference!r} leads elsewhere, and nothing is fetched; refer to a part of the schema itself,"
            " such as '#/$defs/price'"
        )
    try:
        target: object = resolver.lookup(reference).contents
    except (Unresolvable, ValueError, TypeError) as exc:
        raise WrongSchemaError(f"the reference {reference!r} leads nowhere") from exc
    if not isinstance(target, bool) and id(target) not in known:
        raise WrongSchemaError(f"the reference {reference!r} leads to no schema")
    return target


def _same_of(part: Mapping[str, Any]) -> list[object]:
    """What stands within a schema and judges the same value as it does."""
    return [
        *(part[keyword] for keyword in _ONE if keyword in part),
        *(one for keyword in _LIST for one in part.get(keyword, ())),
        *(one for keyword in _NAMED for one in part.get(keyword, {}).values()),
    ]
