"""EPUB books to blocks: their chapters in the order of the spine, read as HTML is. Bounded as archives are."""

import io
import posixpath
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import unquote

from lxml import etree

from ingestion.corpus import Block, Reading
from ingestion.errors import SourceError
from ingestion.load.archive import check_directory, check_sizes
from ingestion.load.html import content_of_part
from ingestion.load.html.tree import parse
from ingestion.load.limits import LEFT_OUT, MAX_FILE_BYTES
from ingestion.load.text import decode

_CONTAINER = "META-INF/container.xml"
_ENCRYPTION = "META-INF/encryption.xml"
_CHAPTER_TYPES = frozenset(("application/xhtml+xml", "text/html", "application/x-dtbook+xml"))
_MOST_NAMED = 5


@dataclass(frozen=True, slots=True)
class _Package:
    """What the package document (OPF) says: the book's facts, and its chapters' files in reading order."""

    title: str
    language: str
    updated: str
    chapters: tuple[str, ...]


def read_epub(data: bytes, name: str) -> Reading:
    """Chapters in order, without the table of contents. Raises `SourceError` for a damaged or a protected book."""
    check_directory(data)
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as book:
            check_sizes([info for info in book.infolist() if not info.is_dir()], len(data))
            return _read(book, name)
    except (zipfile.BadZipFile, KeyError, ValueError, OSError, etree.XMLSyntaxError) as exc:
        raise SourceError(f"The file is damaged or no EPUB book: {str(exc)[:200]}.") from exc


def _read(book: zipfile.ZipFile, name: str) -> Reading:
    package = _package(book)
    _check_protection(book, package)
    blocks: list[Block] = []
    hidden: list[str] = []
    missing: list[str] = []
    left = MAX_FILE_BYTES
    for path in package.chapters:
        try:
            info = book.getinfo(path)
        except KeyError:
            missing.append(path)
            continue
        left -= info.file_size
        if left < 0:
            raise SourceError(f"Its chapters have more than {MAX_FILE_BYTES // 1024**2} MB. Split the book.")
        text = decode(book.read(info))
        if text.strip():
            content = content_of_part(parse(text))
            blocks += content.blocks
            hidden += content.hidden
    first = next((block.text for block in blocks if block.kind == "heading"), "")
    # "developers-reference" is a file's name.
    title = package.title if " " in package.title or not first else first
    return Reading(
        title=title or name,
        blocks=tuple(blocks),
        language=package.language.split("-")[0].lower() or None,
        updated=package.updated or None,
        hidden=tuple(hidden),
        metadata={LEFT_OUT: _left_out(missing)} if missing else {},
    )


def _left_out(missing: list[str]) -> str:
    names = ", ".join(map(repr, missing[:_MOST_NAMED]))
    return f"{len(missing)} of its chapters aren't in the book ({names}). Export it anew."


def _package(book: zipfile.ZipFile) -> _Package:
    roots = _parsed(book, _CONTAINER).iter("{*}rootfile")
    path = next((root.get("full-path") for root in roots if root.get("full-path")), None)
    if path is None:
        raise SourceError("The EPUB book names no package document. Export it anew.")
    root = _parsed(book, path)
    items = {item.get("id"): item for item in root.iter("{*}item")}
    references = (items.get(reference.get("idref")) for reference in root.iter("{*}itemref"))
    chapters = (
        _within(path, item.get("href") or "")
        for item in references
        if item is not None
        and item.get("media-type") in _CHAPTER_TYPES
        and "nav" not in (item.get("properties") or "").split()
    )
    return _Package(
        title=_said(root, "title"),
        language=_said(root, "language"),
        updated=_modified(root) or _said(root, "date"),
        chapters=tuple(dict.fromkeys(chapters)),
    )


def _parsed(book: zipfile.ZipFile, path: str) -> etree._Element:
    parser = etree.XMLParser(resolve_entities=False, no_network=True)
    return etree.fromstring(book.read(path), parser)


def _within(package: str, href: str) -> str:
    """A file's path in the archive; the package names it relative to its own."""
    return posixpath.normpath(posixpath.join(posixpath.dirname(package), unquote(href.partition("#")[0])))


def _said(root: etree._Element, name: str) -> str:
    """The first text of a Dublin Core element."""
    found = root.iter(f"{{http://purl.org/dc/elements/1.1/}}{name}")
    return next((" ".join(one.text.split()) for one in found if one.text and one.text.strip()), "")


def _modified(root: etree._Element) -> str:
    metas = root.iter("{*}meta")
    return next(
        (one.text.strip() for one in metas if one.get("property") == "dcterms:modified" and one.text), ""
    )


def _check_protection(book: zipfile.ZipFile, package: _Package) -> None:
    """Raise `SourceError` where chapters are encrypted; fonts may be."""
    if _ENCRYPTION in book.namelist() and any(path in package.chapters for path in _encrypted(book)):
        raise SourceError("The EPUB book is protected by DRM. Ask its publisher for a copy without it.")


def _encrypted(book: zipfile.ZipFile) -> Iterator[str]:
    for reference in _parsed(book, _ENCRYPTION).iter("{*}CipherReference"):
        yield unquote(reference.get("URI") or "")
