"""Relationships between the parts of an Office file (ECMA-376, part 2): which part is whose styles, notes or chart."""

import posixpath
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

from ingestion.errors import SourceError
from ingestion.load.package import Element, Package, children

_RELATION = (
    "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}",
    "{http://purl.oclc.org/ooxml/officeDocument/relationships}",
)


@dataclass(frozen=True, slots=True)
class Relationship:
    """What a part refers to: `target` is the name of a part, or an address where it `is_external`."""

    kind: str
    target: str
    is_external: bool


@dataclass(frozen=True)
class OfficeFile:
    """A package and its relationships."""

    package: Package
    kind: str
    _relationships: dict[str, Mapping[str, Relationship]] = field(default_factory=dict)
    _met: set[str] = field(default_factory=set)

    @classmethod
    def open(cls, data: bytes, kind: str) -> "OfficeFile":
        """The Office file in `data`; `kind` is what a person calls it. Raises `SourceError` when it is none."""
        return cls(Package.open(data, kind), kind)

    @cached_property
    def main(self) -> str:
        """The name of the part that everything starts from. Raises `SourceError` when there is none."""
        for name in self.related("", "officeDocument"):
            return name
        raise SourceError(f"The file is damaged or no {self.kind}.")

    def root(self, name: str) -> Element:
        """The root of a part that must be there. Raises `SourceError`."""
        found = self.package.xml(name)
        if found is None:
            raise SourceError(f"The file is damaged or no {self.kind}: its part {name[:100]!r} is missing.")
        return found

    def relationships(self, name: str) -> Mapping[str, Relationship]:
        """By id, those of a part; the file's own are under an empty name."""
        if name not in self._relationships:
            folder, _, base = name.rpartition("/")
            root = self.package.xml(posixpath.join(folder, "_rels", f"{base}.rels"))
            found = {one.get("Id", ""): _relationship(one, folder) for one in children(root, "Relationship")}
            self._relationships[name] = found
        return self._relationships[name]

    def related(self, name: str, kind: str) -> list[str]:
        """The parts that a part refers to as its `kind`: styles, footnotes, notesSlide."""
        found = [one.target for one in self.relationships(name).values() if one.kind == kind]
        return [target for target in found if target in self.package]

    def related_root(self, name: str, kind: str) -> Element | None:
        """The root of the first such part."""
        return next((self.package.xml(one) for one in self.related(name, kind)), None)

    def is_first(self, name: str) -> bool:
        """Whether a part is met for the first time: what is said a thousand times is read once."""
        is_new = name not in self._met
        self._met.add(name)
        return is_new

    def follow(self, name: str, element: Element, key: str = "id") -> Relationship | None:
        """What an element of a part refers to by `r:id` or another attribute of that namespace."""
        found = next((value for ns in _RELATION if (value := element.get(ns + key))), None)
        return self.relationships(name).get(found) if found else None

    def address(self, name: str, element: Element) -> str:
        """The address on the web to which a link of a part leads; empty when it leads elsewhere."""
        found = self.follow(name, element)
        return web_address(found.target) if found and found.is_external else ""

    @cached_property
    def title(self) -> str:
        """The title that the file's properties tell."""
        root = self.related_root("", "core-properties")
        return next(((one.text or "").strip() for one in children(root, "title")), "")


def _relationship(element: Element, folder: str) -> Relationship:
    target, is_external = element.get("Target", ""), element.get("TargetMode") == "External"
    if not is_external:
        path = target if target.startswith("/") else posixpath.join("/", folder, target)
        target = posixpath.normpath(path).lstrip("/")
    return Relationship(element.get("Type", "").rpartition("/")[2], target, is_external)


def web_address(target: str) -> str:
    """An address that a person can open elsewhere; empty for places within the file, files and scripts."""
    target = target.strip()
    return target if target.lower().startswith(("http://", "https://", "mailto:", "ftp://")) else ""


def with_address(text: str, address: str) -> str:
    """The words of a link with its address behind them, unless they are the address."""
    plain = address.removeprefix("mailto:")
    said = text.strip()
    if not address or not said or plain.rstrip("/").endswith(said.rstrip("/")) or plain in said:
        return text
    end = text[len(text.rstrip()) :]
    return f"{text.rstrip()} ({plain}){end}"
