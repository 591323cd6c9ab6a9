"""Packages of the office formats: a ZIP file whose parts are XML. Bounded in number, size and depth; no entities."""

import io
import zipfile
from collections.abc import Iterator
from typing import IO, Self

from lxml import etree

from ingestion.errors import SourceError
from ingestion.load.archive import MAX_MEMBERS, MAX_RATIO, MAX_TOTAL_BYTES

Element = etree._Element
# Sheets of numbers shrink more than other text does, and small packages say nothing by their ratio.
_SMALL_BYTES = 1024 * 1024


class Package:
    """The parts of a package by name. XML is read as it is asked for."""

    def __init__(self, archive: zipfile.ZipFile) -> None:
        self._archive = archive
        self._names = {info.filename.lstrip("/"): info for info in archive.infolist()}

    @classmethod
    def open(cls, data: bytes, kind: str) -> Self:
        """The package in `data`; `kind` is what a person calls it. Raises `SourceError` when it is none, or a bomb."""
        try:
            archive = zipfile.ZipFile(io.BytesIO(data))
        except (zipfile.BadZipFile, ValueError, OSError) as exc:
            raise SourceError(f"The file is damaged or no {kind}.") from exc
        infos = archive.infolist()
        total = sum(info.file_size for info in infos)
        if (
            len(infos) > MAX_MEMBERS
            or total > MAX_TOTAL_BYTES
            or total > MAX_RATIO * max(len(data), _SMALL_BYTES)
        ):
            raise SourceError(
                f"The {len(data)} bytes of the file would unpack to {total}: it looks like a bomb."
            )
        return cls(archive)

    def __contains__(self, name: str) -> bool:
        return name in self._names

    def names(self) -> list[str]:
        """The parts in the order of the file."""
        return list(self._names)

    def open_part(self, name: str) -> IO[bytes]:
        """The bytes of a part, as a stream. Raises `KeyError` when there is none."""
        return self._archive.open(self._names[name])

    def xml(self, name: str) -> Element | None:
        """The root of a part, None when there is no such part. Raises `SourceError` for what is no XML."""
        if name not in self._names:
            return None
        try:
            with self.open_part(name) as file:
                root = etree.parse(file, _parser()).getroot()
        except (etree.XMLSyntaxError, zipfile.BadZipFile, NotImplementedError, RuntimeError) as exc:
            raise SourceError(f"Its part {name[:100]!r} is damaged: {str(exc)[:200]}.") from exc
        _refuse_entities(root, name)
        return root

    def stream(self, name: str, *tags: str) -> Iterator[Element]:
        """Elements of a part by their local names, each as it ends. The caller empties what it has read.

        Raises `SourceError` for what is no XML.
        """
        wanted = [f"{{*}}{tag}" for tag in tags]
        try:
            with self.open_part(name) as file:
                parse = etree.iterparse(
                    file,
                    tag=wanted,
                    remove_comments=True,
                    remove_pis=True,
                    resolve_entities=False,
                    no_network=True,
                )
                for number, (_, element) in enumerate(parse):
                    if not number:
                        _refuse_entities(element, name)
                    yield element
        except (etree.XMLSyntaxError, zipfile.BadZipFile, NotImplementedError, RuntimeError) as exc:
            raise SourceError(f"Its part {name[:100]!r} is damaged: {str(exc)[:200]}.") from exc


def _parser() -> etree.XMLParser:
    # Without `huge_tree` libxml2 refuses what is nested deeper than 256 elements, and texts of 10 MB.
    return etree.XMLParser(resolve_entities=False, no_network=True, remove_comments=True, remove_pis=True)


def _refuse_entities(element: Element, name: str) -> None:
    if element.getroottree().docinfo.internalDTD is not None:
        raise SourceError(f"Its part {name[:100]!r} declares entities, which no office program writes.")


def local(element: Element) -> str:
    """The name of an element without its namespace; the strict variants of the formats differ in namespaces alone."""
    tag = element.tag
    return tag[tag.rfind("}") + 1 :] if isinstance(tag, str) else ""


def attribute(element: Element, name: str = "val") -> str | None:
    """An attribute in the namespace of its element."""
    tag = str(element.tag)
    return element.get(tag[: tag.rfind("}") + 1] + name)


def child(element: Element | None, *path: str) -> Element | None:
    """What a path of local names leads to, the first at every step."""
    for name in path:
        if element is None:
            return None
        element = next((one for one in element if local(one) == name), None)
    return element


def children(element: Element | None, *names: str) -> Iterator[Element]:
    """Children of these local names."""
    if element is not None:
        yield from (one for one in element if local(one) in names)


def is_on(element: Element | None) -> bool:
    """Whether a switch is there and not off (`<w:vanish/>`, `<w:vanish w:val="0"/>`)."""
    return element is not None and (attribute(element) or "true") not in ("0", "false", "off", "none")
