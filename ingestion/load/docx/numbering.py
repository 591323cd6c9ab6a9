"""Numbers of lists and headings, which Word computes as it shows them (ECMA-376, part 1, 17.9)."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from ingestion.load.ordinals import letters, roman
from ingestion.load.package import Element, attribute, child, children

_LEVELS = 9
_PLACE = re.compile(r"%([1-9])")


@dataclass(frozen=True, slots=True)
class _Level:
    form: str
    text: str
    start: int


class Numbering:
    """Counts the paragraphs of each list."""

    def __init__(self, root: Element | None) -> None:
        abstract = {
            attribute(one, "abstractNumId") or "": _levels(one) for one in children(root, "abstractNum")
        }
        self._levels: dict[str, Mapping[int, _Level]] = {}
        self._list_of: dict[str, str] = {}
        self._counts: dict[str, list[int]] = {}
        for one in children(root, "num"):
            key = attribute(one, "numId") or ""
            named = child(one, "abstractNumId")
            list_key = (attribute(named) if named is not None else None) or ""
            own = {
                depth: level
                for part in children(one, "lvlOverride")
                for depth, level in _levels(part).items()
            }
            self._levels[key] = {**abstract.get(list_key, {}), **own}
            # A list that starts anew counts for itself, others of the same form go on.
            self._list_of[key] = f"own {key}" if child(one, "lvlOverride") is not None else list_key

    def __contains__(self, list_id: str) -> bool:
        return list_id in self._levels

    def next(self, list_id: str, depth: int) -> str:
        """What stands before the next paragraph of a list: `2.1`, `a)`; empty before a bullet or an unknown list."""
        levels = self._levels.get(list_id, {})
        depth = min(depth, _LEVELS - 1)
        if depth not in levels:
            return ""
        counts = self._counts.setdefault(self._list_of[list_id], [0] * _LEVELS)
        for place in range(depth + 1):
            if place == depth or not counts[place]:
                counts[place] = counts[place] + 1 if counts[place] else _start(levels, place)
        counts[depth + 1 :] = [0] * (_LEVELS - depth - 1)
        if levels[depth].form in ("bullet", "none"):
            return ""
        return _PLACE.sub(lambda found: _shown(levels, counts, int(found[1]) - 1), levels[depth].text).strip()


def _start(levels: Mapping[int, _Level], place: int) -> int:
    return levels[place].start if place in levels else 1


def _shown(levels: Mapping[int, _Level], counts: list[int], place: int) -> str:
    form = levels[place].form if place in levels else "decimal"
    return _number(counts[place], form)


def _number(number: int, form: str) -> str:
    match form:
        case "lowerLetter" | "upperLetter":
            text = letters(number)
        case "lowerRoman" | "upperRoman":
            text = roman(number)
        case "decimalZero":
            text = f"{number:02}"
        case _:
            text = str(number)
    return text.upper() if form.startswith("upper") else text


def _levels(element: Element) -> dict[int, _Level]:
    return {int(depth): _level(one) for one in children(element, "lvl") if (depth := _depth(one)).isdecimal()}


def _depth(level: Element) -> str:
    return (attribute(level, "ilvl") or "")[:2]


def _level(element: Element) -> _Level:
    form, text, start = (_value(element, name) for name in ("numFmt", "lvlText", "start"))
    return _Level(form or "decimal", text[:100], int(start) if start.isdecimal() and len(start) < 7 else 1)


def _value(element: Element, name: str) -> str:
    found = child(element, name)
    return (attribute(found) if found is not None else None) or ""
