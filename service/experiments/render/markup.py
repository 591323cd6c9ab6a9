"""HTML from values. Text is escaped wherever it comes from; only what `tag` made is markup."""

from collections.abc import Iterable
from html import escape

Attribute = str | int | float | bool | None


class Markup(str):
    """Text that is markup already."""

    __slots__ = ()


def tag(name: str, *children: object, **attributes: Attribute) -> Markup:
    """An element. `class_` is the attribute `class`, `aria_label` is `aria-label`; an attribute that is None is left out."""
    head = name + "".join(_attribute(key, value) for key, value in attributes.items())
    return Markup(f"<{head}>{join(children)}</{name}>")


def join(parts: Iterable[object], between: str = "") -> Markup:
    """Several parts one after the other; None is nothing."""
    return Markup(escape(between).join(_text(part) for part in parts if part is not None))


def _text(part: object) -> str:
    return part if isinstance(part, Markup) else escape(str(part))


def _attribute(key: str, value: Attribute) -> str:
    name = key.rstrip("_").replace("_", "-")
    if value is None or value is False:
        return ""
    if value is True:
        return f" {name}"
    shown = f"{value:g}" if isinstance(value, float) else str(value)
    return f' {name}="{escape(shown)}"'
