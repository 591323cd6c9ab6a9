"""What of a page its readers don't see: hidden by an attribute, by its style, or by letters in the colour of the ground."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from lxml import etree
from lxml.html import HtmlElement

from ingestion.load.html.tree import Tree, tokens

_HIDDEN = re.compile(
    r"display\s*:\s*none|visibility\s*:\s*hidden|font-size\s*:\s*0(?![.\d]*[1-9])|opacity\s*:\s*0(?![.\d]*[1-9])"
    r"|(?:left|top|text-indent)\s*:\s*-\d{4,}"
    r"|clip\s*:\s*rect\(0|height\s*:\s*0(?:px)?\s*;[^\"]{0,1000}overflow\s*:\s*hidden",
    re.IGNORECASE,
)
_HIDING_CLASSES = frozenset(("sr-only", "visually-hidden"))
_LONG_COMMENT = 40
_DECLARATION = re.compile(r"(?:^|;)\s*(color|background(?:-color)?)\s*:([^;]{1,300})", re.IGNORECASE)
_HEX = re.compile(r"#([0-9a-f]{3,8})\b", re.IGNORECASE)
_RGB = re.compile(r"rgba?\(\s*(\d{1,3})[\s,]+(\d{1,3})[\s,]+(\d{1,3})(?:[\s,/]+([\d.]{1,8}))?", re.IGNORECASE)
_WORD = re.compile(r"[a-z]{3,20}", re.IGNORECASE)
# Light and dark names of CSS; of others nothing is known.
_LIGHT = frozenset(
    "white snow ivory ghostwhite whitesmoke floralwhite azure mintcream honeydew aliceblue seashell linen lavenderblush"
    " oldlace cornsilk lightyellow lightcyan beige".split()
)
_DARK = frozenset(
    "black navy blue darkblue mediumblue midnightblue royalblue dodgerblue steelblue slateblue darkslateblue cornflowerblue"
    " teal darkcyan green darkgreen forestgreen seagreen olive olivedrab darkolivegreen maroon brown darkred red crimson"
    " firebrick tomato orangered purple indigo rebeccapurple darkviolet darkmagenta gray grey dimgray dimgrey darkgray"
    " darkgrey slategray slategrey darkslategray darkslategrey saddlebrown sienna chocolate".split()
)
_WHITE, _BLACK = 1.0, 0.0
_LEAST_CONTRAST = 1.25


@dataclass(frozen=True, slots=True)
class _Look:
    """How light letters and ground are, from 0 to 1."""

    letters: float = _BLACK
    ground: float = _WHITE

    @property
    def is_readable(self) -> bool:
        """By the contrast of WCAG 2.2; the least of it asked here is far below what is pleasant."""
        light, dark = max(self.letters, self.ground), min(self.letters, self.ground)
        return (light + 0.05) / (dark + 0.05) >= _LEAST_CONTRAST


@dataclass(frozen=True, slots=True)
class Sight:
    """Elements that are hidden with all that is in them, elements whose own text is not readable, and those texts."""

    hidden: frozenset[HtmlElement]
    faint: frozenset[HtmlElement]
    texts: tuple[str, ...]


def sight_of(tree: Tree, gone: set[HtmlElement]) -> Sight:
    """What can't be seen, but for what is `gone` anyway."""
    shown = {element.get("aria-controls") for element in tree.elements if isinstance(element.tag, str)}
    hidden: set[HtmlElement] = set()
    looks: dict[HtmlElement, _Look] = {}
    texts: list[str] = list(_comments(tree))
    faint: set[HtmlElement] = set()
    for element in tree.elements:
        parent = element.getparent()
        if element in gone or parent in hidden:
            hidden.add(element) if parent in hidden else None
            continue
        if element.tag not in ("html", "body", "head") and _is_hidden(element, shown):
            hidden.add(element)
            texts.append(element.text_content())
            continue
        look = _look(element, looks.get(parent, _Look()) if parent is not None else _Look())
        if look != _Look():
            looks[element] = look
        if not look.is_readable:
            faint.add(element)
            texts.append(" ".join([element.text or "", *(child.tail or "" for child in element)]))
    cleaned = tuple(filter(None, (" ".join(text.split()) for text in texts)))
    return Sight(frozenset(hidden), frozenset(faint), cleaned)


def _comments(tree: Tree) -> Iterator[str]:
    for element in tree.elements:
        if element.tag is etree.Comment and len(element.text or "") > _LONG_COMMENT:
            yield element.text


def _is_hidden(element: HtmlElement, shown: set[str | None]) -> bool:
    """Hidden from readers, as far as the element itself says so. What a button shows is only folded."""
    is_folded = element.get("role") == "tabpanel" or (element.get("id") or "-") in shown
    if element.get("hidden") is not None and not is_folded:
        return True
    style = element.get("style")
    if style and _HIDDEN.search(style) and not is_folded:
        return True
    return not _HIDING_CLASSES.isdisjoint(tokens(element))


def _look(element: HtmlElement, look: _Look) -> _Look:
    """Colours of an element, those of its parent where it says nothing."""
    declared = [("color", element.get("color")), ("background", element.get("bgcolor"))]
    declared += [(found[1].lower(), found[2]) for found in _DECLARATION.finditer(element.get("style") or "")]
    for name, value in declared:
        if not value:
            continue
        if name == "color":
            letters = look.ground if "transparent" in value.lower() else _lightness(value)
            look = look if letters is None else replace(look, letters=letters)
        else:
            ground = _lightness(value)
            look = look if ground is None else replace(look, ground=ground)
    return look


def _lightness(value: str) -> float | None:
    """Relative luminance of the first colour in a value (WCAG 2.2); None when it names none that is known."""
    if found := _RGB.search(value):
        opaque = float(found[4].strip(".") or 0) if found[4] and found[4].count(".") < 2 else 1.0
        return _luminance([int(part) for part in found.groups()[:3]]) if opaque > 0.1 else None
    if (found := _HEX.search(value)) and len(found[1]) in (3, 4, 6, 8):
        digits = found[1] if len(found[1]) > 4 else "".join(2 * digit for digit in found[1])
        return _luminance([int(digits[start : start + 2], 16) for start in (0, 2, 4)])
    names = {name.lower() for name in _WORD.findall(value)}
    if names & _LIGHT:
        return _WHITE
    return 0.2 if names & _DARK else None


def _luminance(channels: list[int]) -> float:
    linear = [_linear(min(channel, 255) / 255) for channel in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def _linear(value: float) -> float:
    return value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4
