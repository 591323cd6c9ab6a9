"""An OpenDocument file: its parts, and what its styles say of text, lists and tables."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from ingestion.errors import SourceError
from ingestion.load.package import Element, Package, attribute, child, children, local
from ingestion.load.pieces import Height

_LONGEST_CHAIN = 20
_LEVELS = 10


@dataclass(frozen=True, slots=True)
class Style:
    """What a style says; None where it leaves it to its parent."""

    parent: str = ""
    is_hidden: bool | None = None
    height: Height | None = None


@dataclass(frozen=True, slots=True)
class ListLevel:
    """How a level of a list is numbered: `form` is empty for bullets."""

    form: str = ""
    before: str = ""
    behind: str = ""
    shown_levels: int = 1
    start: int = 1


class OpenFile:
    """A file, its content and its styles by family and name."""

    def __init__(self, package: Package, content: Element) -> None:
        self.package, self.content = package, content
        self.common = package.xml("styles.xml")
        groups = [part for root in (self.common, content) for part in _style_groups(root)]
        self._styles = {_key(one): _style(one) for group in groups for one in children(group, "style")}
        self._lists = {
            self.attribute(one, "name"): _levels(one)
            for group in groups
            for one in children(group, "list-style")
        }

    @classmethod
    def open(cls, data: bytes, kind: str) -> "OpenFile":
        """The file in `data`; `kind` is what a person calls it. Raises `SourceError` when it is none."""
        package = Package.open(data, kind)
        content = package.xml("content.xml")
        if content is None:
            raise SourceError(f"The file is damaged or no {kind}.")
        return cls(package, content)

    def body(self, kind: str) -> Element:
        """What the file holds: its `text`, `spreadsheet` or `presentation`. Raises `SourceError`."""
        found = child(self.content, "body", kind)
        if found is None:
            raise SourceError(f"The file holds no {kind}, whatever its name says. Check its name.")
        return found

    @property
    def title(self) -> str:
        """The title that the file's properties tell."""
        found = child(self.package.xml("meta.xml"), "meta", "title")
        return (found.text or "").strip() if found is not None else ""

    @staticmethod
    def attribute(element: Element, name: str) -> str:
        """An attribute by its local name, in whichever namespace."""
        return next((str(value) for key, value in element.attrib.items() if _plain(key) == name), "")

    def is_hidden(self, name: str, family: str) -> bool:
        """Whether a style hides its text, its table or its page."""
        return next((one.is_hidden for one in self._chain(name, family) if one.is_hidden is not None), False)

    def height(self, name: str) -> Height:
        """Where a style of words puts them."""
        return next((one.height for one in self._chain(name, "text") if one.height is not None), "")

    def is_displayed(self, table: Element) -> bool:
        """Whether readers see a table."""
        return not self.is_hidden(self.attribute(table, "style-name"), "table")

    def names(self, name: str, family: str) -> Iterator[str]:
        """A style's name and those of the styles that it is made of."""
        for _ in range(_LONGEST_CHAIN):
            yield name
            style = self._styles.get((family, name))
            if style is None or not style.parent:
                return
            name = style.parent

    def list_level(self, name: str, depth: int) -> ListLevel:
        """How a list of this style is numbered so deep, from 1."""
        return self._lists.get(name, {}).get(depth, ListLevel())

    def _chain(self, name: str, family: str) -> Iterator[Style]:
        """A style and those that it is made of."""
        return (found for one in self.names(name, family) if (found := self._styles.get((family, one))))


def _plain(key: object) -> str:
    return str(key).rpartition("}")[2]


def _style_groups(root: Element | None) -> Iterator[Element]:
    yield from children(root, "styles", "automatic-styles")


def _key(style: Element) -> tuple[str, str]:
    return attribute(style, "family") or "", attribute(style, "name") or ""


def _style(element: Element) -> Style:
    hidden: bool | None = None
    height: Height | None = None
    for properties in element:
        said = {_plain(key): str(value) for key, value in properties.attrib.items()}
        match local(properties):
            case "text-properties":
                hidden = said["display"] == "none" if "display" in said else hidden
                height = _height(said["text-position"]) if "text-position" in said else height
            case "table-properties":
                hidden = said["display"] == "false" if "display" in said else hidden
            case "drawing-page-properties":
                hidden = said["visibility"] == "hidden" if "visibility" in said else hidden
    return Style(attribute(element, "parent-style-name") or "", hidden, height)


def _height(position: str) -> Height:
    first = position.split()[0] if position.split() else ""
    if first in ("super", "sub"):
        return "raised" if first == "super" else "lowered"
    if not first.strip("-0%."):
        return ""
    return "lowered" if first.startswith("-") else "raised"


def _levels(element: Element) -> Mapping[int, ListLevel]:
    found = {}
    for one in element:
        said = {_plain(key): str(value) for key, value in one.attrib.items()}
        depth = _number(said.get("level", ""), 1)
        if local(one) == "list-level-style-number":
            found[depth] = ListLevel(
                form=said.get("num-format", ""),
                before=said.get("num-prefix", ""),
                behind=said.get("num-suffix", ""),
                shown_levels=min(_number(said.get("display-levels", ""), 1), _LEVELS),
                start=_number(said.get("start-value", ""), 1),
            )
    return found


def _number(text: str, otherwise: int) -> int:
    return int(text) if text.isdecimal() and len(text) < 6 else otherwise
