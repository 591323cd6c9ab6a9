"""Styles of a Word document: headings by their outline level, whatever the language of their names."""

import re
from dataclasses import dataclass

from ingestion.load.package import Element, attribute, child, children, is_on

_HEADING_NAME = re.compile(r"heading ([1-9])$")
_CONTENTS_NAME = re.compile(r"(toc \d|toc heading|table of figures)$")
_CODE_NAMES = ("html preformatted", "source code", "code", "preformatted text", "macro text")
_BODY_LEVEL = 9
_MAX_LEVEL = 6
_LONGEST_CHAIN = 20


@dataclass(frozen=True, slots=True)
class Style:
    """What a style says of its paragraphs and runs. `level` counts from 1, 0 is body text; `list_id` and `list_level` are
    those of its numbering."""

    level: int = 0
    is_list: bool = False
    is_contents: bool = False
    is_code: bool = False
    is_hidden: bool = False
    list_id: str = ""
    list_level: int = 0


class Styles:
    """The styles of a document by id, each with what it inherits."""

    def __init__(self, root: Element | None) -> None:
        self._elements = {attribute(one, "styleId") or "": one for one in children(root, "style")}
        self._default = next(
            (key for key, one in self._elements.items()
             if attribute(one, "type") == "paragraph" and is_default(one)), ""
        )  # fmt: skip
        self._read: dict[str, Style] = {}

    def of(self, style_id: str | None) -> Style:
        """The style of an id; of a paragraph that names none, the default."""
        style_id = style_id or self._default
        if style_id not in self._read:
            self._read[style_id] = _style(self._chain(style_id))
        return self._read[style_id]

    def is_hidden(self, properties: Element | None, style: Style) -> bool:
        """Whether text of these run properties is hidden, in a paragraph of this style."""
        own = child(properties, "vanish")
        if own is not None:
            return is_on(own)
        character = child(properties, "rStyle")
        return style.is_hidden or (character is not None and self.of(attribute(character)).is_hidden)

    def _chain(self, style_id: str) -> list[Element]:
        """A style and those that it is based on."""
        chain: list[Element] = []
        while style_id in self._elements and len(chain) < _LONGEST_CHAIN:
            chain.append(self._elements[style_id])
            parent = child(chain[-1], "basedOn")
            style_id = (attribute(parent) or "") if parent is not None else ""
        return chain


def is_default(style: Element) -> bool:
    return attribute(style, "default") in ("1", "true", "on")


def outline_level(properties: Element | None) -> int | None:
    """The level of the heading that paragraph properties make, 0 for body text, None when they don't say."""
    found = child(properties, "outlineLvl")
    value = attribute(found) if found is not None else None
    if value is None or not value.isdecimal():
        return None
    return 0 if int(value[:3]) >= _BODY_LEVEL else min(int(value) + 1, _MAX_LEVEL)


def _style(chain: list[Element]) -> Style:
    names = [_name(one) for one in chain]
    list_id, list_level = numbering_of([child(one, "pPr") for one in chain])
    hidden = next((found for one in chain if (found := child(one, "rPr", "vanish")) is not None), None)
    return Style(
        level=_level(chain, names),
        is_list=any(name.startswith("list") and name != "list table" for name in names[:1]),
        is_contents=any(map(_CONTENTS_NAME.match, names)),
        is_code=any(name in _CODE_NAMES for name in names),
        is_hidden=is_on(hidden),
        list_id=list_id,
        list_level=list_level,
    )


def _name(style: Element) -> str:
    found = child(style, "name")
    return ((attribute(found) if found is not None else None) or "").casefold()


def _level(chain: list[Element], names: list[str]) -> int:
    for element, name in zip(chain, names, strict=True):
        if name == "title":
            return 1
        found = _HEADING_NAME.match(name)
        if found:
            return min(int(found[1]), _MAX_LEVEL)
        level = outline_level(child(element, "pPr"))
        if level is not None:
            return level
    return 0


def numbering_of(properties: list[Element | None]) -> tuple[str, int]:
    """Id and level of the numbering that paragraph properties name, the first that does."""
    list_id, level = "", 0
    for one in properties:
        numbers = child(one, "numPr")
        found, depth = child(numbers, "numId"), child(numbers, "ilvl")
        if depth is not None and not level:
            value = attribute(depth) or "0"
            level = int(value[:2]) if value.isdecimal() else 0
        if found is not None:
            list_id = attribute(found) or ""
            break
    return list_id, level
